"""Training runs that take a second: 40 updates on the 5 x 5 Gridworld."""

from pathlib import Path

import tiny_learners

from gc_envs.cli import main
from gc_envs.training.flags import setting_flags

STEPS = 1280  # 40 updates of 32 steps

# A program that is killed in the middle of writing its 7th checkpoint.
KILLED = """
import os, signal, sys
from gc_envs.cli import main

rename, calls = os.rename, []

def die(*args):
    calls.extend(name for name in args if "step_" in str(name))
    if len(calls) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*args)

os.rename = die
sys.exit(main(sys.argv[1:]))
"""


def settings(agent: str = "leo") -> dict[str, object]:
    """The settings of a run, by the names of their flags without dashes."""
    own = tiny_learners.SHARED | tiny_learners.SETTINGS[agent]
    return {"total_steps": STEPS, **own, "evaluations": 2, "env_kwargs": "size=5"}


def command(run_dir: Path, *flags: str, agent: str = "leo", **changes: object) -> list[str]:
    """Arguments of `gc-envs` for the run; `width=32` replaces a setting."""
    words = setting_flags(settings(agent) | changes)
    return ["train", agent, "GC-Gridworld-v0", *words, "--run-dir", str(run_dir), *flags]


def train(run_dir: Path, *flags: str, agent: str = "leo", **changes: object) -> int:
    """Train in this process; the exit code."""
    return main(command(run_dir, *flags, agent=agent, **changes))


def final_state(run_dir: Path) -> bytes:
    """The bytes of the newest checkpoint."""
    return sorted((run_dir / "checkpoints").glob("step_*"))[-1].joinpath("state.safetensors").read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip(path: Path, place: float) -> None:
    """Change one byte of a file: the one at `place`, from 0 for the first to 1 for the last."""
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
