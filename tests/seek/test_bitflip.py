"""BitFlip: its steps, its goals and its ends."""

import jax
import numpy as np
import pytest

from gc_envs.core.gym_env import GoalEnv
from gc_envs.registration import make_task
from gc_envs.seek.bitflip import BitFlipTask, BitState


def test_an_action_flips_its_bit_and_no_other():
    task = BitFlipTask(4)
    state = BitState(np.array([False, True, True, False]))
    for action, expected in ((0, [1, 1, 1, 0]), (2, [1, 1, 0, 0]), (2, [1, 1, 1, 0]), (3, [1, 1, 1, 1])):
        state = task.step(jax.random.key(0), state, action)
        assert task.observe(state).tolist() == task.achieved(state).tolist() == expected


def test_the_matching_flip_earns_zero_and_ends_the_episode():
    env = GoalEnv(make_task("GC-BitFlip-v0", bits=5))
    observation, _ = env.reset(seed=0)
    wrong = np.flatnonzero(observation["observation"] != observation["desired_goal"]).tolist()
    assert wrong
    steps = [env.step(bit) for bit in wrong]
    assert [step[1] for step in steps] == [-1.0] * (len(wrong) - 1) + [0.0]
    assert [step[2] for step in steps] == [False] * (len(wrong) - 1) + [True]
    assert steps[-1][4]["is_success"]


def test_there_are_as_many_steps_as_bits():
    env = GoalEnv(make_task("GC-BitFlip-v0", bits=6))
    env.reset(seed=0)
    goal = 1 - env.reset()[0]["observation"]  # needs every bit
    env.reset(seed=0, options={"goal": goal})
    assert [env.step(0)[2:4] for _ in range(6)] == [(False, False)] * 5 + [(False, True)]
    assert BitFlipTask(33).horizon == 33


def test_start_and_goal_are_fair_and_differ():
    task = BitFlipTask(3)

    def sample(key):
        start_key, goal_key = jax.random.split(key)
        state = task.reset(start_key)
        return task.observe(state), task.sample_goal(goal_key, state, task.achieved(state))

    starts, goals = map(np.asarray, jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(0), 5600)))
    pairs = np.zeros((8, 8))
    np.add.at(pairs, ((starts @ [4, 2, 1]).astype(int), (goals @ [4, 2, 1]).astype(int)), 1)
    np.testing.assert_allclose(pairs.sum(axis=1), 700, atol=110)
    assert not pairs.diagonal().any()
    np.testing.assert_allclose(pairs[~np.eye(8, dtype=bool)], 100, atol=50)


@pytest.mark.parametrize(("bits", "count"), [(1, 2), (3, 8), (5, 32), (20, 64)])
def test_anchors_are_distinct_strings(bits, count):
    task = BitFlipTask(bits)
    assert task.goals.num_goals == count == len(np.unique(task.goals.anchors, axis=0))
    assert np.isin(task.goals.anchors, (0, 1)).all()
    ones = task.goals.anchors.mean(axis=0)
    np.testing.assert_allclose(ones, 0.5)
    name = "(" + ", ".join("1" if bit else "0" for bit in task.goals.anchors[-1]) + ")"
    assert task.goals.names[-1] == name


def test_what_is_not_bits_cannot_be_a_desired_goal():
    for goals in (BitFlipTask(3).goals, BitFlipTask(3).goals.restrict([0, 1])):
        np.testing.assert_array_equal(goals.encode([0, 1, 1]), [0, 1, 1])
        with pytest.raises(ValueError, match=r"3 bits, 0 or 1 each, got \[0\.0, 0\.5, 1\.0\]"):
            goals.encode([0, 0.5, 1])
        with pytest.raises(ValueError, match="outside the box"):
            goals.encode([0, 2, 1])


@pytest.mark.parametrize("kwargs", [{"bits": 0}, {"num_anchor_goals": 0}])
def test_sizes_that_make_no_task_are_refused(kwargs):
    (name,) = kwargs
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        BitFlipTask(**kwargs)
