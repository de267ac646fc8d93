"""Training on several devices; `test_sharding.py` runs this file where there are 8 emulated ones."""

import collections
import dataclasses
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from probes import ChainTask

from gc_envs.agents import sharding
from gc_envs.agents.collect import ACTORS_SPECS, collect, init_actors, training_env
from gc_envs.agents.jax_trainer import JaxTrainer
from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.agents.sgd import minibatch_epochs
from gc_envs.agents.sharding import REPLICATED, SHARDED, make_mesh, shard
from gc_envs.training.run_dir import RunDir

P = jax.sharding.PartitionSpec
G = 0.9
CONFIG = LEOConfig(
    total_steps=60_000, num_envs=8, rollout_steps=8, epochs=3, minibatch_size=32, learning_rate=1e-2, gamma=G,
    epsilon_start=1.0, epsilon_end=1.0, width=16, depth=1,
)  # fmt: skip
CHAIN = [[(1, G), (G, 1), (G**2, G)], [(1, G**2), (G, G), (G**2, 1)], [(G, G**2), (1, G), (G, 1)]]  # see test_leo.py


@pytest.fixture(scope="module")
def learner():
    return LEO(ChainTask(horizon=20), CONFIG)


RUN = RunDir(Path("run"), "leo", "chain", {}, {"seed": 0})


def start(learner, devices):
    trainer = JaxTrainer(learner, [RUN], devices)
    trainer.init()
    return trainer


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("devices", [2, 8])
def test_starts_as_on_one_device_and_what_is_replicated_stays_equal(learner, devices):
    trainer = start(learner, devices)
    assert_equal(trainer.arrays(), start(learner, 1).arrays())
    for _ in range(3):
        trainer.advance(learner.total_steps)
    specs = jax.tree.leaves(jax.tree.map(lambda x: x.sharding.spec, trainer._state), is_leaf=lambda x: isinstance(x, P))
    found = collections.Counter()
    for leaf, spec in zip(jax.tree.leaves(trainer._state), specs, strict=True):
        found[spec] += 1
        shards = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(shards) == devices
        if spec == SHARDED:
            assert all(len(part) == CONFIG.num_envs // devices for part in shards)
        else:
            assert_equal(shards, [shards[0]] * devices)
    assert set(found) == {SHARDED, REPLICATED}


def test_learns_the_value_of_every_goal_on_eight_devices():
    trainer = start(LEO(ChainTask(), CONFIG), 8)
    while trainer.step < trainer.total_steps:
        trainer.advance(trainer.total_steps)
    cells = np.arange(3, dtype=np.float32)[:, None]
    np.testing.assert_allclose(trainer.policies()[0].q_values(cells), CHAIN, atol=0.03)


@pytest.mark.parametrize("devices", [2, 8])
def test_a_rollout_is_that_of_one_device(devices):
    """The same policy, which draws nothing: the same steps, and the same statistics merged as counted in one place."""
    env = training_env(ChainTask(horizon=7))
    actors = init_actors(env, jax.random.key(0), 16)

    def rollout(actors):
        act = lambda key, observation, goal: ((goal > observation[:, 0]).astype(jnp.int32), ())  # noqa: E731
        return collect(env, actors, jax.random.key(1), act, 40, forgetting=0.5, seen_only=True)

    specs = (ACTORS_SPECS, P(None, sharding.AXIS))  # transitions are [T, N]
    one = jax.jit(rollout)(actors)
    many = jax.jit(shard(rollout, make_mesh(devices), (ACTORS_SPECS,), specs))(actors)
    assert one[0].stats.successes.min() > 0
    assert one[0].stats.finished > 16
    assert_equal(many, one)


@pytest.mark.parametrize("devices", [2, 8])
def test_a_gradient_step_is_that_of_one_device(learner, devices):
    """On the same minibatch; sums in another order differ by some 1e-7."""
    train = learner.init_train(jax.random.key(0), jnp.zeros((1, 1)))
    keys = jax.random.split(jax.random.key(1), 3)
    cells = jax.random.randint(keys[0], (64, 1), 0, 3).astype(jnp.float32)
    data = cells, jax.random.randint(keys[1], (64,), 0, 2), jax.random.uniform(keys[2], (64, 3))

    def step(train, data):
        train, loss = minibatch_epochs(
            jax.random.key(2), train, learner.optimizer, learner.loss, data, epochs=1, minibatch_size=64
        )  # fmt: skip
        return train, sharding.mean(loss)

    one = jax.jit(step)(train, data)
    many = jax.jit(shard(step, make_mesh(devices), (REPLICATED, SHARDED), (REPLICATED, REPLICATED)))(train, data)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), one[0].params, train.params)
    assert min(jax.tree.leaves(moved)) > 1e-5
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), many, one)


