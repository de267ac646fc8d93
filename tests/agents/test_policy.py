"""A trained agent, loaded: actions, values, and observations of another kind."""

import jax
import numpy as np
import pytest

from gc_envs.agents import load_agent
from gc_envs.agents.leo import LEO
from gc_envs.agents.policy import load_acting_state
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.training.checkpoint import RunError, list_checkpoints, load_arrays


@pytest.fixture(scope="module")
def policy(finished_run):
    return LEO.load(finished_run)


def test_acts_greedily_for_the_desired_goal(policy, grid_task):
    goals = grid_task.goals.num_goals
    observation, _ = GoalVectorEnv(grid_task, goals).reset(seed=0, options={"goals": np.arange(goals)})
    observation["observation"] = grid_task.cells.astype(np.float32)
    q_values = policy.q_values(observation)
    assert q_values.shape == (goals, goals, 4)
    assert ((q_values >= 0) & (q_values <= 1)).all()
    np.testing.assert_array_equal(policy.act(observation), q_values[np.arange(goals), np.arange(goals)].argmax(-1))
    np.testing.assert_array_equal(policy.values(observation), q_values.max(-1))
    np.testing.assert_array_equal(policy.values(observation["observation"]), q_values.max(-1))


def test_one_observation_gives_one_action(policy, grid_task):
    env = GoalEnv(grid_task)
    observation, _ = env.reset(seed=0)
    action = policy(observation)
    assert action.shape == ()
    env.step(action)
    assert policy.values(observation).shape == (grid_task.goals.num_goals,)


def test_an_observation_of_another_kind_is_refused_naming_both(policy):
    observation = {"observation": np.zeros((2, 7)), "desired_goal": np.zeros((2, 15))}
    with pytest.raises(ValueError, match=r"\(2,\).*\(2, 7\)"):
        policy.act(observation)
    with pytest.raises(ValueError, match=r"\(2,\).*block_map"):
        policy.act(observation | {"observation": {"block_map": np.zeros((2, 9, 9))}})


def test_loads_what_was_trained_and_nothing_else(finished_run, tmp_path, policy):
    assert load_agent(str(finished_run)).run.env_kwargs == {"size": 5}
    np.testing.assert_array_equal(LEO.load(finished_run).q_values(np.zeros(2)), policy.q_values(np.zeros(2)))
    with pytest.raises(RunError, match="not a run folder"):
        LEO.load(tmp_path)

    class PQN(LEO):
        name = "pqn"

    with pytest.raises(RunError, match="holds a leo agent, not pqn"):
        PQN.load(finished_run)


@pytest.mark.parametrize(
    ("old", "new"), [('"width"', '"breadth"'), ('"size"', '"sise"'), ('"leo"', '"lea"'), ('"format": 2', '"format": 9')]
)
def test_a_run_of_another_version_is_refused_in_one_line(run_copy, old, new):
    config = run_copy / "config.json"
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(ValueError, match=new.strip('"').removeprefix('format": ')) as caught:
        LEO.load(run_copy)
    assert "\n" not in str(caught.value)


def test_acting_needs_no_more_of_a_checkpoint_than_the_network(finished_run, policy):
    """So a trained agent outlives a change of what an environment's state holds."""
    arrays = load_arrays(list_checkpoints(finished_run / "checkpoints")[-1])
    network = {name: array for name, array in arrays.items() if name.startswith(("train/params", "train/batch_stats"))}
    jax.tree.map(np.testing.assert_array_equal, load_acting_state(policy.learner, network), policy.acting_state)
    del network["train/params/head/kernel"]
    with pytest.raises(RunError, match="'train/params/head/kernel' is in only one of the two"):
        load_acting_state(policy.learner, network)
