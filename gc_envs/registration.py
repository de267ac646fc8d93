"""The table of environments: one row per id.

Importing this module loads neither JAX nor torch nor MuJoCo: a row names its task class as a string, and the class is
imported when the first task of that family is made.
"""

import difflib
import importlib
import importlib.util
import inspect
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from gc_envs.core.task import Task


@dataclass(frozen=True)
class EnvRow:
    """One environment id.

    Attributes:
        id: The id under which Gymnasium knows the environment.
        family: The name of the task family, such as "seek".
        task: The task class, written "module:class".
        summary: A few words on what the agent does.
        eval_steps: The steps that an episode of an evaluation may take; None stands for the task's own horizon.
        kwargs: The task arguments that make this row; callers cannot change them.
        agent_kwargs: The task arguments that give the observations our own networks take.
        requires: A module that the family needs beyond the base install, if any.
        extra: The extra of this package that installs `requires`.
    """

    id: str
    family: str
    task: str
    summary: str
    eval_steps: int | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent_kwargs: dict[str, Any] = field(default_factory=dict)
    requires: str | None = None
    extra: str | None = None


def _panda(name: str, variant: str, summary: str) -> tuple[EnvRow, EnvRow]:
    """Return the two rows of a Panda task: with the sparse reward (-1 or 0), and with the negative distance."""

    def row(dense: bool) -> EnvRow:
        return EnvRow(
            f"GC-Panda{name}{'Dense' if dense else ''}-v0",
            family="manipulation",
            task="gc_envs.manipulation.panda:PandaTask",
            summary=summary + (", dense reward" if dense else ""),
            kwargs={"variant": variant, "dense": dense},
            requires="mujoco",
            extra="manipulation",
        )

    return row(False), row(True)


ROWS = (
    EnvRow(
        "GC-Gridworld-v0",
        family="gridworld",
        task="gc_envs.gridworld.task:GridworldTask",
        summary="a walled grid, one goal per reachable cell",
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
    ),
    EnvRow(
        "GC-ContinuousSeek-v0",
        family="seek",
        task="gc_envs.seek.continuous:ContinuousSeekTask",
        summary="a point moves to a position in a box of any dimension",
    ),
    EnvRow(
        "GC-DriveSeek-v0",
        family="seek",
        task="gc_envs.seek.drive:DriveSeekTask",
        summary="a car on a torus drives over as many goal points as it can",
    ),
    EnvRow(
        "GC-NoisySeek-v0",
        family="seek",
        task="gc_envs.seek.noisy:NoisySeekTask",
        summary="a point pushed about by noise stays on clustered goal points",
    ),
    EnvRow(
        "GC-BitFlip-v0",
        family="seek",
        task="gc_envs.seek.bitflip:BitFlipTask",
        summary="a string of bits is turned into another, bit by bit",
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
    ),
    EnvRow(
        "GC-HandManipulateBlock-v0",
        family="manipulation",
        task="gc_envs.manipulation.hand:HandManipulateBlockTask",
        summary="a Shadow Hand turns a block to a pose",
        requires="gymnasium_robotics",
        extra="hand",
    ),
)

REGISTRY = {row.id: row for row in ROWS}
ACCEPTED_TYPES = {int: numbers.Integral, float: numbers.Real, bool: bool, str: str}  # per annotation of an argument


def register_all() -> None:
    """Register every id with Gymnasium; `import gc_envs` calls this, and calling it again changes nothing."""
    for row in ROWS:
        if row.id not in gymnasium.registry:
            gymnasium.register(
                row.id,
                entry_point="gc_envs.entry_points:make_env",
                vector_entry_point="gc_envs.entry_points:make_vector_env",
                kwargs={"env_id": row.id},
                # The environment counts its steps itself, so that the count is saved with its state: no TimeLimit.
                max_episode_steps=None,
                # Gymnasium's wrappers hide `compute_reward`, `goals` and `set_goal`. What OrderEnforcing checks, the
                # environment checks itself; what PassiveEnvChecker checks, the tests check for every id.
                order_enforce=False,
                disable_env_checker=True,
            )


def get_row(env_id: str) -> EnvRow:
    """Return the row of `env_id`.

    Raises:
        ValueError: If the id is unknown; the message lists the nearest ids.
    """
    env_id = env_id.removeprefix("gc_envs:")
    if env_id not in REGISTRY:
        near = difflib.get_close_matches(env_id, REGISTRY, n=3, cutoff=0.3) or list(REGISTRY)
        raise ValueError(f"unknown environment id {env_id!r}; nearest: {', '.join(near)}")
    return REGISTRY[env_id]


def make_task(env_id: str, *, goals: Sequence[Any] | None = None, **kwargs: Any) -> "Task":
    """Make the task behind an id: pure functions to jit, vmap and scan.

    Args:
        env_id: A registered id, such as "GC-Gridworld-v0".
        goals: Names, indices or arrays of the goals to keep; by default, all goals of the task.
        kwargs: The task's own arguments, such as `size=12`.

    Returns:
        The task, restricted to `goals` if they are given.

    Raises:
        ValueError: If the id, a goal or the value of an argument is not valid.
        TypeError: If the task has no such argument (the message lists those it has) or a value has the wrong type.
        ModuleNotFoundError: If the family's extra is not installed; the message has the pip command that installs it.

    >>> make_task("GC-Gridworld-v0", size=5).goals.names[0]
    'position/0-2'
    """
    row = get_row(env_id)
    cls = task_class(row)
    parameters = inspect.signature(cls).parameters
    check_arguments(row, kwargs, keyword_names(make_task))
    for name, value in kwargs.items():
        if not _is_accepted(value, annotation := parameters[name].annotation):
            raise TypeError(f"{row.id}: {name} must be {annotation.__name__}, got {value!r}")
    task = cls(**row.kwargs, **kwargs)
    if goals is not None:
        from gc_envs.core.goal_subset import restrict

        task = restrict(task, goals)
    return task


def keyword_names(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that `function` takes by keyword alone."""
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]


def check_arguments(row: EnvRow, names: Iterable[str], general: Sequence[str]) -> None:
    """Check the names of keyword arguments.

    Args:
        row: The row whose task gets the arguments.
        names: The names that the caller gives.
        general: The names of arguments that every environment takes.

    Raises:
        TypeError: If the task has no argument of that name. The words are Python's own, which TorchRL's `GymEnv` reads
            to leave out its `frameskip`; after them come the names of all arguments that there are.
    """
    allowed = [name for name in inspect.signature(task_class(row)).parameters if name not in row.kwargs]
    allowed += [name for name in general if name not in allowed]
    unknown = sorted(set(names) - set(allowed))
    if unknown:
        raise TypeError(f"{row.id} got an unexpected keyword argument {unknown[0]!r}; it takes: {', '.join(allowed)}")


def _is_accepted(value: Any, annotation: Any) -> bool:
    """Return whether `value` may be passed for `annotation`; NumPy numbers may, but a bool is no number here."""
    if annotation not in ACCEPTED_TYPES:
        return True
    return isinstance(value, ACCEPTED_TYPES[annotation]) and (annotation is bool or not isinstance(value, bool))


def task_class(row: EnvRow) -> "type[Task]":
    """Import and return the task class of a row.

    Raises:
        ModuleNotFoundError: If the row's extra is not installed; the message has the pip command that installs it.
    """
    if row.requires and importlib.util.find_spec(row.requires) is None:
        raise ModuleNotFoundError(f'{row.id} needs {row.requires}; install it with: pip install "gc_envs[{row.extra}]"')
    module, name = row.task.split(":")
    return getattr(importlib.import_module(module), name)
