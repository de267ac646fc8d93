"""One tiny finished run, shared by all tests that only read it."""

import shutil

import pytest

from gc_envs.cli import main

SETTINGS = (
    *("--total-steps", "1280", "--num-envs", "4", "--rollout-steps", "8", "--minibatch-size", "16"),
    *("--width", "16", "--depth", "1", "--evaluations", "2", "--env-kwargs", "size=5"),
)  # 40 updates of 32 steps


def train(run_dir, *flags):
    """`gc-envs train leo GC-Gridworld-v0` with tiny settings; its exit code."""
    return main(["train", "leo", "GC-Gridworld-v0", *SETTINGS, "--run-dir", str(run_dir), *flags])


def final_state(run_dir):
    """The bytes of the newest checkpoint."""
    return sorted((run_dir / "checkpoints").glob("step_*"))[-1].joinpath("state.safetensors").read_bytes()


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train(folder) == 0
    return folder


@pytest.fixture
def run_copy(trained_once, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(trained_once, tmp_path / "copy")
