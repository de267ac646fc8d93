"""Where an installed Gymnasium-Robotics keeps its models and meshes. Nothing of it is imported."""

import importlib.util
from pathlib import Path


def robotics_assets() -> Path | None:
    """Return the folder of its assets, or None if it is not installed."""
    found = importlib.util.find_spec("gymnasium_robotics")  # which does not import it
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0], "envs", "assets")
