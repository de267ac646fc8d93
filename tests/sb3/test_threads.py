"""The number of torch's threads: measured once per run, kept when it is resumed."""

import copy

import numpy as np
import pytest
import torch

from gc_envs.registration import make_task
from gc_envs.sb3 import threads
from gc_envs.sb3.algorithms import ALGORITHMS
from gc_envs.sb3.threads import fastest, fastest_threads, thread_counts
from gc_envs.training.run_dir import RunDir


@pytest.fixture(autouse=True)
def _threads(monkeypatch):
    """The number of threads is of the whole process; `advance` goes on until its step, however long that takes here."""
    monkeypatch.setattr("gc_envs.sb3.trainer.ADVANCE_SECONDS", 1e9)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("limit", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_powers_of_two_and_all_processors_are_tried(limit, counts):
    assert thread_counts(limit) == counts


@pytest.mark.parametrize("best", [1, 2, 4])
def test_the_number_with_the_shortest_updates_is_chosen(monkeypatch, best):
    clock, used = [0.0], []
    monkeypatch.setattr(threads.time, "perf_counter", lambda: clock[0])

    def update():
        clock[0] += 0.01 if used[-1] == best else 0.02

    assert fastest([1, 2, 4], update, used.append) == best
    assert threads.SECONDS < clock[0] < 1.5 * threads.SECONDS


def test_a_rare_stall_counts(monkeypatch):
    """Two threads that are mostly faster but now and then wait long for a core lose."""
    clock, used, calls = [0.0], [], [0]
    monkeypatch.setattr(threads.time, "perf_counter", lambda: clock[0])

    def update():
        calls[0] += 1
        clock[0] += 0.003 if used[-1] == 1 else 0.2 if calls[0] % 20 == 0 else 0.002

    assert fastest([1, 2], update, used.append) == 1


def learner(name, **settings):
    ids = {"dqn": ("GC-BitFlip-v0", {"bits": 4}), "multi-reengage": ("GC-DriveSeek-v0", {"max_goals": 5})}
    env_id, kwargs = ids.get(name.split("-")[1] if "dqn" in name else name, ("GC-ContinuousSeek-v0", {"dim": 2}))
    algorithm = ALGORITHMS[name]
    sizes = {"total_steps": 100, "learning_starts": 40, "batch_size": 16, "width": 8, "depth": 1, **settings}
    return algorithm(make_task(env_id, **kwargs), algorithm.config_class(**sizes))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_updates_of_every_algorithm_can_be_measured(monkeypatch, name):
    monkeypatch.setattr(threads, "SECONDS", 0.01)
    monkeypatch.setattr(threads, "processors", lambda: 2)
    model, envs = learner(name).build()
    before = model._n_updates
    assert fastest_threads(model) in (1, 2)
    assert model._n_updates > before + 2
    envs.close()


def trainer_of(folder, **settings):
    folder.mkdir(exist_ok=True)
    trainer = learner("her-ddpg", **settings).trainer([RunDir(folder, "her-ddpg", "", {}, {})])
    return trainer


def test_a_run_measures_once_says_it_and_keeps_the_number_when_it_is_resumed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gc_envs.sb3.trainer.fastest_threads", lambda model: 2)
    first = trainer_of(tmp_path / "run")
    first.init()
    assert torch.get_num_threads() == 2
    assert "torch computes with 2 of" in capsys.readouterr().err
    first.advance(60)
    arrays = first.arrays()
    torch.set_num_threads(1)
    monkeypatch.setattr("gc_envs.sb3.trainer.fastest_threads", lambda model: 1)
    again = trainer_of(tmp_path / "run")
    again.restore(arrays, 60)
    assert torch.get_num_threads() == 2
    assert not capsys.readouterr().err


def test_a_given_number_is_used_and_nothing_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gc_envs.sb3.trainer.fastest_threads", lambda model: pytest.fail("measured"))
    trainer = trainer_of(tmp_path / "run", threads=1)
    trainer.init()
    assert torch.get_num_threads() == 1
    assert not capsys.readouterr().err
    with pytest.raises(ValueError, match="threads must be at least 0, got -1"):
        learner("her-ddpg", threads=-1)


def test_measuring_changes_no_results(tmp_path):
    """Only the number of threads: the weights start from the same seed, whatever the measurement trained."""

    def train(trainer):  # one after the other: they share the random generators
        trainer.init()
        while trainer.step < 80:  # a call may stop after a second
            trainer.advance(80)
        return copy.deepcopy(trainer.arrays()[0])

    one = train(trainer_of(tmp_path / "measured"))
    other = train(trainer_of(tmp_path / "given", threads=torch.get_num_threads()))
    assert sorted(one) == sorted(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)
