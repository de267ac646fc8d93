"""The engine of JAX tasks: N environments in compiled programs, on CPU, GPU or TPU."""

import functools
from typing import Any

import jax
import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.engine import Report, Rules, StepReport, check_arrays, map_leaves, reset_envs, set_goals, step_envs
from gc_envs.core.episode import EnvState, OnSuccess
from gc_envs.core.forking import check_fork
from gc_envs.core.func_env import FuncGoalEnv
from gc_envs.core.history import History
from gc_envs.core.task import Task


class JaxEngine:
    """`Engine` over a JAX task.

    Args:
        task: The task.
        num_envs: N.
        rules: The autoreset mode, and what the infos hold.
        horizon: The number of steps after which an episode is truncated.
        on_success: What reaching the desired goal does.
        array: The library of the reports' arrays: "numpy" (fresh writable arrays), "jax" (device arrays, not copied)
            or "torch" (the same memory).
        pool: The number of start states computed at a time; default `default_pool`.
        device: The JAX device or sharding that the environments live on; default JAX's own.
        keep_history: Whether to keep the earlier states of each episode, for tasks that render them.
    """

    def __init__(
        self,
        task: Task[Any],
        num_envs: int,
        rules: Rules,
        *,
        horizon: int,
        on_success: OnSuccess,
        array: str = "numpy",
        pool: int | None = None,
        device: Any = None,
        keep_history: bool = False,
    ) -> None:
        check_fork()
        # NumPy's actions were checked before; arrays on a device are not waited for.
        self.env = FuncGoalEnv(task, horizon, on_success, pool, checks_discrete=array != "numpy")
        self.rules, self.array, self.device = rules, array, device
        self.envs: EnvState | None = None
        self.done: Any = np.zeros(num_envs, bool)
        self.num_diverged: Any = np.zeros(num_envs, np.int32)
        self.history = History(num_envs) if keep_history else None
        compiled = functools.partial(jax.jit, compiler_options=task.compiler_options)
        self._zeros = compiled(self.env.zeros)
        self._reset = compiled(functools.partial(reset_envs, self.env, rules), donate_argnums=0)
        self._set_goals = compiled(functools.partial(set_goals, self.env, rules), donate_argnums=0)
        self._step = compiled(functools.partial(step_envs, self.env, rules), donate_argnums=0)

    @property
    def started(self) -> bool:
        return self.envs is not None

    @property
    def keys(self) -> np.ndarray | None:
        return None if self.envs is None else np.asarray(self.envs.key)

    def init(self, keys: np.ndarray) -> None:
        placed = jax.device_put(keys, self.device)
        self.envs = self._zeros(placed) if self.envs is None else self.envs._replace(key=placed)

    def reset_where(self, mask: np.ndarray, desired: np.ndarray, given: np.ndarray) -> Report:
        check_fork()
        if self.history:
            self.history.clear(mask)
        self.envs, report = self._reset(self.envs, mask, desired, given)
        self.done = np.asarray(self.done) & ~mask
        return Report(*self._convert(report))

    def set_goal(self, mask: np.ndarray, desired: np.ndarray) -> Report:
        check_fork()
        self.envs, report = self._set_goals(self.envs, mask, desired)
        return Report(*self._convert(report))

    def step(self, actions: Any) -> StepReport:
        check_fork()
        before = self._task_states() if self.history else None
        waiting = self.done
        self.envs, report = self._step(self.envs, self.done, actions)
        self.done = report.terminated | report.truncated
        if self.env.can_diverge:
            self.num_diverged = self.num_diverged + report.info["diverged"]
        if self.array == "numpy":
            self.done = np.asarray(self.done)
            if not self.done.any():
                report = report._replace(final=None)
        if self.history:
            self.history.append(before, cleared=self._reset_within_step(waiting))
        return StepReport(*self._convert(report))

    def render(self, index: int) -> np.ndarray:
        assert self.envs is not None
        state, desired = jax.tree.map(lambda x: x[index], (self.envs.state, self.envs.episode.desired))
        history = {"history": self.history.of(index)} if self.history else {}
        return self.env.task.render(state, np.asarray(desired), **history)

    def get_state(self) -> dict[str, Any]:
        return {"envs": to_numpy(self.envs), "done": np.array(self.done)}

    def set_state(self, state: dict[str, Any]) -> None:
        keys, done = np.zeros((len(self.done), 2), np.uint32), np.zeros(len(self.done), bool)
        check_arrays(_by_path(state), _by_path({"envs": jax.eval_shape(self.env.zeros, keys), "done": done}))
        self.envs = jax.device_put(to_numpy(state["envs"]), self.device)
        self.done = state["done"].copy()
        if self.history:
            self.history.clear(np.ones(len(self.done), bool))

    def _convert(self, report: Any) -> Any:
        """Return `report` in arrays of the library that was asked for."""
        if self.array == "jax":
            return report
        if self.array == "numpy":
            return to_numpy(report)
        import torch

        return map_leaves(torch.utils.dlpack.from_dlpack, report)

    def _task_states(self) -> Any:
        assert self.envs is not None
        return to_numpy(self.envs.state)

    def _reset_within_step(self, waiting: Any) -> np.ndarray:
        """Return which environments the step just taken has reset, bool [N]."""
        mode = self.rules.autoreset_mode
        if mode is AutoresetMode.DISABLED:
            return np.zeros(len(waiting), bool)
        return np.asarray(waiting if mode is AutoresetMode.NEXT_STEP else self.done)


def _by_path(tree: Any) -> dict[str, Any]:
    """Return the arrays of `tree` by their places in it."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def to_numpy(tree: Any) -> Any:
    """Copy `tree` into fresh, writable NumPy arrays (a NumPy view of a JAX array is read-only)."""
    return jax.tree.map(np.array, jax.device_get(tree))
