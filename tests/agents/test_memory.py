"""Sizes that do not fit memory are refused before anything is compiled."""

import jax
import pytest

from gc_envs.agents import memory
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.memory import check_memory, needed_memory
from gc_envs.registration import make_task

CONFIG = LEOConfig(num_envs=8, rollout_steps=4, minibatch_size=16, width=32, depth=2)


def test_what_is_needed_is_what_training_holds(grid_task):
    learner = LEO(grid_task, CONFIG)
    state = jax.eval_shape(learner.init, jax.random.key(0))
    _, batch = jax.eval_shape(learner.collect, state, jax.random.key(0))
    size = lambda tree: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))  # noqa: E731
    needed = needed_memory(learner)
    assert needed.rollout == size(batch)
    assert size(state.train) < needed.networks < 1.4 * size(state.train)


@pytest.mark.parametrize("change", [{"width": 10**6}, {"num_envs": 10**9}])
def test_sizes_that_do_not_fit_are_named_with_their_bytes(grid_task, change):
    learner = LEO(grid_task, LEOConfig(**{"num_envs": 64, **change}))
    with pytest.raises(ValueError, match=r"needs at least [\d,]{10,} bytes of memory and [\d,]+ are there: .*width="):
        check_memory(learner)


def test_environments_are_shared_out_over_devices(grid_task, monkeypatch):
    learner = LEO(grid_task, CONFIG)
    needed = needed_memory(learner)
    monkeypatch.setattr(memory, "available_memory", lambda: needed.networks + needed.rollout // 2)
    check_memory(learner, devices=2)
    with pytest.raises(ValueError, match="in 8 environments; take less"):
        check_memory(learner)


def test_observations_with_maps_are_counted():
    pytest.importorskip("craftax")
    task = make_task("GC-Craftax-Classic-v0", observation="compact")
    assert needed_memory(LEO(task, CONFIG)).rollout > 4 * 8 * (63 + 22 + 19 + 136)
