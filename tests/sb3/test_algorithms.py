"""The table of agents, and the trainer's contract with the host loop."""

import copy
import dataclasses
import inspect

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import KVWriter, Logger

from gc_envs.agents import LEARNERS, get_learner
from gc_envs.registration import make_task
from gc_envs.sb3.algorithms import ALGORITHMS, ROWS
from gc_envs.sb3.checkpoint import restore_torch_generators
from gc_envs.sb3.trainer import EpisodeSuccess
from gc_envs.training.checkpoint import RunError
from gc_envs.training.run_dir import RunDir

SETTINGS = {"total_steps": 100, "learning_starts": 40, "batch_size": 16, "width": 8, "depth": 1, "threads": 1}


@pytest.fixture(autouse=True)
def _unlimited(monkeypatch):
    """`advance` goes on until its step, however long that takes here."""
    monkeypatch.setattr("gc_envs.sb3.trainer.ADVANCE_SECONDS", 1e9)


def test_every_row_is_an_agent_and_no_other():
    assert [row.name for row in ROWS] == [name for name, row in LEARNERS.items() if row.path.startswith("gc_envs.sb3")]
    assert len(ALGORITHMS) == len(ROWS) == 10
    assert all(get_learner(name) is row for name, row in ALGORITHMS.items())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_setting_is_documented(row):
    source = "".join(inspect.getsource(kind) for kind in row.config_class.__mro__ if dataclasses.is_dataclass(kind))
    for field in dataclasses.fields(row.config_class):
        after = source.split(f"\n    {field.name}: ", 1)[1].split("\n", 2)[1]
        assert after.startswith('    """'), f"{row.config_class.__name__}.{field.name}"


def trainer_of(folder, name="reengage-ddpg", **settings):
    algorithm = ALGORITHMS[name]
    config = algorithm.config_class(**{**SETTINGS, **settings})
    task = make_task("GC-BitFlip-v0", bits=4) if "dqn" in name else make_task("GC-ContinuousSeek-v0", dim=2)
    folder.mkdir(exist_ok=True)
    return algorithm(task, config).trainer([RunDir(folder, name, "", {}, {})])


class LatestValues(KVWriter):
    """The values that were logged last, by name."""

    def __init__(self):
        self.values = {}

    def write(self, key_values, key_excluded, step=0):
        self.values.update(key_values)

    def close(self):
        pass


@pytest.mark.parametrize("name", ["reengage-ddpg", "her-dqn"])
def test_the_trainer_does_what_learn_does(tmp_path, name):
    """Bitwise the same model, exploration included, and the metrics that SB3 logs itself.

    SB3's running success is that of last steps; the two are the same where success ends an episode, as for BitFlip.
    """
    trainer = trainer_of(tmp_path / "run", name)
    trainer.init()
    row = None
    while trainer.step < trainer.total_steps:
        (row,) = trainer.advance(min(trainer.step + 7, trainer.total_steps))
    model, _ = trainer.build(None)
    latest = LatestValues()
    model.set_logger(Logger(None, [latest]))
    model.learn(trainer.total_steps, log_interval=1)
    for mine, theirs in zip(trainer.model.policy.parameters(), model.policy.parameters(), strict=True):
        assert (mine == theirs).all()
    assert getattr(trainer.model, "exploration_rate", None) == getattr(model, "exploration_rate", None)
    logged = latest.values | model.logger.name_to_value
    if name == "her-dqn":
        assert row["running_success"] == logged["rollout/success_rate"]
    else:
        assert row["running_success"] >= logged["rollout/success_rate"]
    assert row["episode_return"] == pytest.approx(logged["rollout/ep_rew_mean"])
    assert row["critic_loss"] == logged["train/loss" if name == "her-dqn" else "train/critic_loss"]
    assert np.isnan(row["gradient_loss"]) == (name == "her-dqn")


def test_running_success_counts_episodes_that_reached_their_goal_at_some_step(tmp_path):
    trainer = trainer_of(tmp_path / "run", num_envs=3)
    trainer.init()
    counted, near, far = EpisodeSuccess(trainer.envs), [0.0, 0.0], [9.0, 9.0]
    script = [  # where each environment is, which episodes end, and is_success of those at their last step
        ([near, far, far], [False] * 3, [None] * 3),
        ([far, far, near], [False] * 3, [None] * 3),
        ([far, far, near], [True, True, True], [False, False, True]),
        ([far, near, far], [True, False, False], [False, None, None]),
    ]
    reached = []
    for achieved, dones, success in script:
        infos = [{} if one is None else {"is_success": one} for one in success]
        observation = {"achieved_goal": np.array(achieved, np.float32), "desired_goal": np.zeros((3, 2), np.float32)}
        counted.locals = {"new_obs": observation, "dones": np.array(dones), "infos": infos}
        assert counted._on_step()
        reached.append([info.get("is_success") for info in infos])
    assert reached == [[None] * 3, [None] * 3, [True, False, True], [False, None, None]]
    assert counted.reached.tolist() == [False, True, False]


