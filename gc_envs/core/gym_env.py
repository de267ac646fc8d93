"""gymnasium.Env over any task."""

from typing import Any

import gymnasium
import numpy as np

from gc_envs.core.episode import OnSuccess
from gc_envs.core.interface import GoalInterface, check_actions, check_options, draw_key, goal_dictionary
from gc_envs.core.task import Task


class GoalEnv(GoalInterface, gymnasium.Env):
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
        self.metadata = {**type(self).metadata, "render_fps": self.task.render_fps}
        self._lane: Any = None
        self._key: np.ndarray | None = None
        self._compile()

    def _compile(self) -> None:
        import jax
        import jax.numpy as jnp

        from gc_envs.core.lanes import LaneProgram

        program = LaneProgram(self.task, self.horizon, self.on_success)
        goals = self.task.goals

        def report(lane):
            return program.observe(lane), {
                "all_goals": program.all_goals(lane),
                "goal": goals.index(lane.episode.desired),
            }

        def start(key, commanded, is_commanded):
            def sampler(key, state, achieved):
                return jnp.where(is_commanded, commanded, self.task.sample_goal(key, state, achieved))

            lane = program.start(key, sampler)
            return lane, goals.success(lane.achieved, lane.episode.desired), report(lane)

        def advance(lane, action):
            lane, verdict = program.advance(lane, action)
            return lane, verdict, report(lane)

        self._start, self._advance = jax.jit(start), jax.jit(advance)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        goal = check_options(options, ("goal",)).get("goal")
        commanded = np.zeros(self.goals.desired_space.shape, np.float32) if goal is None else self.goals.command(goal)
        # A seed starts a new chain of keys; later resets go on along it, exactly as a lane's automatic resets do.
        if seed is not None or self._lane is None:
            self._key = draw_key(self.np_random)
        else:
            self._key = np.asarray(self._lane.key)
        self._lane, success, report = self._start(self._key, commanded, goal is not None)
        return self._report(report, success)

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if self._lane is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        action = check_actions(self.action_space, action)
        self._lane, verdict, report = self._advance(self._lane, action)
        observation, info = self._report(report, verdict.success)
        return observation, float(verdict.reward), bool(verdict.terminated), bool(verdict.truncated), info

    def _report(self, report: tuple[Any, dict[str, Any]], success: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        observation, info = to_numpy(report)
        info["is_success"] = bool(success)
        info["goal"] = int(info["goal"])
        info["goal_name"] = self.goals.names[info["goal"]] if info["goal"] >= 0 else ""
        if not self.all_goals_info:
            del info["all_goals"]
        return observation, info

    def render(self) -> np.ndarray | None:
        """The current frame, uint8 [H, W, 3], with the commanded goal named in it."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        if self._lane is None:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        return self.task.render(self._lane.state, np.asarray(self._lane.episode.desired))

    def get_state(self) -> dict[str, Any]:
        """Everything that decides what happens next (world, goal, clock, random numbers), for `set_state`."""
        if self._lane is None:
            raise gymnasium.error.ResetNeeded("call reset() before get_state()")
        return {"lane": to_numpy(self._lane), "np_random": self.np_random.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, in this or another environment of the same kind."""
        self._lane = to_numpy(state["lane"])
        self.np_random.bit_generator.state = state["np_random"]

    def __getstate__(self) -> dict[str, Any]:  # compiled functions do not pickle, and need not
        return {k: v for k, v in self.__dict__.items() if k not in ("_start", "_advance")} | {
            "_lane": None if self._lane is None else to_numpy(self._lane)
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()


def to_numpy(tree: Any) -> Any:
    """A copy of `tree` in fresh, writable NumPy arrays (a NumPy view of a JAX array is read-only)."""
    import jax

    return jax.tree.map(lambda leaf: np.array(leaf), jax.device_get(tree))
