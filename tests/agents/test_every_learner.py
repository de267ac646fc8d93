"""What holds for every learner in JAX: same seeds, several seeds, other processors, tasks that none can learn."""

import functools

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import ChainTask
from tiny_learners import MOSTLY_WHOLE, NAMES, QUICK, make

from gc_envs.agents import LEARNERS
from gc_envs.agents.policy import acting_arrays, load_acting_state
from gc_envs.registration import make_task
from gc_envs.training.checkpoint import flatten

UPDATES = 4


@functools.cache
def compiled(agent):
    """The learner on a chain, and its functions, compiled once for all tests."""
    learner = make(agent, ChainTask(horizon=11), total_steps=32 * UPDATES)
    return learner, *(jax.jit(function, compiler_options=QUICK) for function in (learner.init, learner.update))


def run(agent, seed):
    """The state after all updates, and what each of them reported."""
    learner, init, update = compiled(agent)
    state, reported = init(jax.random.key(seed)), []
    for _ in range(learner.num_updates):
        state, metrics = update(state)
        reported.append(metrics)
    return state, reported


def test_no_learner_is_left_out():
    assert set(NAMES) == {name for name, row in LEARNERS.items() if row.path.startswith("gc_envs.agents.")}


@pytest.mark.parametrize("agent", MOSTLY_WHOLE)
def test_the_same_seed_gives_the_same_run_bitwise_and_another_seed_another(agent):
    (one, reported), (same, _), (other, _) = (run(agent, seed) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, same)
    assert any((a != b).any() for a, b in zip(jax.tree.leaves(one.train), jax.tree.leaves(other.train), strict=True))
    for metrics in reported:
        values = {**metrics.latest, **metrics.mean}
        assert all(value.shape == () and np.isfinite(value) for value in values.values())
        assert len(values) == len(metrics.latest) + len(metrics.mean)
    assert [int(metrics.mean["ends"]) for metrics in reported] != [0] * UPDATES
    learner, _, update = compiled(agent)
    assert update._cache_size() == 1
    arrays = flatten(jax.device_get(one))  # what acting needs is found among them
    few = acting_arrays(learner, arrays)
    assert 0 < len(few) < len(arrays)
    loaded = load_acting_state(learner, few)
    jax.tree.map(np.testing.assert_array_equal, loaded, learner.acting_state(one))


@pytest.mark.parametrize("agent", NAMES)
def test_types_never_change(agent, grid_task):
    learner = make(agent, grid_task)
    state = jax.eval_shape(learner.init, jax.random.key(0))
    types = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)  # noqa: E731
    assert types(jax.eval_shape(learner.update, state)[0]) == types(state)


@pytest.mark.parametrize("agent", ["leo", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_seeds_trained_together_equal_seeds_trained_alone(agent):
    """`init` and `update` may be vmapped; sums in another order make small differences, what is acted on is exact."""
    learner, _, _ = compiled(agent)
    states = jax.jit(jax.vmap(learner.init), compiler_options=QUICK)(jax.vmap(jax.random.key)(jnp.arange(3)))
    update = jax.jit(jax.vmap(learner.update), compiler_options=QUICK)
    for _ in range(learner.num_updates):
        states, metrics = update(states)
    assert metrics.mean["ends"].shape == (3,)
    for seed in (0, 2):
        alone, _ = run(agent, seed)
        together = jax.tree.map(lambda leaf, seed=seed: leaf[seed], states)
        jax.tree.map(np.testing.assert_array_equal, together.actors, alone.actors)
        nearly = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4)
        jax.tree.map(nearly, together.train, alone.train)


def lowers(learner):
    """Lower an update for the processors that this machine need not have."""
    state = jax.eval_shape(learner.init, jax.random.key(0))
    return jax.jit(learner.update).trace(state).lower(lowering_platforms=("cuda", "tpu")).as_text()


@pytest.mark.parametrize("agent", NAMES)
def test_an_update_lowers_for_gpus_and_tpus(agent, grid_task):
    assert "stablehlo" in lowers(make(agent, grid_task))


@pytest.mark.slow
@pytest.mark.parametrize("agent", NAMES)
def test_an_update_on_craftax_lowers_for_gpus_and_tpus(agent):
    pytest.importorskip("craftax")
    task = make_task("GC-Craftax-Classic-v0", observation="compact")
    assert "stablehlo" in lowers(make(agent, task, conv_features=4))


class ContinuousChain(ChainTask):
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)


class ImageChain(ChainTask):
    observation_space = gymnasium.spaces.Box(0, 255, (4, 4, 3), np.uint8)


@pytest.mark.parametrize("agent", NAMES)
def test_tasks_that_none_can_learn_are_refused_in_one_line(agent):
    seek = make_task("GC-ContinuousSeek-v0")
    with pytest.raises(
        ValueError, match="needs a finite goal set and discrete actions; ContinuousSeekTask has BoxGoals"
    ):
        make(agent, seek)
    with pytest.raises(ValueError, match=r"ContinuousChain has FiniteGoals and Box.*use her-ddpg"):
        make(agent, ContinuousChain())
    with pytest.raises(ValueError, match=r"ImageChain has images of \(4, 4, 3\): choose another observation"):
        make(agent, ImageChain())


@pytest.mark.parametrize("agent", NAMES)
def test_settings_of_all_learners_that_cannot_be_trained_with_are_named(agent):
    for changes, message in (
        ({"gamma": 1.5}, "gamma must lie in 0..1, got 1.5"),
        ({"seed": -1}, "seed must lie in"),
        ({"num_envs": -1}, "num_envs must be at least 1, got -1"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must lie in 0..inf, got nan"),
        ({"minibatch_size": 7}, r"minibatch_size=7 does not divide the \d+ samples of an update; try \d"),
    ):
        with pytest.raises(ValueError, match=message):
            make(agent, ChainTask(), **changes)


@pytest.mark.parametrize("agent", NAMES)
def test_categories_as_numbers_are_for_observations_without_a_map(agent, grid_task):
    make(agent, grid_task, one_hot=False)
    pytest.importorskip("craftax")
    with pytest.raises(ValueError, match="one_hot=False reads no maps, which this task's observations have"):
        make(agent, make_task("GC-Craftax-Classic-v0", observation="compact"), one_hot=False)
