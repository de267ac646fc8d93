"""Which physics backends there are, and which one a task runs on. Imports neither JAX nor MuJoCo by itself."""

import importlib.util

REQUIRES = {  # module and the extra that installs it
    "c": ("mujoco", "manipulation"),
    "mjx": ("mujoco.mjx", "manipulation"),
    "warp": ("warp", "warp"),
}


def resolve(backend: str) -> str:
    """The backend that `backend` stands for: "c", "mjx" or "warp".

    "auto" is MuJoCo C where JAX has no GPU, and else MJX, on Warp where that is installed.

    Raises:
        ValueError: for an unknown backend.
        ModuleNotFoundError: for one that is not installed, with the pip command that installs it.
    """
    if backend == "auto":
        return ("warp" if _is_installed("warp") else "mjx") if _has_gpu() else "c"
    if backend not in REQUIRES:
        raise ValueError(f"backend={backend!r} is not one of {['auto', *REQUIRES]}")
    module, extra = REQUIRES[backend]
    if not _is_installed(module):
        raise ModuleNotFoundError(
            f'backend={backend!r} needs {module}; install it with: pip install "gc_envs[{extra}]"'
        )
    return backend


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def _has_gpu() -> bool:
    """Whether JAX would run on a GPU; JAX is imported only where its GPU plugin is installed."""
    if not any(_is_installed(f"jax_cuda{version}_plugin") for version in (12, 13)):
        return False
    import jax

    return jax.default_backend() == "gpu"
