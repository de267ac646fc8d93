"""`gc-envs list`, `goals` and `play`: the environments."""

from gc_envs.cli.env_kwargs import parse_env_kwargs
from gc_envs.cli.words import EnvId, EnvKwargs
from gc_envs.registration import REGISTRY, make_task


def list_ids() -> None:
    """List the ids of all environments."""
    from importlib.util import find_spec

    width = max(map(len, REGISTRY))
    for row in REGISTRY.values():
        missing = row.requires and find_spec(row.requires) is None
        hint = f'  (needs: pip install "gc_envs[{row.extra}]")' if missing else ""
        print(f"{row.id:<{width}}  {row.summary}{hint}")


def goals(env_id: EnvId, *, env_kwargs: EnvKwargs = ()) -> None:
    """List the goals of an environment in their order.

    Args:
        env_id: List the goals of this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    task = make_task(env_id, **parse_env_kwargs(env_id, env_kwargs))
    for index, name in enumerate(task.goals.names):
        print(f"{index:>4}  {name}")


def play(
    env_id: EnvId, *, goal: str | None = None, seed: int | None = None, scale: float = 1.0, env_kwargs: EnvKwargs = ()
) -> None:  # fmt: skip
    """Play an environment with the keyboard, beside a list of its goals that shows which of them hold.

    Args:
        env_id: Play this id; `gc-envs list` shows all ids. A task of your own is MODULE:CLASS.
        goal: Give the first episode the goal with this name; by default, a sampled one.
        seed: Seed the environment with this number; by default, with a random one.
        scale: Open the window at this size; it can also be resized.
        env_kwargs: Make the environment with these arguments, such as size=12.
    """
    from gc_envs.play import play as run_play

    run_play(env_id, goal=goal, seed=seed, scale=scale, env_kwargs=parse_env_kwargs(env_id, env_kwargs))
