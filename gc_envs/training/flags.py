"""Settings and arguments of environments as words of `gc-envs train`."""

from collections.abc import Mapping
from typing import Any


def setting_flags(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as flags.

    >>> setting_flags({"learning_rate": 0.001, "normalize": False})
    ['--learning-rate', '0.001', '--no-normalize']
    """
    words: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        words += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return words


def env_kwargs_flags(env_kwargs: Mapping[str, Any]) -> list[str]:
    """Return arguments of an environment as the flag --env-kwargs; nothing if there are none.

    >>> env_kwargs_flags({"size": 5, "goals": ["position/0-2", 3]})
    ['--env-kwargs', 'size=5', 'goals=position/0-2,3']
    """
    words = [
        f"{name}={','.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
        for name, value in env_kwargs.items()
    ]
    return ["--env-kwargs", *words] if words else []
