"""Policies with a memory: it begins anew with every episode, in whichever environment that is run."""

import gymnasium
import numpy as np
import pytest

from gc_envs.evaluation import evaluate
from gc_envs.evaluation.acting import as_policy
from gc_envs.evaluation.evaluate import Evaluator
from gc_envs.gridworld.task import MOVES
from gc_envs.suite.task import CheckedPolicy, PolicyError

ID, LEFT, DOWN = "GC-Gridworld-v0", 0, 3


class DownThenLeft:
    """Goes down with its first two actions of an episode, and left with all others."""

    def __init__(self):
        self.age, self.begun = np.zeros(0, int), 0

    def reset(self, mask):
        assert mask.dtype == bool
        self.begun += mask.sum()
        self.age = np.where(mask, 0, self.age if len(self.age) == len(mask) else 0)

    def act(self, observation):
        self.age = self.age + 1
        return np.where(self.age <= 2, DOWN, LEFT)


class NeverReset(DownThenLeft):
    """The same, but told of the first episodes only."""

    def reset(self, mask):
        if not len(self.age):
            super().reset(mask)


def reached_by_hand(task, actions):
    """The names of the cells that a sequence of actions visits from the start."""
    here, names = np.array([2, 2]), set()
    for action in actions:
        there = np.clip(here + MOVES[action], 0, 4)
        here = here if task.walls[tuple(there)] else there
        names.add(f"position/{here[0]}-{here[1]}")
    return names


@pytest.mark.parametrize("num_envs", [1, 4, 7, 100])
def test_a_policy_that_counts_its_steps_reaches_what_its_actions_lead_to(grid_task, num_envs):
    def reached(policy):
        result = evaluate(policy, ID, env_kwargs={"size": 5}, max_steps=4, num_envs=num_envs)
        return {name for name, rate in result["per_goal"].items() if rate}

    expected, policy = reached_by_hand(grid_task, [DOWN, DOWN, LEFT, LEFT]), DownThenLeft()
    assert len(expected) == 3
    assert reached(policy) == expected
    assert policy.begun == grid_task.goals.num_goals
    assert reached(CheckedPolicy(DownThenLeft(), gymnasium.spaces.MultiDiscrete([4] * min(num_envs, 15)))) == expected
    if num_envs < 15:
        assert reached(NeverReset()) != expected, "this test can fail"


def test_an_error_in_reset_is_the_policys():
    class Forgetful:
        def reset(self, mask):
            raise KeyError("memory")

        def act(self, observation):
            return np.zeros(1, int)

    with pytest.raises(PolicyError, match=r"the policy raises KeyError: 'memory' \(test_acting.py, line \d+\)"):
        CheckedPolicy(Forgetful(), gymnasium.spaces.MultiDiscrete([4])).reset(np.ones(1, bool))


class Recorder:
    """A policy that keeps the actions of every episode, in the order in which they begin."""

    def __init__(self, policy):
        self.policy, self.episodes, self.current = as_policy(policy), [], []

    def reset(self, mask):
        self.policy.reset(mask)
        self.current = self.current or [None] * len(mask)
        for i in np.flatnonzero(mask):
            self.current[i] = []
            self.episodes.append(self.current[i])

    def act(self, observation):
        actions = self.policy.act(observation)
        for i, action in enumerate(actions):
            self.current[i].append(action)
        return actions


@pytest.fixture(scope="module")
def recurrent():
    """A RecurrentPPO model whose actions depend on what it remembers."""
    contrib = pytest.importorskip("sb3_contrib")
    from gc_envs.core.vector_env import GoalVectorEnv
    from gc_envs.registration import make_task
    from gc_envs.sb3.vec_env import SB3VecEnv

    envs = SB3VecEnv(GoalVectorEnv(make_task("GC-ContinuousSeek-v0", dim=2), 1))
    model = contrib.RecurrentPPO(
        "MultiInputLstmPolicy", envs, n_steps=32, batch_size=32, learning_rate=0.05, seed=0, device="cpu"
    )
    return model.learn(64)


@pytest.mark.parametrize("num_envs", [1, 3, 7])
def test_a_recurrent_model_acts_as_in_single_episodes(recurrent, num_envs):
    evaluator = Evaluator("GC-ContinuousSeek-v0", episodes=7, num_envs=num_envs, env_kwargs={"dim": 2}, max_steps=6)
    recorder = Recorder(recurrent)
    outcome = evaluator.run(recorder, seed=5)
    env = gymnasium.make("GC-ContinuousSeek-v0", dim=2, horizon=6)
    forgetful = 0.0  # the largest change of an action where the model forgets before every step
    for number, seed in enumerate(evaluator.episode_seeds(5)):
        observation, _ = env.reset(seed=seed)
        state, start, actions, rewards, over = None, True, [], [], False
        while not over:
            action, state = recurrent.predict(observation, state, np.array([start]), deterministic=True)
            alone, _ = recurrent.predict(observation, deterministic=True)
            forgetful = max(forgetful, np.abs(action - alone).max())
            observation, reward, terminated, truncated, _ = env.step(action)
            actions.append(action)
            rewards.append(reward)
            over, start = terminated or truncated, False
        np.testing.assert_allclose(recorder.episodes[number][: len(actions)], actions, atol=1e-4)
        assert outcome.returns[number] == sum(rewards)
    assert forgetful > 0.01


def test_a_model_that_returns_no_state_is_given_none():
    class Model:
        def predict(self, observation, deterministic):
            assert deterministic
            return np.zeros(len(observation["observation"]), int), None

    assert evaluate(Model(), ID, env_kwargs={"size": 5}, num_envs=3, max_steps=2)["episodes"] > 3
