"""The table of environments: one row per id.

Importing this module loads neither JAX nor torch nor MuJoCo; a row names its task class as a string, and the class is
loaded when the first environment of that family is made.
"""

import difflib
import importlib
import importlib.util
import inspect
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from gc_envs.core.task import Task


@dataclass(frozen=True)
class EnvRow:
    """One environment id."""

    id: str
    family: str
    task: str  # "module:class"
    summary: str
    eval_steps: int | None = None  # steps an evaluation episode may take; default the task's own horizon
    kwargs: dict[str, Any] = field(default_factory=dict)  # the task's arguments that make this row
    agent_kwargs: dict[str, Any] = field(default_factory=dict)  # those that give what our networks take
    requires: str | None = None  # a module that the family needs beyond the base install ...
    extra: str | None = None  # ... and the extra that installs it
    suites: tuple[str, ...] = ()


def _panda(name: str, variant: str, summary: str) -> tuple[EnvRow, EnvRow]:
    """The rows of a Panda task: with reward -1 or 0, and with minus the distance."""

    def row(dense: bool) -> EnvRow:
        return EnvRow(
            f"GC-Panda{name}{'Dense' if dense else ''}-v0",
            family="manipulation",
            task="gc_envs.manipulation.panda:PandaTask",
            summary=summary + (", dense reward" if dense else ""),
            kwargs={"variant": variant, "dense": dense},
            requires="mujoco",
            extra="manipulation",
            suites=() if dense else ("continuous", "manipulation", "panda"),
        )

    return row(False), row(True)


ROWS = (
    EnvRow(
        "GC-Gridworld-v0",
        family="gridworld",
        task="gc_envs.gridworld.task:GridworldTask",
        summary="a walled grid, one goal per reachable cell",
        suites=("finite", "quick"),
    ),
    EnvRow(
        "GC-Craftax-v0",
        family="craftax",
        task="gc_envs.craftax.task:CraftaxTask",
        summary="Craftax, 512 goals",
        eval_steps=512,
        kwargs={"variant": "full"},
        agent_kwargs={"observation": "compact"},
        requires="craftax",
        extra="craftax",
        suites=("finite", "craftax"),
    ),
    EnvRow(
        "GC-Craftax-Classic-v0",
        family="craftax",
        task="gc_envs.craftax.task:CraftaxTask",
        summary="Craftax-Classic, 136 goals",
        eval_steps=512,
        kwargs={"variant": "classic"},
        agent_kwargs={"observation": "compact"},
        requires="craftax",
        extra="craftax",
        suites=("finite", "craftax"),
    ),
    EnvRow(
        "GC-ContinuousSeek-v0",
        family="seek",
        task="gc_envs.seek.continuous:ContinuousSeekTask",
        summary="a point moves to a position in a box of any dimension",
        suites=("continuous", "seek", "quick"),
    ),
    EnvRow(
        "GC-DriveSeek-v0",
        family="seek",
        task="gc_envs.seek.drive:DriveSeekTask",
        summary="a car on a torus drives over as many goal points as it can",
        suites=("points", "seek"),
    ),
    EnvRow(
        "GC-NoisySeek-v0",
        family="seek",
        task="gc_envs.seek.noisy:NoisySeekTask",
        summary="a point pushed about by noise stays on clustered goal points",
        suites=("points", "seek"),
    ),
    EnvRow(
        "GC-BitFlip-v0",
        family="seek",
        task="gc_envs.seek.bitflip:BitFlipTask",
        summary="a string of bits is turned into another, bit by bit",
        suites=("seek", "quick"),
    ),
    *_panda("Reach", "reach", "a Panda arm moves its hand to a point in the air"),
    *_panda("Push", "push", "a Panda arm pushes a cube to a point on the table"),
    *_panda("Slide", "slide", "a Panda arm hits a puck that slides beyond its reach"),
    *_panda("PickAndPlace", "pick_and_place", "a Panda arm lifts a cube to a point in the air or on the table"),
    EnvRow(
        "GC-HandReach-v0",
        family="manipulation",
        task="gc_envs.manipulation.hand:HandReachTask",
        summary="a Shadow Hand brings its fingertips to five points",
        requires="gymnasium_robotics",
        extra="hand",
        suites=("continuous", "manipulation", "hand"),
    ),
    EnvRow(
        "GC-HandManipulateBlock-v0",
        family="manipulation",
        task="gc_envs.manipulation.hand:HandManipulateBlockTask",
        summary="a Shadow Hand turns a block to a pose",
        requires="gymnasium_robotics",
        extra="hand",
        suites=("continuous", "manipulation", "hand"),
    ),
)

