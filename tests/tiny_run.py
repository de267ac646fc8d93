"""A training run that takes a second: 40 updates on the 5 x 5 Gridworld."""

from pathlib import Path

from gc_envs.cli import main

SETTINGS = {
    "--total-steps": 1280,  # 40 updates of 32 steps
    "--num-envs": 4,
    "--rollout-steps": 8,
    "--minibatch-size": 16,
    "--width": 16,
    "--depth": 1,
    "--evaluations": 2,
    "--env-kwargs": "size=5",
}

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


def command(run_dir: Path, *flags: str, **changes: object) -> list[str]:
    """Arguments of `gc-envs` for the run; `width=32` replaces a setting."""
    settings = SETTINGS | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    pairs = [str(part) for pair in settings.items() for part in pair]
    return ["train", "leo", "GC-Gridworld-v0", *pairs, "--run-dir", str(run_dir), *flags]


def train(run_dir: Path, *flags: str, **changes: object) -> int:
    """Train in this process; the exit code."""
    return main(command(run_dir, *flags, **changes))


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
