"""gymnasium.Env over any task."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.engine import Engine, Rules, take
from gc_envs.core.episode import OnSuccess
from gc_envs.core.goal_env_mixin import GoalEnvMixin, check_actions, check_options, goal_dictionary
from gc_envs.core.make_engine import make_engine
from gc_envs.core.seeding import sample_key
from gc_envs.core.task import Task

_ONE = np.ones(1, bool)  # the mask of an engine's only environment


class GoalEnv(GoalEnvMixin, gymnasium.Env):
    """A goal-conditioned environment with Gymnasium's goal dictionary and, on every step, what all goals say.

    `info["all_goals"]` has `achieved` (bool [G]) and `reward` (float32 [G]); `info["is_success"]` is about the state
    just reached; `info["goal"]` is the index of the desired goal (-1 if it is not in the set) and `goal_name` its name;
    `info["diverged"]` says whether the step could not be taken. A goal is sampled at every reset unless
    `reset(options={"goal": name | index | array})` gives one.

    It is an engine of one environment, so it does what each environment of a `GoalVectorEnv` does.

    Args:
        task: The task; `gymnasium.make(id)` makes one by its id.
        render_mode: None or "rgb_array".
        horizon: The number of steps after which an episode is truncated; default the task's own.
        on_success: "terminate", "continue" or "resample"; default the task's own.
        all_goals_info: False leaves `info["all_goals"]` out.

    >>> env = gymnasium.make("gc_envs:GC-Gridworld-v0", size=5)
    >>> observation, info = env.reset(seed=0, options={"goal": "position/0-4"})
    >>> info["goal_name"], int(info["all_goals"]["achieved"].sum())
    ('position/0-4', 1)
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        task: Task[Any],
        *,
        render_mode: str | None = None,
        horizon: int | None = None,
        on_success: str | OnSuccess | None = None,
        all_goals_info: bool = True,
    ) -> None:
        self._set_task(
            task, horizon=horizon, on_success=on_success, all_goals_info=all_goals_info, render_mode=render_mode
        )
        self.observation_space = goal_dictionary(task)
        self.action_space = task.action_space
        self.metadata = {**type(self).metadata, "render_fps": task.render_fps, "backend": task.backend}
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        rules = Rules(AutoresetMode.DISABLED, self.all_goals_info)
        return make_engine(
            self.task, 1, rules, horizon=self.horizon, on_success=self.on_success,
            keep_history=self.render_mode is not None,
        )  # fmt: skip

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        goal = check_options(options, ("goal",)).get("goal")
        given = np.zeros((1, *self.goals.desired_space.shape), np.float32)
        if goal is not None:
            given[0] = self.goals.encode(goal)
        # A seed starts a new chain of keys. Later resets go on along it, as automatic resets of vector environments do.
        if seed is not None or not self._engine.started:
            self._engine.init(sample_key(self.np_random)[None])
        return self._first(*self._engine.reset_where(_ONE, given, _ONE & (goal is not None)))

    def set_goal(self, goal: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the episode under way another goal; state and clock go on.

        Args:
            goal: A name, an index or an array.

        Returns:
            The observation and the info, as `reset` does.

        Raises:
            ValueError: For what is no goal of this environment.
        """
        desired = self.goals.encode(goal)
        self._check_reset("set_goal")
        return self._first(*self._engine.set_goal(_ONE, desired[None]))

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._check_reset("step")
        report = self._engine.step(check_actions(self.action_space, action)[None])
        observation, info = self._first(report.observation, report.info)
        return observation, float(report.reward[0]), bool(report.terminated[0]), bool(report.truncated[0]), info

    def _first(self, observation: dict[str, Any], info: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the only environment's observation and info: plain numbers, and the goal's name."""
        observation, info = take(observation, 0), take(info, 0)
        for name, kind in (("is_success", bool), ("terminal", bool), ("goal", int), ("diverged", bool)):
            if name in info:
                info[name] = kind(info[name])
        info["goal_name"] = self._goal_names[info["goal"]]
        return observation, info

    def render(self) -> np.ndarray | None:
        """Return the current frame, uint8 [H, W, 3], with the desired goal named in it."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        self._check_reset("render")
        return self._engine.render(0)
