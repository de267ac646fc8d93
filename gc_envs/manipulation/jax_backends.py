"""Physics inside JAX: the simulator of each backend, and the options that compiling it needs."""

from typing import TYPE_CHECKING, Any

import jax

from gc_envs.manipulation.sim_state import SimulateFn

if TYPE_CHECKING:
    import mujoco


def make_simulate_fn(model: "mujoco.MjModel", backend: str, threads: int) -> SimulateFn:
    """Return the simulator of one state of `model`, which can be jitted and vmapped.

    Args:
        model: The compiled model.
        backend: "c", "mjx" or "warp".
        threads: The number of native threads of "c"; 0 for one per processor.

    Raises:
        NotImplementedError: If the model has a feature that the backend lacks; the message names it.
    """
    if backend == "c":
        from gc_envs.manipulation.callback import MujocoCallback

        return MujocoCallback(model, threads)
    from gc_envs.manipulation.mjx_backend import make_mjx_simulate_fn, make_warp_simulate_fn

    return make_mjx_simulate_fn(model) if backend == "mjx" else make_warp_simulate_fn(model)


def compiler_options() -> dict[str, Any] | None:
    """Return the options that MJX needs on a CPU, for `jax.jit`; None on other devices.

    Without them a step of MJX takes a CPU hundreds of times longer, and a step of 256 environments hangs.
    """
    if jax.default_backend() != "cpu":
        return None
    return {"xla_cpu_use_fusion_emitters": False, "xla_cpu_enable_concurrency_optimized_scheduler": False}
