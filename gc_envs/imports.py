"""Modules of users, whose failures are errors of one line."""

import importlib
from types import ModuleType


def import_for(module: str, name: str) -> ModuleType:
    """Import the module of something of a user's that is called `name`, such as "my_module:MyTask".

    Raises:
        ImportError: If there is none, or it fails; the message says what to do.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        if module.startswith("gc_envs."):  # which says itself what is missing
            raise
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            file = module.removesuffix(".py").replace(".", "/")
            raise ModuleNotFoundError(
                f"{name!r} needs a module {module!r}, which is not found: run from the folder that has {file}.py, or "
                "install it" + ("; write it without .py" if module.endswith(".py") else "")
            ) from None
        raise ImportError(f"{name!r} needs {module}, whose import fails: {type(error).__name__}: {error}") from error
