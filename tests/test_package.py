"""The package: a light import, one version, and a wheel that works elsewhere."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

import gc_envs

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("jax", "jaxlib", "torch", "mujoco", "flax", "optax", "craftax", "matplotlib", "tyro", "rich", "PIL")


def python(program, *, executable=sys.executable, cwd=None, **env):
    """Return what `program` prints."""
    done = subprocess.run(
        [str(executable), "-c", program], capture_output=True, text=True, cwd=cwd, env=os.environ | env, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("what", ["import gc_envs", "import gymnasium, gc_envs; gymnasium.spec('GC-Gridworld-v0')"])
def test_importing_loads_nothing_heavy(what):
    loaded = python(f"import sys; {what}; print(sorted(set({HEAVY!r}) & set(sys.modules)))")
    assert loaded == "[]"


def test_listing_loads_no_jax():
    program = "import sys; from gc_envs.cli import main; assert main(['list']) == 0; print('jax' in sys.modules)"
    assert python(program).endswith("False")


def test_everything_promised_at_the_top_is_there():
    assert callable(gc_envs.make_task)
    assert callable(gc_envs.evaluate)
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        gc_envs.evalute  # noqa: B018


def test_there_is_one_version():
    assert gc_envs.__version__ == importlib.metadata.version("gc_envs")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert gc_envs.__version__ == project["version"]


def test_only_one_name_lands_in_site_packages(wheel):
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    tops = {line.split("/")[0] for line in names.splitlines()[1:]}
    assert tops == {"gc_envs", f"gc_envs-{gc_envs.__version__}.dist-info"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources, so that the tree stays as it is."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "gc_envs", source / "gc_envs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    target = source / "wheels"
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(target),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = target.glob("*.whl")
    return path


USE = """
import gymnasium, gc_envs
print(gc_envs.__file__)
env = gymnasium.make("gc_envs:GC-Gridworld-v0", size=5)
observation, info = env.reset(seed=0)
assert env.step(0)[0] in env.observation_space
assert gc_envs.pretrained("leo-gridworld").task.goals.num_goals == 107
"""


def test_the_wheel_makes_an_environment_in_a_clean_virtual_environment(wheel, tmp_path):
    """A new environment that has our dependencies' folder on its path, but neither our sources nor our own install."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    executable = home / "bin" / "python"
    site = Path(python("import sysconfig; print(sysconfig.get_path('purelib'))", executable=executable))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not read
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(executable),
        "install",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = Path(python(USE, executable=executable, cwd=tmp_path, PYTHONPATH=""))
    assert found.is_relative_to(site)
    done = subprocess.run([home / "bin" / "gc-envs", "list"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "GC-Gridworld-v0" in done.stdout