def collectives(jaxpr, loops=()):
    """The collectives of a traced program, each with the lengths of the loops that it is in."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("psum", "pmax", "all_gather", "all_to_all", "ppermute", "reduce_scatter"):
            yield loops, equation.primitive.name
        inner_loops = (*loops, equation.params["length"]) if equation.primitive.name == "scan" else loops
        for inner in jaxprs_in_params(equation.params):
            yield from collectives(inner, inner_loops)


def test_collectives_are_of_minibatches_and_of_whole_updates_and_none_of_steps(learner):
    steps = CONFIG.epochs * (CONFIG.steps_per_update // CONFIG.minibatch_size)
    assert steps != CONFIG.rollout_steps  # so that the two loops are told apart by their lengths
    state = jax.eval_shape(learner.init, jax.random.key(0))
    update = jax.jit(shard(learner.update, make_mesh(8), (learner.specs,), (learner.specs, REPLICATED)))
    traced = update.trace(state)
    counts, metrics = 4, 3  # of goals; and loss, target, ends
    assert collections.Counter(collectives(traced.jaxpr.jaxpr)) == {
        ((steps,), "psum"): len(jax.tree.leaves(state.train.params)) + 2,  # gradients, and the moments of the inputs
        ((), "psum"): counts + metrics,
        ((), "pmax"): 1,  # goals seen
    }
    compiled = traced.lower().compile().as_text()
    assert set(re.findall(r" (all-\w+|collective-\w+|reduce-scatter)\S*\(", compiled)) == {"all-reduce"}


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_lowers_for_accelerators(learner, platform):
    state = jax.eval_shape(learner.init, jax.random.key(0))
    update = jax.jit(shard(learner.update, make_mesh(8), (learner.specs,), (learner.specs, REPLICATED)))
    assert "all_reduce" in update.trace(state).lower(lowering_platforms=(platform,)).as_text()


def test_goes_on_with_another_number_of_devices(learner):
    first = start(learner, 8)
    first.advance(learner.total_steps)
    (arrays,) = first.arrays()
    for devices in (1, 2):
        other = JaxTrainer(learner, [RUN], devices)
        other.restore([arrays], first.step)
        assert_equal(other.arrays(), [arrays])
        other.advance(learner.total_steps)
        assert other.arrays()[0]["update"] == arrays["update"] + 1


def test_devices_draw_different_numbers():
    keys = jax.jit(
        shard(lambda key: jax.random.key_data(sharding.own_key(key))[None], make_mesh(8), REPLICATED, SHARDED)
    )
    assert len(np.unique(keys(jax.random.key(0)), axis=0)) == 8


@pytest.mark.parametrize(
    ("change", "devices", "message"),
    [
        ({}, 9, r"devices must lie in 1\.\.8, the devices that JAX finds here, got 9"),
        ({}, 0, r"devices must lie in 1\.\.8"),
        ({"num_envs": 12, "minibatch_size": 16}, 8, "num_envs=12 cannot .* 8 devices; try 4 devices, or num_envs=16"),
        ({"num_envs": 16, "minibatch_size": 4}, 8, "minibatch_size=4 cannot .*; try 4 devices, or minibatch_size=8"),
    ],
)
def test_what_cannot_be_divided_is_named(change, devices, message):
    with pytest.raises(ValueError, match=message):
        LEO(ChainTask(), dataclasses.replace(CONFIG, **change)).check_machine(devices)
