"""Environments in forked processes: those computed by JAX say what to do, and those on MuJoCo C run."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import gymnasium
import gc_envs

def main():
    if sys.argv[2] == "jax":
        import jax
        jax.numpy.zeros(3).sum()
    make = lambda: gymnasium.make(sys.argv[1])
    envs = gymnasium.vector.AsyncVectorEnv([make, make], context="fork", shared_memory=False)
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    envs.close()
    print("stepped")

if __name__ == "__main__":
    main()
"""


def run(env_id, parent):
    command = [sys.executable, "-c", PROGRAM, env_id, parent]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("env_id", ["GC-Gridworld-v0", "GC-ContinuousSeek-v0", "GC-Craftax-Classic-v0"])
def test_jax_in_a_forked_process_is_an_error_that_says_what_to_do(env_id):
    result = run(env_id, "jax")
    assert result.returncode != 0
    assert 'context="spawn"' in result.stderr
    assert "stepped" not in result.stdout


def test_mujoco_runs_in_forked_processes():
    pytest.importorskip("mujoco")
    result = run("GC-PandaReach-v0", "numpy")
    assert "stepped" in result.stdout, result.stderr


def test_a_process_that_forks_after_others_used_jax_is_told_so_too():
    program = (
        "import gc_envs, jax, multiprocessing\n"
        "jax.numpy.zeros(3).sum()\n"
        "def make():\n    gc_envs.make_task('GC-Gridworld-v0')\n"
        "process = multiprocessing.get_context('fork').Process(target=make)\n"
        "process.start(); process.join(60); print('ended', process.exitcode)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert "ended 1" in result.stdout
    assert 'context="spawn"' in result.stderr
