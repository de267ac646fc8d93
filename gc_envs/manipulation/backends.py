"""The names of the physics backends, and which one a task runs on. Imports neither JAX nor MuJoCo by itself."""

import importlib.util

REQUIREMENTS = {  # backend: the module it needs, and the extra that installs it
    "c": ("mujoco", "manipulation"),
    "mjx": ("mujoco.mjx", "manipulation"),
    "warp": ("warp", "warp"),
}


def resolve_backend(backend: str) -> str:
    """Return the backend that `backend` stands for: "c", "mjx" or "warp".

    "auto" is MuJoCo C if JAX has no GPU. If it has one, "auto" is Warp where that is installed, and else MJX.

    Raises:
        ValueError: If the backend is unknown.
        ModuleNotFoundError: If it is not installed; the message has the pip command that installs it.
    """
    if backend == "auto":
        return ("warp" if _is_installed("warp") else "mjx") if _has_gpu() else "c"
    if backend not in REQUIREMENTS:
        raise ValueError(f"backend={backend!r} is not one of {['auto', *REQUIREMENTS]}")
    module, extra = REQUIREMENTS[backend]
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
    """Return whether JAX would run on a GPU; JAX is imported only if its GPU plugin is installed."""
    if not any(_is_installed(f"jax_cuda{version}_plugin") for version in (12, 13)):
        return False
    import jax

    return jax.default_backend() == "gpu"
