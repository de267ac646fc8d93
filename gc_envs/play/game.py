"""The game behind the window: an environment, the effect of keys on it, and the text of the panel."""

import textwrap
from typing import Any

import numpy as np

from gc_envs.core.goals import FiniteGoals, GoalSpace, PointSetGoals
from gc_envs.entry_points import make_env
from gc_envs.play.keys import Bindings, action_of, bindings, get_keyboard

TEXT, FAINT = (226, 228, 233), (140, 146, 158)
PENDING, REACHED = (250, 190, 88), (96, 211, 148)
COLUMNS = 58  # letters in a line of the panel
Line = tuple[str, tuple[int, int, int]]  # a line of the panel: text and colour


class Game:
    """The environment that is played, and the text of the panel about it.

    Reaching the goal does not end the episode here, so that it can be given another goal.

    Args:
        env_id: A registered id with key bindings.
        goal: The name of the desired goal of every episode; sampled by default.
        seed: The seed of the first episode.
        env_kwargs: Arguments of the environment, which replace those of the game.
    """

    def __init__(self, env_id: str, goal: str | None, seed: int | None, env_kwargs: dict[str, Any]) -> None:
        defaults = {"on_success": "continue", "horizon": get_keyboard(env_id).horizon}
        self.env = make_env(env_id=env_id, render_mode="rgb_array", **(defaults | env_kwargs))
        self.keys: Bindings = bindings(env_id, self.env.action_space)
        self.seed = seed
        self.goal: Any = goal
        self.reset()

    def reset(self) -> None:
        """Start a new episode. The first one uses the seed; a goal that was asked for is given again."""
        options = None if self.goal is None else {"goal": self.goal}
        self.observation, self.info = self.env.reset(seed=self.seed, options=options)
        self.seed, self.steps, self.end, self.page = None, 0, "", 0
        self.held = np.zeros(self.env.action_space.shape or (), np.float32)
        for index, value in self.keys.held.items():
            self.held[index] = value
        self.reached: bool = self.info["is_success"]

    def warm_up(self) -> None:
        """Compile a step and a frame, and leave the episode as it was."""
        state = self.env.get_state()
        self.env.step(np.zeros_like(self.env.action_space.sample()))
        self.env.set_state(state)
        self.env.render()

    def new_goal(self) -> None:
        """Give the episode another goal, one that does not hold now if there is such a goal."""
        goals = self.env.goals
        if isinstance(goals, PointSetGoals):
            import jax

            env_state = jax.tree.map(lambda leaf: leaf[0], self.env.get_state()["engine"]["envs"])
            key = jax.random.key(int(self.env.np_random.integers(2**31)))
            self.goal = np.asarray(self.env.task.sample_goal(key, env_state.state, env_state.achieved))
        else:
            achieved = self.info["all_goals"]["achieved"]
            others = np.flatnonzero(~achieved & (np.arange(len(achieved)) != self.info["goal"]))
            self.goal = goals.names[int(self.env.np_random.choice(others if len(others) else len(achieved)))]
        self.observation, self.info = self.env.set_goal(self.goal)
        self.reached = self.info["is_success"]

    def press(self, key: str, scale: float = 1.0) -> None:
        """Do what `key` means, which may be nothing; `scale` shortens continuous moves."""
        page = self.keys.page(key, self.page)
        if page is not None:
            self.page = page
        elif key in self.keys.pages[self.page].actions and not self.end:
            press = self.keys.pages[self.page].actions[key]
            self.step(action_of(press, self.held, self.env.action_space, scale))

    def step(self, action: Any) -> None:
        """Take a step, unless the episode has ended."""
        if self.end:
            return
        self.observation, _, terminated, truncated, self.info = self.env.step(action)
        self.steps += 1
        self.reached |= self.info["is_success"]
        self.end = "terminated" if terminated else "out of time" if truncated else ""

    def panel(self) -> list[Line]:
        """Return the lines of the panel above the keys."""
        desired, goals, index = self.observation["desired_goal"], self.env.goals, int(self.info["goal"])
        words, name = self.env.task.describe_goal(desired), goals.names[index] if index >= 0 else ""
        names = achieved_names(goals, desired, self.info["all_goals"]["achieved"])
        has_words = isinstance(goals, FiniteGoals)  # elsewhere a name is only the goal's coordinates
        headline = f"goal: {name if has_words else words}" + ("  (reached)" if self.reached else "")
        explained = f"{words[0].upper()}{words[1:]}." if has_words else ""
        page = self.keys.pages[self.page].name if len(self.keys.pages) > 1 else ""
        return [
            *((line, REACHED if self.reached else PENDING) for line in textwrap.wrap(headline, COLUMNS)),
            *((line, TEXT) for line in textwrap.wrap(explained, COLUMNS)),
            (f"step {self.steps} of {self.env.horizon}" + (f": {self.end}" if self.end else ""), FAINT),
            *([(f"keys act on: {page}", TEXT)] if page else []),
            (f"goals that hold now ({len(names)}):", FAINT),
            *(
                ("  " + textwrap.shorten(each, COLUMNS - 2, placeholder=" ..."), REACHED if each == name else TEXT)
                for each in names
            ),
        ]


def achieved_names(goals: GoalSpace, desired: np.ndarray, achieved: np.ndarray) -> list[str]:
    """Return the goals of the all-goals set that hold, by `achieved` bool [G]: names, or the coordinates of points."""
    if isinstance(goals, PointSetGoals):
        return [f"({x:g}, {y:g})" for _, x, y in desired.reshape(-1, 3)[achieved]]
    return [goals.names[index] for index in np.flatnonzero(achieved)]
