"""MuJoCo C against MJX: the same state and action lead to the same state, and the same policies succeed."""

import jax
import numpy as np
import pytest
from manipulation import policies
from manipulation.conftest import NUM_ENVS, compiled

from gc_envs.manipulation.c_backend import MujocoBatch
from gc_envs.manipulation.panda import PandaTask
from gc_envs.manipulation.sim_state import SimState

GRASP, PUSH, FREE = slice(0, 3), slice(3, 6), slice(6, 8)  # the environments that do each
CUBES = np.array([[0.1, 0.3], [0.5, 0.2], [0.8, 0.6], [0.9, 0.5], [0.95, 0.48], [0.9, 0.53], [0.2, 0.2], [0.7, 0.9]])


class Panda:
    """Environments of pick-and-place in C that can be put into any state."""

    def __init__(self):
        self.task = PandaTask("pick_and_place", backend="c", threads=1)
        self.batch, self.indices = MujocoBatch(self.task.model, NUM_ENVS, 1), np.arange(NUM_ENVS)
        self.load(self.task.initial_state(CUBES))

    def load(self, state):
        """Go to `state`, rounded to float32 as MJX has it."""
        self.batch.reset(self.indices, SimState(*(np.asarray(x, np.float32) for x in state)))
        self.batch.step(self.indices, 0)

    def read(self):
        """A copy of the state, float32."""
        return SimState(*(np.array(x, np.float32) for x in self.batch.state))

    def step(self, action):
        state = self.batch.read(self.indices)
        self.batch.write(self.indices, self.task.clip_and_set_controls(state, action), state)
        self.batch.step(self.indices, self.task.substeps)


def scripted(task, state, goals, k):
    """Actions [8, 4]: some grasp and lift, some push slowly with closed fingers, some wave the arm about."""
    seen = task.observe(state)
    actions = policies.pick_and_place({"observation": seen, "desired_goal": goals})
    low = seen[PUSH, 2:3] < 0.03
    actions[PUSH] = np.where(low, [0.2, 0, 0, -1], [0, 0, -0.7, -1])
    phase = 0.4 * k + np.arange(2)
    actions[FREE] = np.stack([np.sin(phase), np.cos(phase), np.full(2, 0.1), np.sin(3 * phase)], axis=1)
    return np.clip(actions, -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def transitions(mjx_pick_and_place):
    """40 steps along a trajectory of C, each of them taken in MJX too: where they lead, [40, 8, ...] per leaf."""
    panda = Panda()
    goals = np.float32(NUM_ENVS * [[0.6, 0.05, 0.2]])
    in_c, in_mjx = [], []
    for k in range(40):
        state = panda.read()
        action = scripted(panda.task, state, goals, k)
        panda.load(state)
        panda.step(action)
        in_c.append(panda.read())
        in_mjx.append(jax.tree.map(np.asarray, mjx_pick_and_place.step(state, action)))
    return [SimState(*(np.stack(leaves) for leaves in zip(*trail))) for trail in (in_c, in_mjx)]


# Largest difference after one step of 20 substeps from the same float32 state: (grasp, push, free motion). MJX leaves
# the centripetal part of a weld's acceleration out, which moves a fast arm by millimetres, in float64 too. A cube that
# is pushed rocks on its edges, where one substep more or less of contact turns it by degrees.
TOLERANCES = {
    "tip_pos": (2e-3, 5e-4, 4e-3),  # m
    "tip_vel": (0.04, 0.01, 0.1),  # m/s
    "item_pos": (2e-3, 5e-3, 1e-6),
    "item_quat": (3e-3, 0.1, 1e-6),
    "item_vel": (0.04, 0.2, 1e-5),
    "item_spin": (0.1, 10.0, 1e-4),  # rad/s
}
USUAL = {"tip_pos": 2e-4, "tip_vel": 2e-3, "item_pos": 5e-5, "item_quat": 5e-4, "item_vel": 2e-3, "item_spin": 0.02}


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_step_in_mjx_is_a_step_in_c(transitions, name):
    in_c, in_mjx = transitions
    where = PandaTask("pick_and_place", backend="c")._sensors[name]
    error = np.abs(in_c.sensordata - in_mjx.sensordata)[..., where].max(axis=-1)  # [40, 8]
    for group, tolerance in zip((GRASP, PUSH, FREE), TOLERANCES[name]):
        assert error[:, group].max() < tolerance
    for group in (GRASP, PUSH):
        assert np.median(error[:, group]) < USUAL[name]


def test_controls_are_the_same_to_the_last_digits(transitions):
    for name in ("mocap_pos", "mocap_quat", "ctrl"):
        np.testing.assert_allclose(*(getattr(states, name) for states in transitions), atol=1e-6)


def test_that_trajectory_grasps_pushes_and_moves_freely(transitions):
    task = PandaTask("pick_and_place", backend="c")
    for states in transitions:
        item, tip = task.raw_achieved_goal(states), task.raw_observation(states)[..., :3]
        assert (item[-1, GRASP, 2] > 0.18).all()
        assert (item[-1, PUSH, 0] - item[0, PUSH, 0] > 0.05).all()
        assert np.ptp(item[:, FREE], axis=0).max() < 1e-6
        assert (np.ptp(tip[:, FREE, :2], axis=0) > 0.05).all()


def distances(program, policy, seed=0):
    """How far from their goals six episodes of the compiled `program` are after each step: [horizon, 6], m."""
    task, (state_key, goal_key) = program.task, jax.random.split(jax.random.key(seed))
    state = program.reset(jax.random.split(state_key, NUM_ENVS))
    uniform, trail = np.asarray(jax.random.uniform(goal_key, (NUM_ENVS, task.goals.num_uniforms))), []
    goals = task.goals.sample(uniform, np.asarray(task.achieved(state)))
    for _ in range(task.horizon):
        observation = {"observation": np.asarray(task.observe(state)), "desired_goal": goals}
        state = program.step(state, policy(observation))
        trail.append(task.goals.distance(np.asarray(task.achieved(state)), goals)[:6])
    assert not np.asarray(task.diverged(state)).any()
    return np.array(trail)


def test_the_scripted_pick_and_place_succeeds_in_mjx(mjx_pick_and_place):
    assert (distances(mjx_pick_and_place, policies.pick_and_place)[-1] < 0.05).all()


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["reach", "push"])
def test_scripted_policies_succeed_in_mjx(variant):
    trail = distances(compiled(PandaTask(variant, backend="mjx")), getattr(policies, variant))
    assert (trail.min(axis=0) < 0.05).all()  # the one that pushes may push on, beyond its goal
