"""gymnasium.Env over any task."""

from typing import Any

import gymnasium
import numpy as np

from gc_envs.core.episode import OnSuccess
from gc_envs.core.goal_env_mixin import GoalEnvMixin, check_actions, check_options, draw_key, goal_dictionary
from gc_envs.core.task import Task


class GoalEnv(GoalEnvMixin, gymnasium.Env):
    """A goal-conditioned environment with Gymnasium's goal dictionary and, on every step, what all goals say.

    `info["all_goals"]` has `achieved` (bool [G]) and `reward` (float32 [G]); `info["is_success"]` is about the state
    just reached; `info["goal"]` is the index of the commanded goal (-1 if it is not in the set) and `goal_name` its
    name. `reset(options={"goal": name | index | array})` commands a goal; without it one is drawn.

    Args:
        task: an id, or a Task object.
        render_mode: None or "rgb_array".
        goals: the only goals to use (names, indices or arrays).
        horizon: steps until truncation; default the task's own.
        on_success: "terminate", "continue" or "resample"; default the task's own.
        all_goals_info: False leaves `info["all_goals"]` out.
        task_kwargs: the task's own arguments.

    >>> env = gymnasium.make("gc_envs:GC-Gridworld-v0", size=5)
    >>> observation, info = env.reset(seed=0, options={"goal": "position/0-4"})
    >>> info["goal_name"], int(info["all_goals"]["achieved"].sum())
    ('position/0-4', 1)
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        task: str | Task,
        *,
        render_mode: str | None = None,
        goals: Any = None,
        horizon: int | None = None,
        on_success: str | OnSuccess | None = None,
        all_goals_info: bool = True,
        **task_kwargs: Any,
    ) -> None:
        self._set_task(
            task, task_kwargs, goals=goals, horizon=horizon, on_success=on_success,
            all_goals_info=all_goals_info, render_mode=render_mode,
        )  # fmt: skip
        self.observation_space = goal_dictionary(self.task)
        self.action_space = self.task.action_space
        self.metadata = {
            **type(self).metadata, "render_fps": self.task.render_fps, "backend": self.task.backend
        }  # fmt: skip
        self._engine = self._make_engine()

    def _make_engine(self) -> Any:
        """A lane in a compiled program, or in a world outside JAX where the task has one."""
        world = self.task.make_simulator(1)
        if world is not None:
            from gc_envs.core.numpy_engine import HostLane

            return HostLane(self.task, world, self.horizon, self.on_success)
        from gc_envs.core.jax_engine import CompiledLane

        return CompiledLane(self.task, self.horizon, self.on_success)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        goal = check_options(options, ("goal",)).get("goal")
        command = None if goal is None else self.goals.encode(goal)
        # A seed starts a new chain of keys; later resets go on along it, exactly as a lane's automatic resets do.
        key = draw_key(self.np_random) if seed is not None or not self._engine.started else self._engine.key
        return self._report(*self._engine.begin(key, command))

    def set_goal(self, goal: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Command `goal` (name, index or array) in the episode under way; world and clock go on. As `reset` returns.

        Raises:
            ValueError: for what is no goal of this environment.
        """
        command = self.goals.encode(goal)
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before set_goal()")
        return self._report(*self._engine.command(command))

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        outcome, observation, info = self._engine.step(check_actions(self.action_space, action))
        observation, info = self._report(observation, info)
        return observation, float(outcome.reward), bool(outcome.terminated), bool(outcome.truncated), info

    def _report(self, observation: dict[str, Any], info: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """`info` as a single environment gives it: plain numbers, and the goal's name."""
        for name, kind in (("is_success", bool), ("goal", int), ("diverged", bool)):
            if name in info:
                info[name] = kind(info[name])
        info["goal_name"] = self.goals.names[info["goal"]] if info["goal"] >= 0 else ""
        if not self.all_goals_info:
            del info["all_goals"]
        return observation, info

    def render(self) -> np.ndarray | None:
        """The current frame, uint8 [H, W, 3], with the commanded goal named in it."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        return self._engine.render()

    def get_state(self) -> dict[str, Any]:
        """Everything that decides what happens next (world, goal, clock, random numbers), for `set_state`."""
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before get_state()")
        return {"lane": self._engine.get_state(), "np_random": self.np_random.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, in this or another environment of the same kind."""
        self._engine.set_state(state["lane"])
        self.np_random.bit_generator.state = state["np_random"]

    def __getstate__(self) -> dict[str, Any]:  # compiled programs and simulators do not pickle, and need not
        lane = self._engine.get_state() if self._engine.started else None
        return {**self.__dict__, "_engine": None, "_lane": lane}

    def __setstate__(self, state: dict[str, Any]) -> None:
        lane = state.pop("_lane")
        self.__dict__.update(state)
        self._engine = self._make_engine()
        if lane is not None:
            self._engine.set_state(lane)
