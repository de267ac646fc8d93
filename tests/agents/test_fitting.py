"""Which learners are for which tasks: the table says what the learners themselves accept."""

import pytest

from gc_envs.agents import LEARNERS, get_learner
from gc_envs.agents.fitting import fitting_learners
from gc_envs.registration import make_task

IDS = ("GC-Gridworld-v0", "GC-ContinuousSeek-v0", "GC-BitFlip-v0", "GC-DriveSeek-v0")


@pytest.mark.parametrize("env_id", IDS)
def test_a_learner_is_built_where_the_table_has_it_and_names_the_others_elsewhere(env_id):
    pytest.importorskip("sb3_contrib")
    task = make_task(env_id)
    fitting = fitting_learners(task)
    assert fitting
    for name in LEARNERS:
        learner = get_learner(name)
        if name in fitting:
            learner(task, learner.config_class())
        else:
            with pytest.raises(ValueError, match=f"; use {fitting[0]}|: use {fitting[0]}|multi-reengage"):
                learner(task, learner.config_class())
