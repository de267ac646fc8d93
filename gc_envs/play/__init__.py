"""`gc-envs play`: an environment in a window, played with the keyboard.

Key tables and `Game` know no window; `Window` draws, and the loop here blocks: an idle window costs no CPU.
"""

from typing import Any

from gc_envs.play.game import Game
from gc_envs.play.keys import get_keyboard
from gc_envs.play.window import Window

__all__ = ["play"]


def play(
    env_id: str, *, goal: str | None = None, seed: int | None = None, env_kwargs: dict[str, Any] | None = None
) -> None:
    """Open a window on `env_id` and play until the player leaves.

    Args:
        env_id: a registered id with key bindings.
        goal: the commanded goal, by name; default drawn.
        seed: of the first world.
        env_kwargs: arguments of the environment.

    Raises:
        ModuleNotFoundError: without pygame, with the pip command.
        ValueError: for an id without key bindings, an unknown goal, or where no window can be opened.
    """
    get_keyboard(env_id)
    try:
        import pygame
    except ModuleNotFoundError:
        raise ModuleNotFoundError('play needs pygame; install it with: pip install "gc_envs[play]"') from None
    try:
        window = Window(env_id)
        window.say("compiling ... (seconds to minutes, the first time)")
        game = Game(env_id, goal, seed, env_kwargs or {})
        game.warm_up()
        pygame.event.clear()  # keys pressed while there was nothing to see
        window.draw(game)
        while window.handle(pygame.event.wait(), game):
            pass
    except pygame.error as error:
        raise ValueError(f"play cannot open a window here: {error}") from None
    finally:
        pygame.quit()
