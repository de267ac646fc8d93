"""A folder in which JAX keeps compiled programs from one process to the next."""

import os
import sys
from pathlib import Path

MIN_SECONDS = "1"  # programs that compile faster are not worth a file


def use_compile_cache(folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep compiled programs in a folder, from which later processes load them instead of compiling them again.

    Processes that this one starts use the same folder. It may be deleted at any time; programs are found in it only by
    the versions of JAX and on the kinds of machines that wrote them.

    Args:
        folder: The folder, made when the first program is written; by default `JAX_COMPILATION_CACHE_DIR` if that is
            set, and otherwise `gc_envs/jax` in `XDG_CACHE_HOME` or `~/.cache`.

    Returns:
        The folder.

    >>> use_compile_cache("/tmp/compiled")  # doctest: +SKIP
    PosixPath('/tmp/compiled')
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gc_envs" / "jax"
    path = Path(folder or os.environ.get("JAX_COMPILATION_CACHE_DIR") or default).expanduser().absolute()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(path)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_SECONDS)
    if "jax" in sys.modules:  # which has read these variables already
        import jax
        from jax.experimental.compilation_cache import compilation_cache

        jax.config.update("jax_compilation_cache_dir", str(path))
        seconds = float(os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
        compilation_cache.reset_cache()  # JAX decides at its first compilation whether there is a cache
    return path
