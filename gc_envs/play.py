"""`gc-envs play`: an environment in a window, played with the keyboard.

Key tables, bindings and `Game` know no window; `Window` draws, and its loop blocks: an idle window costs no CPU.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_envs.core.gym_env import GoalEnv
from gc_envs.registration import get_row

# Actions in the order of the action space, each with its key (as `pygame.key.name` spells it). Craftax's are those of
# its own play scripts. Arrow keys also stand for left, right, up and down.
_GRIDWORLD = "left:a right:d up:w down:s"
_CRAFTAX_COMMON = (
    "noop:q left:a right:d up:w down:s do:space sleep:tab place_stone:r place_table:t place_furnace:f place_plant:p "
    "make_wood_pickaxe:1 make_stone_pickaxe:2 make_iron_pickaxe:3 "
)
_CRAFTAX_ONLY = (
    "make_wood_sword:5 make_stone_sword:6 make_iron_sword:7 rest:e descend:. ascend:, make_diamond_pickaxe:4 "
    "make_diamond_sword:8 make_iron_armour:y make_diamond_armour:u shoot_arrow:i make_arrow:o cast_fireball:g "
    "cast_iceball:h place_torch:j drink_potion_red:z drink_potion_green:x drink_potion_blue:c drink_potion_pink:v "
    "drink_potion_cyan:b drink_potion_yellow:n read_book:m enchant_sword:k enchant_armour:l make_torch:[ "
    "level_up_dexterity:] level_up_strength:- level_up_intelligence:= enchant_bow:;"
)
KEYS = {
    "GC-Gridworld-v0": _GRIDWORLD,
    "GC-Craftax-v0": _CRAFTAX_COMMON + _CRAFTAX_ONLY,
    "GC-Craftax-Classic-v0": _CRAFTAX_COMMON + "make_wood_sword:4 make_stone_sword:5 make_iron_sword:6",
}
NO_SCREEN = ("dummy", "offscreen")  # what SDL falls back on
ARROWS = ("left", "right", "up", "down")
COMMANDS = {"r": "reset", "n": "new goal", "q": "quit"}  # with Ctrl always, alone where the game has no such key

PANEL_WIDTH, MARGIN, ROW, FONT_SIZE = 480, 16, 19, 20
GOAL_ROWS = 20  # at least so many rows above the keys
BACKGROUND, TEXT, FAINT = (24, 26, 31), (226, 228, 233), (140, 146, 158)
PENDING, REACHED = (250, 190, 88), (96, 211, 148)
Line = tuple[str, tuple[int, int, int]]  # of the panel: text and colour


@dataclass(frozen=True)
class Bindings:
    """What every key does in one environment."""

    actions: dict[str, int]  # key name -> action
    labels: tuple[tuple[str, str], ...]  # (key, what it does), for people

    def command(self, key: str, ctrl: bool) -> str | None:
        """ "reset", "new goal" or "quit"; None for a key that is the game's, or nobody's."""
        if key == "escape":
            return "quit"
        return COMMANDS.get(key) if ctrl or key not in self.actions else None


def bindings(env_id: str) -> Bindings:
    """The keys of `env_id`; ValueError for an id that cannot be played with a keyboard.

    >>> bindings("GC-Gridworld-v0").actions["up"]
    2
    """
    env_id = get_row(env_id).id
    if env_id not in KEYS:
        raise ValueError(f"{env_id} has no key bindings; play takes: {', '.join(KEYS)}")
    names, keys = zip(*(pair.split(":", 1) for pair in KEYS[env_id].split()), strict=True)
    labels = [("arrows", "move (also wasd)")]
    labels += [(key, name.replace("_", " ")) for name, key in zip(names, keys, strict=True) if name not in ARROWS]
    labels += [(f"ctrl {key}" if key in keys else key, name) for key, name in COMMANDS.items()]
    actions = {key: action for action, key in enumerate(keys)} | {arrow: names.index(arrow) for arrow in ARROWS}
    return Bindings(actions, tuple(labels))


class Game:
    """The environment being played, and what the panel says about it.

    Reaching the goal does not end the episode here, so that another can be commanded in the same world.
    """

    def __init__(self, env_id: str, goal: str | None, seed: int | None, env_kwargs: dict[str, Any]) -> None:
        self.env = GoalEnv(get_row(env_id).id, render_mode="rgb_array", **({"on_success": "continue"} | env_kwargs))
        self.seed, self.goal = seed, goal
        self.reset()

    def reset(self) -> None:
        """A new episode. The first has the seed; a goal that was asked for is commanded again."""
        _, self.info = self.env.reset(seed=self.seed, options=None if self.goal is None else {"goal": self.goal})
        self.seed, self.steps, self.end = None, 0, ""
        self.reached: bool = self.info["is_success"]

    def warm_up(self) -> None:
        """Compile a step and a frame, and leave no trace."""
        state = self.env.get_state()
        self.env.step(0)
        self.env.set_state(state)
        self.env.render()

    def new_goal(self) -> None:
        """Command another goal in the same world, one that does not hold yet if there is such a one."""
        held = self.info["all_goals"]["achieved"]
        others = np.flatnonzero(~held & (np.arange(len(held)) != self.info["goal"]))
        goal = int(self.env.np_random.choice(others if len(others) else len(held)))
        state = self.env.get_state()
        episode = state["lane"].episode._replace(desired=self.env.goals.command(goal))
        self.env.set_state(state | {"lane": state["lane"]._replace(episode=episode)})
        self.goal, self.reached = self.env.goals.names[goal], bool(held[goal])
        self.info |= {"goal": goal, "goal_name": self.goal, "is_success": self.reached}

    def step(self, action: int) -> None:
        """One step, unless the episode is over."""
        if self.end:
            return
        _, _, terminated, truncated, self.info = self.env.step(action)
        self.steps += 1
        self.reached |= self.info["is_success"]
        self.end = "the world has ended" if terminated else "out of time" if truncated else ""

    def panel(self) -> list[Line]:
        """What the panel says above the keys."""
        names = np.array(self.env.goals.names)[self.info["all_goals"]["achieved"]]
        goal = self.info["goal_name"]
        return [
            (f"goal: {goal}" + ("  (reached)" if self.reached else ""), REACHED if self.reached else PENDING),
            (f"step {self.steps} of {self.env.horizon}" + (f": {self.end}" if self.end else ""), TEXT),
            (f"goals that hold now ({len(names)}):", FAINT),
            *((f"  {name}", REACHED if name == goal else TEXT) for name in names),
        ]


class Window:
    """A pygame window on a game: the frame at left, the panel at right."""

    def __init__(self, title: str, keys: Bindings) -> None:
        import pygame

        self.pygame, self.keys = pygame, keys
        pygame.display.init()
        if pygame.display.get_driver() in NO_SCREEN and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("no display found")  # rather than wait for keys that nobody can press
        pygame.font.init()
        pygame.display.set_caption(title)
        self.font = pygame.font.Font(None, FONT_SIZE)
        self.surface = pygame.display.set_mode((480 + PANEL_WIDTH, 510))  # until the first frame
        pygame.key.set_repeat(250, 90)

    def say(self, text: str) -> None:
        """Show `text` alone."""
        self.surface.fill(BACKGROUND)
        self._write([(text, TEXT)], MARGIN, MARGIN)
        self.pygame.display.flip()
        self.pygame.event.pump()  # some systems show nothing until events are looked at

    def draw(self, game: Game) -> None:
        """Show the game as it stands."""
        frame = np.asarray(game.env.render())
        half = -(-len(self.keys.labels) // 2)
        size = (frame.shape[1] + PANEL_WIDTH, max(frame.shape[0], (half + GOAL_ROWS) * ROW))
        if self.surface.get_size() != size:
            self.surface = self.pygame.display.set_mode(size)
        self.surface.fill(BACKGROUND)
        self.surface.blit(self.pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
        left, keys_top = frame.shape[1] + MARGIN, size[1] - MARGIN - half * ROW
        lines, room = game.panel(), keys_top // ROW - 1
        if len(lines) > room:
            lines = [*lines[: room - 1], (f"  and {len(lines) - room + 1} more", FAINT)]
        self._write(lines, left, MARGIN)
        for labels in (self.keys.labels[:half], self.keys.labels[half:]):
            for column, colour, gap in ((0, TEXT, 12), (1, FAINT, 24)):
                self._write([(label[column], colour) for label in labels], left, keys_top)
                left += max(self.font.size(label[column])[0] for label in labels) + gap
        self.pygame.display.flip()

    def _write(self, lines: list[Line], left: int, top: int) -> None:
        for row, (text, colour) in enumerate(lines):
            self.surface.blit(self.font.render(text, True, colour), (left, top + row * ROW))

    def handle(self, event: Any, game: Game) -> bool:
        """Apply one event to the game; False when the player leaves."""
        if event.type == self.pygame.KEYDOWN:
            key = self.pygame.key.name(event.key)
            command = self.keys.command(key, bool(event.mod & self.pygame.KMOD_CTRL))
            if command == "reset":
                game.reset()
            elif command == "new goal":
                game.new_goal()
            elif command is None and key in self.keys.actions:
                game.step(self.keys.actions[key])
            if command == "quit":
                return False
        if event.type in (self.pygame.KEYDOWN, self.pygame.WINDOWEXPOSED):
            self.draw(game)
        return event.type != self.pygame.QUIT


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
    keys = bindings(env_id)
    try:
        import pygame
    except ModuleNotFoundError:
        raise ModuleNotFoundError('play needs pygame; install it with: pip install "gc_envs[play]"') from None
    try:
        window = Window(env_id, keys)
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
