"""`gc-envs play`: an environment in a window, played with the keyboard.

Key tables and `Game` do not depend on a window; `Window` draws. The loop here waits for events, so an idle window takes
hardly any CPU time.
"""

from typing import Any

from gc_envs.play.game import Game
from gc_envs.play.keys import get_keyboard
from gc_envs.play.window import Window

__all__ = ["play"]

CHECK_EVERY = 100  # ms after which a wait for events returns without one, so that Ctrl+C in the terminal is noticed


def play(
    env_id: str,
    *,
    goal: str | None = None,
    seed: int | None = None,
    scale: float = 1.0,
    env_kwargs: dict[str, Any] | None = None,
) -> None:
    """Open a window on `env_id` and play until the player leaves.

    Args:
        env_id: A registered id with key bindings.
        goal: The name of the desired goal; sampled by default.
        seed: The seed of the first episode.
        scale: The size of the window, as a factor; it can be resized, too.
        env_kwargs: Arguments of the environment.

    Raises:
        ModuleNotFoundError: If pygame is not installed; the message has the pip command.
        ValueError: If the id has no key bindings, the goal is unknown, `scale` is not positive or no window can be
            opened.
    """
    get_keyboard(env_id)
    if not 0.25 <= scale <= 8:
        raise ValueError(f"scale must lie in 0.25..8, got {scale}")
    try:
        import pygame
    except ModuleNotFoundError:
        raise ModuleNotFoundError('play needs pygame; install it with: pip install "gc_envs[play]"') from None
    try:
        window = Window(env_id, scale)
        window.show_message("compiling ... (seconds to minutes, the first time)")
        game = Game(env_id, goal, seed, env_kwargs or {})
        game.warm_up()
        pygame.event.clear()  # keys pressed before the first frame
        window.draw(game)
        while window.handle(pygame.event.wait(CHECK_EVERY), game):
            pass
    except pygame.error as error:
        raise ValueError(f"play cannot open a window here: {error}") from None
    finally:
        pygame.quit()
