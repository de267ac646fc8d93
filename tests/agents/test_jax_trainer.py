"""Chunks of updates of a learner that counts."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.agents import jax_trainer
from gc_envs.agents.jax_trainer import JaxTrainer
from gc_envs.agents.sharding import REPLICATED
from gc_envs.agents.types import Metrics
from gc_envs.training.checkpoint import RunError

STEPS = 10  # environment steps per update


class Counter:
    """A learner whose state is the number of its updates; it acts with that number."""

    task, config = SimpleNamespace(compiler_options=None), SimpleNamespace(seed=0)
    num_updates, steps_per_update, specs = 20, STEPS, REPLICATED

    def __init__(self):
        self.traced = 0

    def init(self, key):
        return {"updates": jnp.int32(0), "noise": jax.random.uniform(key, (2,))}

    def update(self, state):
        self.traced += 1
        updates = state["updates"] + 1
        metrics = Metrics(latest={"updates": updates}, mean={"loss": updates.astype(jnp.float32), "ends": updates})
        return state | {"updates": updates}, metrics

    def acting_state(self, state):
        return state["updates"]

    def goal_input(self, desired_goal):
        return desired_goal

    def act(self, acting_state, observation, goal):
        return jnp.full(observation.shape[:1], acting_state)

    def q_values(self, acting_state, observation):
        raise NotImplementedError


@pytest.fixture
def trainer(monkeypatch):
    monkeypatch.setattr(jax_trainer, "CHUNK_SECONDS", np.inf)  # chunks double, however long they take
    monkeypatch.setattr(jax_trainer, "round", lambda x: 10**9, raising=False)
    trainer = JaxTrainer(Counter(), None)
    trainer.init()
    return trainer


def test_chunks_double_and_stop_at_the_first_update_that_reaches_a_step(trainer):
    assert trainer.total_steps == 200
    found = []
    for until in (200, 200, 200, 95, 200, 200):
        trainer.advance(until)
        found.append(trainer.step // STEPS)
    assert found == [1, 3, 7, 10, 16, 20]
    assert trainer.learner.traced == 1


def test_a_row_has_the_latest_of_running_figures_and_the_mean_of_the_others(trainer):
    assert trainer.advance(200) == {"updates": 1, "loss": 1.0, "ends": 1.0}
    row = trainer.advance(200)
    assert row == {"updates": 3, "loss": 2.5, "ends": 2.5}
    assert isinstance(row["updates"], int)


def test_a_policy_keeps_the_state_it_was_made_of(trainer):
    trainer.advance(200)
    before = trainer.policy()
    trainer.advance(200)
    assert (int(before.acting_state), int(trainer.policy().acting_state)) == (1, 3)


def test_goes_on_from_its_arrays_and_from_no_others(trainer):
    trainer.advance(200)
    arrays = trainer.arrays()
    assert set(arrays) == {"updates", "noise"}
    other = JaxTrainer(Counter(), None)
    other.restore(arrays, trainer.step)
    assert other.step == STEPS
    assert other.advance(20) == trainer.advance(20)
    jax.tree.map(np.testing.assert_array_equal, other.arrays(), trainer.arrays())
    with pytest.raises(RunError, match=r"noise is float32\[3\], expected float32\[2\]"):
        other.restore(arrays | {"noise": np.zeros(3, np.float32)}, STEPS)
