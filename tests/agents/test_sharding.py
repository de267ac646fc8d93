"""Training on several devices, which JAX emulates on a CPU if it is told to before it starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_run

from gc_envs.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent


def emulated(devices, *command):
    """Run a Python command where there are so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, cwd=ROOT)


def test_on_eight_devices():
    done = emulated(8, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/agents/eight_devices.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_goes_on_with_another_number_of_devices(tmp_path):
    folder, command = tmp_path / "run", ("-m", "gc_envs.cli")
    for flags in (("--devices", "4"), ("--devices", "2", "--resume")):
        steps = 1280 if "--resume" in flags else 640
        done = emulated(4, *command, *tiny_run.command(folder, *flags, total_steps=steps))
        assert done.returncode == 0, done.stderr
    assert "going on from step 640" in done.stderr
    assert main(["evaluate", str(folder)]) == 0  # where there is one device


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("leo", "devices must lie in 1..1, the devices that JAX finds here, got 2"),
        ("her-dqn", "her-dqn trains on one device, not on 2; agents in JAX can use several: leo"),
    ],
    ids=["leo", "her-dqn"],
)
def test_more_devices_than_can_be_used_are_one_line_and_leave_no_folder(tmp_path, capsys, agent, message):
    if agent != "leo":
        pytest.importorskip("sb3_contrib")
    folder = tmp_path / "run"
    assert main(["train", agent, "GC-Gridworld-v0", "--devices", "2", "--run-dir", str(folder)]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not folder.exists()
