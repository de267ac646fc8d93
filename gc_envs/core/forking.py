"""Processes that were forked while JAX ran: its threads are gone there, and its next call waits for them forever."""

import os
import sys

_forked_while_jax_ran = False


def jax_runs() -> bool:
    """Return whether JAX has started its threads in this process; importing it alone does not."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()


def check_fork() -> None:
    """Raise RuntimeError in a process in which JAX would wait forever."""
    if _forked_while_jax_ran:
        raise RuntimeError(
            "this process was forked from one that uses JAX, where JAX hangs: start processes with "
            'context="spawn" (of AsyncVectorEnv or multiprocessing), or take gymnasium.make_vec(id, num_envs=N), which '
            "needs none"
        )


def _before_fork() -> None:
    global _jax_ran
    _jax_ran = jax_runs()


def _in_child() -> None:
    global _forked_while_jax_ran
    _forked_while_jax_ran = _forked_while_jax_ran or _jax_ran


_jax_ran = False
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
