"""What Gymnasium calls to make the registered environments: an id and keyword arguments become an environment."""

from typing import Any

from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import check_arguments, get_row, keyword_names, make_task


def make_env(*, env_id: str, **kwargs: Any) -> GoalEnv:
    """Make a single environment, as `gymnasium.make(env_id, **kwargs)` does.

    Args:
        env_id: A registered id.
        kwargs: The keyword arguments of `GoalEnv`, `goals` (the only goals to use), and the task's own arguments.

    Raises:
        ValueError, TypeError, ModuleNotFoundError: As `make_task` and `GoalEnv` raise them.
    """
    env_kwargs, task_kwargs = _split_arguments(GoalEnv, env_id, kwargs)
    return GoalEnv(make_task(env_id, **task_kwargs), **env_kwargs)


def make_vector_env(*, env_id: str, num_envs: int = 1, **kwargs: Any) -> GoalVectorEnv:
    """Make a vector environment, as `gymnasium.make_vec(env_id, num_envs, **kwargs)` does.

    Args:
        env_id: A registered id.
        num_envs: The number of environments.
        kwargs: The keyword arguments of `GoalVectorEnv`, `goals` (the only goals to use), and the task's own arguments.

    Raises:
        ValueError, TypeError, ModuleNotFoundError: As `make_task` and `GoalVectorEnv` raise them.
    """
    env_kwargs, task_kwargs = _split_arguments(GoalVectorEnv, env_id, kwargs)
    return GoalVectorEnv(make_task(env_id, **task_kwargs), num_envs, **env_kwargs)


# Gymnasium reads the render modes here to offer "human" and "rgb_array_list" as wrappers around "rgb_array".
make_env.metadata = GoalEnv.metadata  # type: ignore[attr-defined]
make_vector_env.metadata = GoalVectorEnv.metadata  # type: ignore[attr-defined]


def _split_arguments(env_class: type, env_id: str, kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments that `env_class` takes by keyword, and the others, which `make_task` takes.

    Raises:
        TypeError: If an argument is for neither; the message lists those that there are.
    """
    names = keyword_names(env_class)
    check_arguments(get_row(env_id), kwargs, ["goals", *names])
    own = {name: value for name, value in kwargs.items() if name in names}
    return own, {name: value for name, value in kwargs.items() if name not in names}
