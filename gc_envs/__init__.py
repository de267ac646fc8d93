"""Goal-conditioned environments for Gymnasium that report all goals at every step, and learners for them.

>>> import gymnasium, gc_envs
>>> env = gymnasium.make("GC-Gridworld-v0")
>>> observation, info = env.reset(seed=0)
>>> sorted(observation)
['achieved_goal', 'desired_goal', 'observation']

Importing this package registers the ids and loads nothing heavier than Gymnasium.
"""

from typing import Any

from gc_envs.compile_cache import use_compile_cache
from gc_envs.core import forking  # noqa: F401, watches for forks from now on
from gc_envs.registration import make_task, register, register_all

__version__ = "0.2.0.dev0"
__all__ = ["evaluate", "evaluate_suite", "make_task", "pretrained", "register", "use_compile_cache"]

register_all()


def __getattr__(name: str) -> Any:
    """Import evaluation and agents on first use, so that importing this package loads no more than Gymnasium."""
    if name == "evaluate":
        from gc_envs.evaluation import evaluate

        return evaluate
    if name == "evaluate_suite":
        from gc_envs.suite.run import evaluate_suite

        return evaluate_suite
    if name == "pretrained":
        from gc_envs.agents.pretrained import pretrained

        return pretrained
    raise AttributeError(f"module 'gc_envs' has no attribute {name!r}")
