"""Which engine a task runs on."""

from typing import Any

from gc_envs.core.engine import Engine, Rules
from gc_envs.core.episode import OnSuccess
from gc_envs.core.task import Task


def make_engine(
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
) -> Engine:
    """Return `num_envs` environments of `task`: compiled, or over a simulator outside JAX where the task has one.

    Raises:
        ValueError: For arrays of another library than NumPy over a simulator outside JAX.
    """
    simulator = task.make_simulator(num_envs)
    if simulator is None:
        from gc_envs.core.jax_engine import JaxEngine  # here, not above: simulators outside JAX work without it

        return JaxEngine(
            task, num_envs, rules, horizon=horizon, on_success=on_success, array=array, pool=pool, device=device,
            keep_history=keep_history and task.renders_history,
        )  # fmt: skip
    if array != "numpy":
        raise ValueError(f"array={array!r} is for tasks computed by JAX; backend={task.backend!r} gives array='numpy'")
    from gc_envs.core.numpy_engine import NumpyEngine

    return NumpyEngine(simulator, task.goals, num_envs, rules, horizon=horizon, on_success=on_success)
