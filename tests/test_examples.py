"""Every example runs, and does what it says, with fewer steps."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"torch_dqn", "sb3_her", "torchrl_env", "pure_jax", "own_agent", "manipulation", "rllib_ppo"}


def test_torch_dqn_learns():
    pytest.importorskip("torch")
    main = load("torch_dqn").main
    assert main(steps=16) < 0.7, "untrained"
    assert main(steps=5000) >= 0.95


def test_sb3_her_learns():
    pytest.importorskip("stable_baselines3")
    assert load("sb3_her").main(steps=2000) >= 0.8


def test_torchrl():
    pytest.importorskip("torchrl")
    assert load("torchrl_env").main(steps=60, num_envs=4) > 0


def test_rllib():
    pytest.importorskip("ray.rllib")
    assert load("rllib_ppo").main(steps=600) >= 600


def test_pure_jax():
    assert load("pure_jax").main(steps=200, num_envs=32) == 1.0


def test_manipulation():
    pytest.importorskip("mujoco")
    assert load("manipulation").main(steps=15, num_envs=16) == (1.0, 1.0)


def test_own_agent_as_a_script(tmp_path):
    command = [sys.executable, EXAMPLES / "own_agent.py", "--steps", "40", "--size", "6", "--json", tmp_path / "r.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["max_steps"] == 40
    assert result["episodes"] == 5 * len(result["per_goal"])
    assert 0.3 < result["success"] <= 1
    assert f"success {result['success']:.3f}" in done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_it_says_how_to_run_it(path):
    source = path.read_text()
    assert f"python examples/{path.name}" in source.split('"""')[1]
    assert '"--steps"' in source
