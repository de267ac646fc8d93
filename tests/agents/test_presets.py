"""Named settings: which row is meant, and that every row fits its agent."""

import pytest

from gc_envs.agents import get_learner
from gc_envs.agents.presets import PRESETS, preset
from gc_envs.registration import REGISTRY, make_task


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: f"{row.agent}-{row.name}-{row}")
def test_every_row_is_a_configuration_of_its_agent(row):
    config = get_learner(row.agent).config_class(**row.settings)
    assert all(getattr(config, name) == value for name, value in row.settings.items())
    if row.scope in REGISTRY:
        get_learner(row.agent)(make_task(row.scope, **row.env_kwargs), config)
        assert preset(row.agent, row.name, row.scope, row.env_kwargs) == row.settings


def test_a_row_can_be_for_some_arguments_of_an_environment():
    five = preset("reengage-ddpg", "paper", "GC-ContinuousSeek-v0")  # dim=5 is the default
    assert five == {"total_steps": 12_000, "batch_size": 512, "learning_rate": 0.0015, "alpha": 0.1}
    assert preset("reengage-ddpg", "paper", "GC-ContinuousSeek-v0", {"dim": 20})["batch_size"] == 128
    assert preset("her-ddpg", "paper", "GC-ContinuousSeek-v0", {"dim": 10})["learning_rate"] == 0.0005
    with pytest.raises(ValueError, match=r"for GC-ContinuousSeek-v0 dim=7; it has one for .* dim=5, .* dim=10"):
        preset("reengage-ddpg", "paper", "GC-ContinuousSeek-v0", {"dim": 7})


def test_an_id_comes_before_its_family_and_the_default_may_be_empty():
    assert preset("leo", "paper", "GC-Craftax-v0")["num_envs"] == 1024
    assert preset("leo", "default", "GC-Gridworld-v0")["width"] == 128
    assert preset("leo", "default", "GC-Craftax-v0") == {}
    with pytest.raises(ValueError, match="no preset 'tiny' for GC-Gridworld-v0; presets of leo: best, default, paper"):
        preset("leo", "tiny", "GC-Gridworld-v0")
