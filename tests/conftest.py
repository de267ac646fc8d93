"""Settings and fixtures of all tests.

The tests run on the CPU; `JAX_PLATFORMS=cuda,cpu pytest -m gpu` runs those that need a GPU. Compiled programs are kept
from run to run in `GC_ENVS_TEST_CACHE`, or else in the user's cache folder.
"""

import os
import shutil
from pathlib import Path

CACHE = os.environ.get("GC_ENVS_TEST_CACHE") or str(
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gc_envs" / "tests"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # these must be set before JAX is imported
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", CACHE)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("MPLBACKEND", "agg")

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from tiny_run import train  # noqa: E402

from gc_envs.registration import make_task  # noqa: E402


@pytest.fixture(scope="session")
def grid_task():
    """The 5 x 5 Gridworld; its tests compile in a moment."""
    return make_task("GC-Gridworld-v0", size=5)


class Compilations:
    """Counts programs that JAX compiles, or takes out of the persistent cache."""

    count = 0

    def __call__(self, event, duration, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            self.count += 1


@pytest.fixture(scope="session")
def compilations():
    counter = Compilations()
    jax.monitoring.register_event_duration_secs_listener(counter)
    before = counter.count
    jax.jit(lambda x: x * 3 - 1)(np.float32(2))
    assert counter.count > before, "JAX no longer reports compilations under this name"
    return counter


@pytest.fixture(params=["numpy", "jax", "torch"])
def to_library(request):
    """A function that makes NumPy arrays into arrays of each library in turn."""
    if request.param == "numpy":
        return np.asarray
    if request.param == "jax":
        return jax.numpy.asarray
    torch = pytest.importorskip("torch")
    return lambda array: torch.from_numpy(np.array(array))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The folder of a tiny finished run, to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train(folder) == 0
    return folder


@pytest.fixture
def run_copy(finished_run, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(finished_run, tmp_path / "copy")
