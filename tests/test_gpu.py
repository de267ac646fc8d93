"""What only a GPU shows; run with `JAX_PLATFORMS=cuda,cpu pytest -m gpu`."""

import jax
import numpy as np
import pytest
from tiny_run import train

from gc_envs.agents.leo import LEO
from gc_envs.core.vector_env import GoalVectorEnv

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu():
    return jax.devices("gpu")[0]


def test_arrays_stay_on_the_gpu(grid_task, gpu):
    envs = GoalVectorEnv(grid_task, 64, array="jax", horizon=3)
    envs.reset(seed=0)
    for t in range(8):
        action = jax.device_put(np.full(64, t % 4, np.int32), gpu)
        with jax.transfer_guard_device_to_host("disallow"):
            observation, reward, _, _, info = envs.step(action)
        for leaf in jax.tree.leaves((observation, reward, info["all_goals"]["achieved"])):
            assert leaf.devices() == {gpu}


def test_torch_sees_the_same_gpu_memory(grid_task, gpu):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA build of torch")
    envs = GoalVectorEnv(grid_task, 64, array="torch")
    observation, _ = envs.reset(seed=0)
    assert observation["achieved_goal"].is_cuda
    assert envs.step(torch.zeros(64, dtype=torch.int32, device="cuda"))[1].is_cuda


def test_the_gpu_and_the_cpu_play_the_same_episodes(grid_task, gpu):
    """Integers only: the Gridworld's trajectories are equal bitwise."""
    results = []
    for device in (gpu, jax.devices("cpu")[0]):
        envs = GoalVectorEnv(grid_task, 8, device=device, horizon=4)
        results.append([envs.reset(seed=0)[0]] + [envs.step(np.arange(8) % 4)[0] for _ in range(10)])
    jax.tree.map(np.testing.assert_array_equal, *results)


def test_a_gpu_checkpoint_acts_on_the_cpu(tmp_path, gpu, grid_task):
    assert train(tmp_path / "run") == 0
    cells = grid_task.cells.astype(np.float32)
    there = LEO.load(tmp_path / "run").q_values(cells)
    with jax.default_device(jax.devices("cpu")[0]):
        here = LEO.load(tmp_path / "run").q_values(cells)
    np.testing.assert_allclose(here, there, atol=1e-2)