REGISTRY = {row.id: row for row in ROWS}


KINDS = {int: numbers.Integral, float: numbers.Real, bool: bool, str: str}  # of arguments: what will do for each


def register_all() -> None:
    """Register every id with Gymnasium; called on `import gc_envs`, and harmless when called again."""
    for row in ROWS:
        if row.id not in gymnasium.registry:
            gymnasium.register(
                row.id,
                entry_point="gc_envs.core.gym_env:GoalEnv",
                vector_entry_point="gc_envs.core.vector_env:GoalVectorEnv",
                kwargs={"task": row.id},
                # The clock is the environment's own, so that it is saved with the state: no TimeLimit wrapper.
                max_episode_steps=None,
            )


def get_row(env_id: str) -> EnvRow:
    """The row of `env_id`.

    Raises:
        ValueError: for an unknown id, with the nearest ones.
    """
    env_id = env_id.removeprefix("gc_envs:")
    if env_id not in REGISTRY:
        near = difflib.get_close_matches(env_id, REGISTRY, n=3, cutoff=0.3) or list(REGISTRY)
        raise ValueError(f"unknown environment id {env_id!r}; nearest: {', '.join(near)}")
    return REGISTRY[env_id]


def make_task(env_id: str, *, goals: Sequence[Any] | None = None, **kwargs: Any) -> "Task":
    """The task behind an id: pure functions to jit, vmap and scan.

    Args:
        env_id: a registered id, such as "GC-Gridworld-v0".
        goals: names, indices or arrays of the only goals to use (default: all of them).
        kwargs: the task's own arguments, such as `size=12`.

    Raises:
        ValueError: for an unknown id, goal or argument value.
        TypeError: for an argument that the task does not take, listing those it does, or a value of another type.
        ModuleNotFoundError: when the family's extra is not installed, with the pip command that installs it.

    >>> make_task("GC-Gridworld-v0", size=5).goals.names[0]
    'position/0-2'
    """
    row = get_row(env_id)
    kind = task_class(row)
    parameters = inspect.signature(kind).parameters
    allowed = [name for name in parameters if name not in row.kwargs]
    unknown = sorted(set(kwargs) - set(allowed))
    if unknown:
        raise TypeError(f"{row.id} takes no argument {unknown[0]!r}; it takes: {', '.join(allowed) or 'none'}")
    for name, value in kwargs.items():
        if not _is_a(value, wanted := parameters[name].annotation):
            raise TypeError(f"{row.id}: {name} must be {wanted.__name__}, got {value!r}")
    task = kind(**row.kwargs, **kwargs)
    if goals is not None:
        from gc_envs.core.goal_subset import restrict

        task = restrict(task, goals)
    return task


def _is_a(value: Any, kind: Any) -> bool:
    """Whether `value` will do where `kind` is asked for; NumPy's numbers do. True for kinds other than these."""
    if kind not in KINDS:
        return True
    return isinstance(value, KINDS[kind]) and (kind is bool or not isinstance(value, bool))


def task_class(row: EnvRow) -> "type[Task]":
    """The task class of a row; ModuleNotFoundError with the pip command where its extra is not installed."""
    if row.requires and importlib.util.find_spec(row.requires) is None:
        raise ModuleNotFoundError(f'{row.id} needs {row.requires}; install it with: pip install "gc_envs[{row.extra}]"')
    module, name = row.task.split(":")
    return getattr(importlib.import_module(module), name)