def test_what_unfinished_episodes_reached_is_in_the_checkpoint(tmp_path):
    trainer = trainer_of(tmp_path / "run", num_envs=3)
    trainer.init()
    trainer.advance(6)
    trainer._success.reached[1] = True
    again = trainer_of(tmp_path / "run", num_envs=3)
    again.restore(trainer.arrays(), trainer.step)
    assert again._success.reached.tolist() == [False, True, False]
    (mine,), (theirs,) = again.advance(33), trainer.advance(33)
    assert mine["running_success"] == theirs["running_success"] == pytest.approx(1 / 3)


def test_advance_stops_at_the_first_rollout_that_ends_at_until_or_later(tmp_path):
    trainer = trainer_of(tmp_path / "run", num_envs=3, train_every=2)
    trainer.init()
    assert (trainer.step, trainer.total_steps) == (0, 102)
    (row,) = trainer.advance(10)
    assert trainer.step == 12
    assert list(row) == ["running_success", "episode_return", "critic_loss", "actor_loss", "gradient_loss"]
    assert np.isnan(row["critic_loss"]), "no update yet"
    trainer.advance(12 + 6)
    assert trainer.step == 18


def test_advance_stops_after_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr("gc_envs.sb3.trainer.ADVANCE_SECONDS", 0.0)
    trainer = trainer_of(tmp_path / "run", num_envs=3, train_every=2)
    trainer.init()
    trainer.advance(102)
    assert trainer.step == 6


def test_each_start_writes_its_episodes_to_a_file_of_its_own(tmp_path):
    trainer = trainer_of(tmp_path / "run")
    trainer.init()
    trainer.advance(50)
    again = trainer_of(tmp_path / "run")
    again.restore(trainer.arrays(), 50)
    assert again.step == 50
    again.advance(100)
    files = sorted((tmp_path / "run" / "monitor").iterdir())
    assert [path.name for path in files] == ["000000000.monitor.csv", "000000050.monitor.csv"]
    assert all(path.read_text().count("\n") > 2 for path in files)


def advance(trainer, until):
    """Advance to step `until`; a call may stop after a second."""
    while trainer.step < until:
        trainer.advance(until)


def test_a_run_whose_goals_are_replaced_goes_on_exactly_from_its_arrays(tmp_path):
    """The bridge knows again which goals the unfinished episodes have."""

    def trainer(name):
        task = make_task("GC-BitFlip-v0", bits=4)
        task.on_success = "resample"
        (tmp_path / name).mkdir()
        config = ALGORITHMS["her-dqn"].config_class(**SETTINGS, num_envs=3)
        return ALGORITHMS["her-dqn"](task, config).trainer([RunDir(tmp_path / name, "her-dqn", "", {}, {})])

    first, again = trainer("first"), trainer("again")
    first.init()
    first.advance(50)
    saved, step = copy.deepcopy(first.arrays()), first.step
    advance(first, 99)
    again.restore(saved, step)  # the random generators, too, which both share
    advance(again, 99)
    np.testing.assert_equal(again.arrays(), first.arrays())
    stored = first.model.replay_buffer
    assert (stored.dones[: stored.pos] * (stored.rewards[: stored.pos] == 0)).sum() > 3, "goals were reached"
    assert (stored.next_observations["desired_goal"] == stored.observations["desired_goal"]).all()


def test_cuda_generators_are_part_of_a_checkpoint(tmp_path, monkeypatch):
    """With the state of a stand-in, as there is no GPU."""
    states = {"now": torch.arange(16, dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states["now"].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update(now=state))
    trainer = trainer_of(tmp_path / "run")
    trainer.init()
    assert "cuda" not in trainer.arrays()[0], "on a CPU"
    trainer.model.device = torch.device("cuda")
    (arrays,) = trainer.arrays()
    np.testing.assert_array_equal(arrays["cuda"], np.arange(16))
    states["now"] = torch.zeros(16, dtype=torch.uint8)
    restore_torch_generators(torch.device("cpu"), arrays)
    assert states["now"].tolist() == [0] * 16
    restore_torch_generators(torch.device("cuda"), arrays)
    assert states["now"].tolist() == list(range(16))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"width": 16}, "does not fit this configuration"), ({"num_envs": 2}, "does not fit"), ({"her_goals": 0}, "fit")],
)
def test_arrays_of_other_settings_are_refused(tmp_path, settings, message):
    trainer = trainer_of(tmp_path / "run")
    trainer.init()
    (arrays,) = trainer.arrays()
    with pytest.raises(RunError, match=message):
        trainer_of(tmp_path / "other", **settings).restore([arrays], 0)
    with pytest.raises(RunError, match="it has no 'numbers'"):
        trainer_of(tmp_path / "other").restore([{key: array for key, array in arrays.items() if key != "numbers"}], 0)
