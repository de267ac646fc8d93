"""A task's physics inside JAX: which simulator a backend stands for, and what compiling it takes."""

from typing import Any

import jax

from gc_envs.manipulation.physics import PhysicsTask, SimulateFn


def make_simulator(task: PhysicsTask) -> SimulateFn:
    """The simulator of `task` on its backend, for one state; it can be vmapped.

    Raises:
        NotImplementedError: for a model with a feature that the backend lacks, which it names.
    """
    if task.backend == "c":
        from gc_envs.manipulation.callback import CallbackSimulator

        return CallbackSimulator(task)
    from gc_envs.manipulation.mjx_backend import mjx_simulator, warp_simulator

    return mjx_simulator(task) if task.backend == "mjx" else warp_simulator(task)


def compiler_options() -> dict[str, Any] | None:
    """Without these, a step of MJX takes a CPU hundreds of times longer, and one of 256 lanes hangs."""
    if jax.default_backend() != "cpu":
        return None
    return {"xla_cpu_use_fusion_emitters": False, "xla_cpu_enable_concurrency_optimized_scheduler": False}
