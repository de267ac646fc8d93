"""Chunks of updates of a learner that counts."""

from pathlib import Path
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
from gc_envs.training.run_dir import RunDir

STEPS = 10  # environment steps per update


class Counter:
    """A learner whose state is the number of its updates; it acts with that number."""

    task, config = SimpleNamespace(compiler_options=None), None
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
    trainer = JaxTrainer(Counter(), runs_of(0))
    trainer.init()
    return trainer


def runs_of(*seeds):
    return [RunDir(Path(f"seed-{seed}"), "counter", "none", {}, {"seed": seed}) for seed in seeds]


def test_chunks_double_and_stop_at_the_first_update_that_reaches_a_step(trainer):
    assert trainer.total_steps == 200
    found = []
    for until in (200, 200, 200, 95, 200, 200):
        trainer.advance(until)
        found.append(trainer.step // STEPS)
    assert found == [1, 3, 7, 10, 16, 20]
    assert trainer.learner.traced == 1


def test_a_row_has_the_latest_of_running_figures_and_the_mean_of_the_others(trainer):
    assert trainer.advance(200) == [{"updates": 1, "loss": 1.0, "ends": 1.0}]
    (row,) = trainer.advance(200)
    assert row == {"updates": 3, "loss": 2.5, "ends": 2.5}
    assert isinstance(row["updates"], int)


def test_a_policy_keeps_the_state_it_was_made_of(trainer):
    trainer.advance(200)
    (before,) = trainer.policies()
    trainer.advance(200)
    (after,) = trainer.policies()
    assert (int(before.acting_state), int(after.acting_state)) == (1, 3)
    assert after.run is trainer.runs[0]


def test_goes_on_from_its_arrays_and_from_no_others(trainer):
    trainer.advance(200)
    (arrays,) = trainer.arrays()
    assert set(arrays) == {"updates", "noise"}
    other = JaxTrainer(Counter(), runs_of(0))
    other.restore([arrays], trainer.step)
    assert other.step == STEPS
    assert other.advance(20) == trainer.advance(20)
    jax.tree.map(np.testing.assert_array_equal, other.arrays(), trainer.arrays())
    with pytest.raises(RunError, match=r"noise is float32\[3\], expected float32\[2\]"):
        other.restore([arrays | {"noise": np.zeros(3, np.float32)}], STEPS)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_several_runs_are_one_program_and_each_is_what_it_is_alone(monkeypatch, backend):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    learner, saved = Counter(), []
    together, resumed = (JaxTrainer(learner, runs_of(3, 4)) for _ in range(2))
    together.init()
    rows = [together.advance(10)]
    assert learner.traced == 1
    resumed.restore(together.arrays(), together.step)
    for several in (together, resumed):
        saved.append((several.advance(20), several.arrays(), [int(p.acting_state) for p in several.policies()]))
    np.testing.assert_equal(saved[0], saved[1])
    rows.append(saved[0][0])
    for i, seed in enumerate((3, 4)):
        alone = JaxTrainer(Counter(), runs_of(seed))
        alone.init()
        assert [row[i] for row in rows] == [alone.advance(10)[0], alone.advance(20)[0]]
        np.testing.assert_equal(saved[0][1][i], alone.arrays()[0])
        assert saved[0][2][i] == 2
        assert together.policies()[i].run.config["seed"] == seed
