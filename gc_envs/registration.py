"""The table of environments: one row per id, to which `register` adds rows for tasks of your own.

Importing this module loads neither JAX nor torch nor MuJoCo: a row names its task class as a string, and the class is
imported when the first task of that family is made.
"""

import copy
import difflib
import importlib
import importlib.util
import inspect
import numbers
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium

from gc_envs.imports import import_for

if TYPE_CHECKING:
    from gc_envs.core.task import Task


@dataclass(frozen=True)
class EnvRow:
    """One environment id.

    Attributes:
        id: The id under which Gymnasium knows the environment, or what names it where it has none.
        family: The name of the task family, such as "seek"; "own" for tasks of users.
        task: The task class, or where it is, written "module:class".
        summary: A few words on what the agent does.
        eval_steps: The steps that an episode of an evaluation may take; None stands for the task's own horizon.
        kwargs: The task arguments that make this row; callers cannot change them.
        agent_kwargs: The task arguments that give the observations our own networks take.
        requires: A module that the family needs beyond the base install, if any.
        extra: The extra of this package that installs `requires`.
        module: The module whose import registers the id; None for the ids of this package and for rows without an id.
    """

    id: str
    family: str
    task: "str | type[Task]"
    summary: str
    eval_steps: int | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    agent_kwargs: dict[str, Any] = field(default_factory=dict)
    requires: str | None = None
    extra: str | None = None
    module: str | None = None

    @property
    def reference(self) -> str:
        """What names the row in any process, as in a run folder: the id, after the module that registers it."""
        return f"{self.module}:{self.id}" if self.module else self.id


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
ID = re.compile(r"([\w-]+/)?[\w.-]+-v\d+")  # of Gymnasium, with the version that it leaves optional
TASK_ATTRIBUTES = ("goals", "observation_space", "action_space", "horizon")  # without a default


def register_all(rows: Iterable[EnvRow] = ROWS) -> None:
    """Register every id with Gymnasium; `import gc_envs` calls this, and calling it again changes nothing."""
    for row in rows:
        if row.id not in gymnasium.registry:
            gymnasium.register(
                row.id,
                entry_point="gc_envs.entry_points:make_env",
                vector_entry_point="gc_envs.entry_points:make_vector_env",
                kwargs={"env_id": row.reference},
                # The environment counts its steps itself, so that the count is saved with its state: no TimeLimit.
                max_episode_steps=None,
                # Gymnasium's wrappers hide `compute_reward`, `goals` and `set_goal`. What OrderEnforcing checks, the
                # environment checks itself; what PassiveEnvChecker checks, the tests check for every id.
                order_enforce=False,
                disable_env_checker=True,
            )


def register(
    env_id: str,
    task: "str | type[Task]",
    *,
    kwargs: dict[str, Any] | None = None,
    eval_steps: int | None = None,
    summary: str = "",
) -> None:
    """Give a task of your own an id, for Gymnasium, `make_task`, `evaluate` and the command line.

    Call it at the top level of a module of your own: "module:id" then names the environment wherever that module can be
    imported. The same task may be registered again, as by a notebook's cell that is run twice.

    Args:
        env_id: The new id, such as "My-v0".
        task: The task class, or where it is, written "module:class".
        kwargs: The task arguments that make this id; callers cannot change them.
        eval_steps: The steps that an episode of an evaluation may take; default the task's own horizon.
        summary: A few words on what the agent does.

    Raises:
        ValueError: If the id is malformed or belongs to another environment.
        TypeError: If `task` is neither a task class nor a string.

    >>> from gc_envs.gridworld.task import GridworldTask
    >>> register("SmallGrid-v0", GridworldTask, kwargs={"size": 5})
    >>> gymnasium.make("SmallGrid-v0").goals.num_goals
    15
    """
    if not ID.fullmatch(env_id):
        raise ValueError(f"{env_id!r} is no id: write NAME-vN or FOLDER/NAME-vN, such as My-v0")
    where = task if isinstance(task, str) else _place(task)
    module, separator, name = where.partition(":")
    if not (module and separator and name):
        raise ValueError(f"task={task!r} is neither a class nor written 'module:class'")
    known = REGISTRY.get(env_id)
    is_the_same = known is not None and known.family == "own" and _place(known.task) == where
    if (known or env_id in gymnasium.registry) and not is_the_same:
        owner = _place(known.task) if known else gymnasium.registry[env_id].entry_point
        raise ValueError(f"{env_id} is already registered, for {owner}; choose another id")
    caller = sys._getframe(1).f_globals.get("__name__")  # another process imports it to know the id
    REGISTRY[env_id] = EnvRow(
        env_id, family="own", task=task, summary=summary, eval_steps=eval_steps, kwargs=dict(kwargs or {}),
        module=None if caller == "__main__" else caller,
    )  # fmt: skip
    register_all([REGISTRY[env_id]])


def _place(task: "str | type[Task]") -> str:
    """Return where a task class is, as "module:class"; TypeError for what is no task class."""
    if isinstance(task, str):
        return task
    if not _is_task_class(task):
        raise TypeError(f"task must be a subclass of gc_envs.core.task.Task or 'module:class', got {task!r}")
    return f"{task.__module__}:{task.__qualname__}"


