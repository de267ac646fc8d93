"""Lanes of a JAX task behind the Gymnasium environments: one compiled program for a single lane, one for many."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.episode import OnSuccess, StepOutcome
from gc_envs.core.func_env import EnvState, FuncGoalEnv, default_pool
from gc_envs.core.task import Task


class CompiledLane:
    """One lane, as `GoalEnv` uses it. What its methods return are NumPy arrays."""

    def __init__(self, task: Task, horizon: int, on_success: OnSuccess) -> None:
        self.lane: EnvState | None = None
        self._task = task
        program, goals = FuncGoalEnv(task, horizon, on_success), task.goals

        def report(lane, success):
            goal = goals.index(lane.episode.desired)
            return program.observe(lane), {
                "is_success": success, "goal": goal, "all_goals": program.all_goals(lane)
            }  # fmt: skip

        def start(key, commanded, is_commanded):
            def sampler(key, state, achieved):
                return jnp.where(is_commanded, commanded, task.sample_goal(key, state, achieved))

            lane = program.reset(key, sampler)
            return lane, report(lane, goals.success(lane.achieved, lane.episode.desired))

        def advance(lane, action):
            lane, outcome = program.step(lane, action)
            observation, info = report(lane, outcome.success)
            if program.can_diverge:
                info["diverged"] = outcome.diverged
            return lane, outcome, (observation, info)

        def command(lane, desired):
            lane = lane._replace(episode=lane.episode._replace(desired=desired))
            return lane, report(lane, goals.success(lane.achieved, desired))

        options = task.compiler_options
        self._start = jax.jit(start, compiler_options=options)
        self._advance = jax.jit(advance, compiler_options=options)
        self._command = jax.jit(command, compiler_options=options)

    @property
    def started(self) -> bool:
        """Whether there is an episode."""
        return self.lane is not None

    @property
    def key(self) -> np.ndarray:
        """The lane's chain of keys, uint32 [2]."""
        assert self.lane is not None
        return np.asarray(self.lane.key)

    def begin(self, key: np.ndarray, goal: np.ndarray | None) -> tuple[Any, dict[str, Any]]:
        """A new episode with `goal` [D] commanded, or one drawn: observation and info."""
        commanded = np.zeros(self._task.goals.desired_space.shape, np.float32) if goal is None else goal
        self.lane, report = self._start(key, commanded, goal is not None)
        return to_numpy(report)

    def command(self, goal: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """Command `goal` [D] in the episode under way: observation and info."""
        self.lane, report = self._command(self.lane, goal)
        return to_numpy(report)

    def step(self, action: np.ndarray) -> tuple[StepOutcome, Any, dict[str, Any]]:
        """One step: how it is judged, observation and info."""
        self.lane, outcome, report = self._advance(self.lane, action)
        return outcome, *to_numpy(report)

    def render(self) -> np.ndarray:
        """The lane's frame."""
        assert self.lane is not None
        return self._task.render(self.lane.state, np.asarray(self.lane.episode.desired))

    def get_state(self) -> Any:
        """A copy of the lane."""
        return to_numpy(self.lane)

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` returned."""
        self.lane = to_numpy(state)


class JaxEngine:
    """N lanes, as `GoalVectorEnv` uses them. What its methods return are JAX arrays, for `convert`."""

    def __init__(
        self,
        task: Task,
        num_envs: int,
        *,
        horizon: int,
        on_success: OnSuccess,
        autoreset_mode: AutoresetMode,
        all_goals_info: bool,
        array: str,
        pool: int | None = None,
        device: Any = None,
    ) -> None:
        self.lanes: EnvState | None = None
        self._task, self._array, self._device = task, array, device
        program, goals = FuncGoalEnv(task, horizon, on_success, pool or default_pool(num_envs)), task.goals

        def describe(lanes, success):
            info = {"is_success": success, "goal": goals.index(lanes.episode.desired)}
            if all_goals_info:
                info["all_goals"] = program.all_goals(lanes)
            return info

        def command(lanes, mask, commanded):
            desired = jnp.where(mask[:, None], commanded, lanes.episode.desired)
            lanes = lanes._replace(episode=lanes.episode._replace(desired=desired))
            success = goals.success(lanes.achieved, desired)
            return lanes, jax.vmap(program.observe)(lanes), describe(lanes, success)

        def begin(lanes, mask, commanded, is_commanded):
            return command(program.reset_where(lanes, mask)[0], mask & is_commanded, commanded)

        def step(before, over, action):
            lanes, outcome = jax.vmap(program.step)(before, action)
            if autoreset_mode is AutoresetMode.SAME_STEP:
                final = jax.vmap(program.observe)(lanes), describe(lanes, outcome.success)
                ended = outcome.done
                lanes, observation = program.reset_where(lanes, ended, observation=final[0])
            else:
                final, ended = None, over & (autoreset_mode is AutoresetMode.NEXT_STEP)
                # A lane that ended last time is reset now: what its action did, and the keys that took, never was.
                lanes = lanes._replace(key=jnp.where(ended[:, None], before.key, lanes.key))
                lanes, _ = program.reset_where(lanes, ended)
                observation = jax.vmap(program.observe)(lanes)
                outcome = outcome._replace(
                    reward=jnp.where(ended, 0.0, outcome.reward),
                    terminated=outcome.terminated & ~ended,
                    truncated=outcome.truncated & ~ended,
                    diverged=outcome.diverged & ~ended,
                )
            fresh = goals.success(lanes.achieved, lanes.episode.desired)
            info = describe(lanes, jnp.where(ended, fresh, outcome.success))
            if program.can_diverge:
                info["diverged"] = outcome.diverged
            return lanes, observation, (outcome.reward, outcome.terminated, outcome.truncated), info, final

        options = task.compiler_options
        self._empty = jax.jit(program.zeros, compiler_options=options)
        self._begin = jax.jit(begin, donate_argnums=0, compiler_options=options)
        self._command = jax.jit(command, donate_argnums=0, compiler_options=options)
        self._step = jax.jit(step, donate_argnums=0, compiler_options=options)

    @property
    def started(self) -> bool:
        """Whether there are episodes."""
        return self.lanes is not None

    @property
    def keys(self) -> np.ndarray | None:
        """The lanes' chains of keys, uint32 [N, 2]; None before the first episodes."""
        return None if self.lanes is None else np.asarray(self.lanes.key)

    def convert(self, tree: Any) -> Any:
        """`tree` of JAX arrays as arrays of the library that the caller asked for."""
        if self._array == "jax":
            return tree
        if self._array == "numpy":
            return to_numpy(tree)
        import torch

        return jax.tree.map(torch.from_dlpack, tree)

    def rekey(self, keys: np.ndarray) -> None:
        """Give the lanes new chains of keys [N, 2], from which their next episodes are drawn."""
        placed = jax.device_put(keys, self._device)
        self.lanes = self._empty(placed) if self.lanes is None else self.lanes._replace(key=placed)

    def begin(self, mask: Any, commanded: Any, is_commanded: Any) -> tuple[Any, dict[str, Any]]:
        """New episodes in lanes `mask` [N], with `commanded` [N, D] where `is_commanded` [N]: observations, infos."""
        self.lanes, observation, info = self._begin(self.lanes, mask, commanded, is_commanded)
        return observation, info

    def command(self, mask: Any, commanded: Any) -> tuple[Any, dict[str, Any]]:
        """Command `commanded` [N, D] in the episodes under way in lanes `mask` [N]: observations, infos."""
        self.lanes, observation, info = self._command(self.lanes, mask, commanded)
        return observation, info

    def step(self, over: Any, actions: Any) -> tuple[Any, tuple[Any, Any, Any], dict[str, Any], Any]:
        """One step of all lanes, of which `over` [N] ended on the last one.

        Returns observations, (reward, terminated, truncated), infos and, in SAME_STEP mode, the observations and infos
        before lanes were reset (None if none was).
        """
        self.lanes, observation, outcome, info, final = self._step(self.lanes, over, actions)
        return observation, outcome, info, final

    def render(self, lane: int) -> np.ndarray:
        """A frame of one lane."""
        assert self.lanes is not None
        state, desired = jax.tree.map(lambda x: x[lane], (self.lanes.state, self.lanes.episode.desired))
        return self._task.render(state, np.asarray(desired))

    def get_state(self) -> Any:
        """A copy of the lanes."""
        return to_numpy(self.lanes)

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` returned."""
        self.lanes = jax.device_put(to_numpy(state), self._device)


def to_numpy(tree: Any) -> Any:
    """A copy of `tree` in fresh, writable NumPy arrays (a NumPy view of a JAX array is read-only)."""
    return jax.tree.map(lambda leaf: np.array(leaf), jax.device_get(tree))