def get_row(env_id: "str | Task") -> EnvRow:
    """Return the row of what a caller names.

    Args:
        env_id: An id; "module:id", whose module is imported first, because that registers the id; "module:class", a
            task class that needs no id; or a task.

    Raises:
        ValueError: If nothing is called so; the message lists what is.
        ImportError: If the module is not found, or fails.
        TypeError: If it is neither a string nor a task.
    """
    if not isinstance(env_id, str):
        return _row_of_task(env_id)
    module, _, name = env_id.removeprefix("gc_envs:").rpartition(":")
    found = import_for(module, env_id) if module else None
    if name in REGISTRY:
        return REGISTRY[name]
    if found is None:
        near = difflib.get_close_matches(name, REGISTRY, n=3, cutoff=0.3) or list(REGISTRY)
        own = "; an id or a task of your own is written module:name"
        raise ValueError(f"unknown environment id {env_id!r}; nearest: {', '.join(near)}{own}")
    if not _is_task_class(getattr(found, name, None)):
        tasks = [key for key, value in vars(found).items() if _is_task_class(value) and value.__module__ == module]
        has = [*(row.id for row in REGISTRY.values() if row.module == module), *tasks]
        raise ValueError(
            f"{module} ({getattr(found, '__file__', None)}) has no task and registers no id that is called {name!r}; "
            f"it has: {', '.join(has) or 'none'}"
        )
    return EnvRow(env_id, family="own", task=getattr(found, name), summary="")


def _row_of_task(task: "Task") -> EnvRow:
    """Return a row that names the class of a task; TypeError for what is no task."""
    from gc_envs.core.task import Task

    if not isinstance(task, Task):
        raise TypeError(f"an environment is an id, 'module:class' or a Task, got {task!r}")
    return EnvRow(_place(type(task)), family="own", task=type(task), summary="")


def _is_task_class(value: Any) -> bool:
    """Return whether `value` is a subclass of `Task`."""
    from gc_envs.core.task import Task

    return isinstance(value, type) and issubclass(value, Task) and value is not Task


def make_task(
    env_id: "str | Task",
    *,
    goals: Sequence[Any] | None = None,
    horizon: int | None = None,
    on_success: Any = None,
    **kwargs: Any,
) -> "Task":
    """Make the task behind an id: pure functions to jit, vmap and scan.

    Args:
        env_id: A registered id, such as "GC-Gridworld-v0", "module:id", "module:class", or a task.
        goals: Names, indices or arrays of the goals to keep; by default, all goals of the task.
        horizon: The number of steps after which an episode is truncated; by default, the task's own.
        on_success: "terminate", "continue" or "resample", what reaching the desired goal does; by default, the task's
            own.
        kwargs: The task's own arguments, such as `size=12`.

    Returns:
        The task, with what `goals`, `horizon` and `on_success` change.

    Raises:
        ValueError: If the id, a goal or the value of an argument is not valid.
        TypeError: If the task has no such argument (the message lists those it has) or a value has the wrong type.
        ImportError: If the family's extra is not installed (the message has the pip command that installs it), or a
            module of your own is not found.

    >>> make_task("GC-Gridworld-v0", size=5).goals.names[0]
    'position/0-2'
    """
    if not isinstance(env_id, str):
        row = get_row(env_id)
        if kwargs:
            raise TypeError(f"{row.id} is given as a task, which takes no {next(iter(kwargs))!r}; make it with that")
        return _adjust(copy.copy(env_id), row, goals, horizon, on_success)
    row = get_row(env_id)
    cls = task_class(row)
    parameters = inspect.signature(cls).parameters
    check_arguments(row, kwargs, keyword_names(make_task))
    for name, value in kwargs.items():
        if not _is_accepted(value, annotation := parameters[name].annotation):
            raise TypeError(f"{row.id}: {name} must be {annotation.__name__}, got {value!r}")
    return _adjust(cls(**row.kwargs, **kwargs), row, goals, horizon, on_success)


def _adjust(task: "Task", row: EnvRow, goals: Sequence[Any] | None, horizon: int | None, on_success: Any) -> "Task":
    """Return `task`, checked to be whole, with the arguments of `make_task` that every task takes."""
    missing = [name for name in TASK_ATTRIBUTES if not hasattr(task, name)]
    if missing:
        raise TypeError(f"{row.id}: the task has no {', '.join(missing)}; every task sets {', '.join(TASK_ATTRIBUTES)}")
    if horizon is not None:
        from gc_envs.core.goal_env_mixin import check_count

        task.horizon = check_count("horizon", horizon)
    if on_success is not None:
        from gc_envs.core.episode import OnSuccess

        task.on_success = OnSuccess.parse(on_success).value
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
        TypeError: If it is no task class.
    """
    if row.requires and importlib.util.find_spec(row.requires) is None:
        raise ModuleNotFoundError(f'{row.id} needs {row.requires}; install it with: pip install "gc_envs[{row.extra}]"')
    if not isinstance(row.task, str):
        return row.task
    module, name = row.task.split(":")
    cls: Any = getattr(import_for(module, row.task), name, None)
    if not _is_task_class(cls):
        raise TypeError(f"{row.id}: {row.task} is no subclass of gc_envs.core.task.Task")
    return cls
