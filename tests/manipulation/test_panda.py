"""The Panda tasks on MuJoCo C: what they observe, where they start, what can be done in them."""

import mujoco
import numpy as np
import pytest
from manipulation import policies
from scipy.spatial.transform import Rotation

from gc_envs.manipulation.panda import PandaTask
from gc_envs.manipulation.panda_model import HOME, build_model
from gc_envs.manipulation.panda_variants import VARIANTS
from gc_envs.manipulation.sim_state import SimState

ITEMS = ["push", "slide", "pick_and_place"]
STEP = 0.04  # s


class Sim:
    """One simulation of a task, by plain MuJoCo."""

    def __init__(self, variant, seed=0, goal=None):
        self.task, self.rng = PandaTask(variant, backend="c"), np.random.default_rng(seed)
        self.data = mujoco.MjData(self.task.model)
        self._load(self.task.initial_state(self.rng.random(self.task.num_start_uniforms)))
        mujoco.mj_forward(self.task.model, self.data)
        goals = self.task.goals
        sampled = goals.sample(self.rng.random(goals.num_uniforms), self.task.achieved(self.state))
        self.goal = sampled if goal is None else goal

    def _load(self, state):
        for name in SimState._fields[:-1]:
            getattr(self.data, name)[:] = getattr(state, name)

    @property
    def state(self):
        return SimState(*(np.array(getattr(self.data, name)) for name in SimState._fields))

    @property
    def seen(self):
        return self.task.observe(self.state)

    @property
    def distance(self):
        return float(np.linalg.norm(self.task.achieved(self.state) - self.goal))

    def step(self, action, substeps=20):
        self._load(self.task.clip_and_set_controls(self.state, np.asarray(action, np.float32)))
        mujoco.mj_step(self.task.model, self.data, nstep=substeps)
        warm = self.data.qacc_warmstart.copy()
        mujoco.mj_forward(self.task.model, self.data)
        self.data.qacc_warmstart[:] = warm
        return self.seen

    def run(self, policy, steps=50):
        """The distance to the goal after each step."""
        found = []
        for _ in range(steps):
            self.step(policy({"observation": self.seen, "desired_goal": self.goal}))
            found.append(self.distance)
        return found


def idle(sim):
    return np.zeros(sim.task.action_space.shape, np.float32)


@pytest.mark.parametrize(("variant", "size", "actions"), [
    ("reach", 6, 3), ("push", 18, 3), ("slide", 18, 3), ("pick_and_place", 19, 4),
])  # fmt: skip
def test_shapes_and_types_for_any_batch(variant, size, actions, to_library):
    task = PandaTask(variant, backend="c")
    assert task.observation_space.shape == (size,)
    assert task.action_space.shape == (actions,)
    assert np.isfinite([task.observation_space.low, task.observation_space.high]).all()
    for batch in ((), (3,), (2, 3)):
        uniform = to_library(np.full((*batch, task.num_start_uniforms), 0.5, np.float32))
        state = task.initial_state(uniform)
        state = task.clip_and_set_controls(state, to_library(np.full((*batch, actions), 0.5, np.float32)))
        assert {leaf.dtype for leaf in state} == {uniform.dtype}
        for leaf, name in zip(state, SimState._fields):
            assert tuple(leaf.shape) == (*batch, *getattr(mujoco.MjData(task.model), name).shape), name
        assert task.observe(state).shape == (*batch, size)
        assert task.achieved(state).shape == (*batch, 3)
        assert tuple(task.diverged(state).shape) == batch


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_start_is_at_rest(variant):
    sim = Sim(variant)
    before = sim.seen
    np.testing.assert_allclose(before[:3], HOME, atol=1e-4)
    for _ in range(10):
        sim.step(idle(sim))
    np.testing.assert_allclose(sim.seen, before, atol=1e-4)


@pytest.mark.parametrize("variant", ITEMS)
def test_observed_velocities_are_the_rates_of_the_observed_positions(variant):
    sim = Sim(variant, seed=3)
    item = 7 if variant == "pick_and_place" else 6
    sim.data.qvel[-6:] = [0.3, -0.2, 2.0, 3.0, -5.0, 2.0]  # thrown up, turning
    mujoco.mj_forward(sim.task.model, sim.data)
    action = np.ones(sim.task.action_space.shape)
    for _ in range(5):
        before = sim.seen.astype(float)
        turn = Rotation.from_euler("XYZ", before[item + 3 : item + 6])
        after = sim.step(action, substeps=1).astype(float)
        turned = Rotation.from_euler("XYZ", after[item + 3 : item + 6])
        # MuJoCo moves positions by the velocities at the substep's end.
        np.testing.assert_allclose((after[:3] - before[:3]) / 0.002, after[3:6], atol=2e-2)
        np.testing.assert_allclose((after - before)[item : item + 3] / 0.002, after[item + 6 : item + 9], atol=1e-3)
        np.testing.assert_allclose((turned * turn.inv()).as_rotvec() / 0.002, after[item + 9 :], atol=2e-2)


def test_observed_width_is_the_distance_between_the_pads():
    sim = Sim("pick_and_place")
    for action, width in ((1, 0.08), (-1, 0.0)):
        for _ in range(25):
            seen = sim.step([0, 0, 0, action])
        left, right = (sim.data.geom(f"{side}_pad").xpos[1] for side in ("left", "right"))
        assert seen[6] == pytest.approx(abs(left - right) - 0.008, abs=1e-6)  # a pad is 8 mm thick
        assert seen[6] == pytest.approx(width, abs=0.002)


def test_a_full_action_of_the_gripper_is_the_sources():
    """It sends the fingers past the end of their range: 8 cm apart in the 500 ms that an action takes in the source."""
    sim = Sim("pick_and_place")
    opened = sim.step([0, 0, 0, 1], substeps=250)
    np.testing.assert_array_equal(sim.data.ctrl, [0.04, 0.04], err_msg="targets in m")
    assert opened[6] == pytest.approx(0.08, abs=0.003)
    sim.step([0, 0, 0, -1])
    np.testing.assert_array_equal(sim.data.ctrl, [-0.01, -0.01])
    sim = Sim("pick_and_place")
    widths = [float(sim.step([0, 0, 0, 1])[6]) for _ in range(6)]
    assert widths[0] == pytest.approx(0.026, abs=0.001), "the motors take a tenth of a second for most of the way"
    assert widths[1] > 0.04, "the cube's width after two actions of 40 ms"
    assert widths[5] == pytest.approx(0.073, abs=0.002)


@pytest.mark.parametrize("variant", ITEMS)
def test_items_start_all_over_their_box_and_on_the_table(variant):
    task = PandaTask(variant, backend="c")
    uniform = np.random.default_rng(0).random((2000, 2))
    items = task.initial_state(uniform).qpos[:, -7:]
    np.testing.assert_allclose(items[:, :2], [0.45, -0.15] + 0.3 * uniform, atol=1e-12)
    np.testing.assert_allclose(items[:, 2:], [[0.02, 1, 0, 0, 0]] * 2000, atol=1e-4)


@pytest.mark.parametrize(("variant", "low", "high"), [
    ("reach", (0.49, -0.15, 0.05), (0.79, 0.15, 0.35)),
    ("push", (0.45, -0.15, 0.02), (0.75, 0.15, 0.02)),
    ("slide", (0.85, -0.15, 0.02), (1.15, 0.15, 0.02)),
    ("pick_and_place", (0.45, -0.15, 0.02), (0.75, 0.15, 0.22)),
])  # fmt: skip
def test_goals_fill_their_box_and_never_hold_at_the_start(variant, low, high):
    task, rng = PandaTask(variant, backend="c"), np.random.default_rng(0)
    achieved = np.float32([0.6, 0, 0.02])
    goals = task.goals.sample(rng.random((4000, task.goals.num_uniforms)), np.broadcast_to(achieved, (4000, 3)))
    np.testing.assert_allclose(goals.min(0), low, atol=0.01)
    np.testing.assert_allclose(goals.max(0), high, atol=0.01)
    assert all(task.goals.desired_space.contains(goal) for goal in (*goals[:100], *task.goals.anchors))
    assert (np.linalg.norm(goals - achieved, axis=1) > 0.05).all()
    assert task.goals.num_goals == 64
    if variant == "pick_and_place":
        apart = task.goals.sample(rng.random((4000, task.goals.num_uniforms)), np.full((4000, 3), 3, np.float32))
        assert (apart[:, 2] == np.float32(0.02)).mean() == pytest.approx(0.3, abs=0.03)
        assert 12 <= (task.goals.anchors[:, 2] == np.float32(0.02)).sum() <= 26


def test_success_and_rewards():
    sparse, dense = (PandaTask("push", dense=dense, backend="c").goals for dense in (False, True))
    achieved = np.float32([[0.6, 0, 0.02], [0.6, 0.049, 0.02], [0.63, 0.03, 0.05]])
    np.testing.assert_array_equal(sparse.reward(achieved, achieved[:1]), [0, 0, -1])
    np.testing.assert_allclose(dense.reward(achieved, achieved[:1]), [0, -0.049, -0.03 * 3**0.5], atol=1e-6)


@pytest.mark.parametrize("variant", ["reach", "push", "pick_and_place"])
def test_scripted_policies_reach_their_goals(variant):
    ends = [Sim(variant, seed).run(getattr(policies, variant)) for seed in range(20)]
    assert [seed for seed, distances in enumerate(ends) if distances[-1] > 0.05] == []


def test_a_puck_is_thrown_to_its_goals():
    """Beyond the arm's reach, and seldom to the point: what counts is that goals of the whole box can be met."""
    ways = [Sim("slide", seed).run(policies.slide) for seed in range(20)]
    assert sum(min(distances) < 0.05 for distances in ways) >= 17
    assert sum(distances[-1] < 0.05 for distances in ways) >= 10


def test_a_sliding_puck_keeps_its_direction_and_brakes_by_friction():
    sim = Sim("slide", seed=0)
    sim.data.qvel[-6:-4] = velocity = np.array([0.8, 0.3])
    mujoco.mj_forward(sim.task.model, sim.data)
    start = sim.seen[6:8]
    for _ in range(45):
        sim.step(idle(sim))
    way = sim.seen[6:8] - start
    assert np.arctan2(way[1], way[0]) == pytest.approx(np.arctan2(0.3, 0.8), abs=0.01)
    assert np.linalg.norm(way) == pytest.approx((velocity**2).sum() / (2 * 0.1 * 9.81), rel=0.03)
    assert np.abs(sim.seen[12:]).max() < 1e-3


def test_a_grasp_holds():
    sim = Sim("pick_and_place", seed=1, goal=np.float32([0.6, 0.0, 0.2]))
    assert sim.run(policies.pick_and_place)[-1] < 0.01
    held = sim.seen[7:10] - sim.seen[:3]
    for _ in range(100):
        sim.step([0, 0, 0, -1])
    assert np.abs(sim.seen[7:10] - sim.seen[:3] - held).max() < 0.003  # 4 s
    for _ in range(25):
        sim.step([0, 0, 0, 1])
    assert sim.seen[9] == pytest.approx(0.02, abs=1e-3)  # let go, it lies on the table


@pytest.mark.parametrize("variant", VARIANTS)
def test_actions_are_clipped_and_the_fingers_stop_at_the_table(variant):
    one, other = Sim(variant), Sim(variant)
    low = -np.ones(one.task.action_space.shape)
    np.testing.assert_array_equal(one.step(7 * low), other.step(low))
    for _ in range(20):
        seen = one.step(7 * low)
        one.data.qpos[0] = 0  # stay in front of the base
        assert seen[2] > 0.0


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_actions_lead_to_the_same_states(variant):
    ends = []
    for _ in range(2):
        sim = Sim(variant, seed=5)
        for _ in range(20):
            sim.step(sim.rng.uniform(-1, 1, sim.task.action_space.shape))
        ends.append(np.concatenate([leaf.ravel() for leaf in sim.state]))
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("variant", VARIANTS)
def test_random_play_stays_within_the_bounds_and_never_diverges(variant):
    for seed in range(10):
        sim = Sim(variant, seed)
        for step in range(50):
            if step % 10 == 0:  # far in one direction, then in another
                action = sim.rng.uniform(-1, 1, sim.task.action_space.shape)
            sim.step(action)
            observation, space = sim.task.raw_observation(sim.state), sim.task.observation_space
            assert ((observation > space.low - 1e-6) & (observation < space.high + 1e-6)).all()
            assert not sim.task.diverged(sim.state)


@pytest.mark.parametrize("where", [[9, 0, 0.02], [0.6, 0, -0.2], [np.nan, 0, 0]])
def test_what_has_left_the_workspace_has_diverged(where):
    sim = Sim("push")
    sim.data.qpos[-7:-4] = where
    mujoco.mj_kinematics(sim.task.model, sim.data)
    mujoco.mj_sensorPos(sim.task.model, sim.data)
    assert sim.task.diverged(sim.state)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_model_for_frames_has_the_same_mechanics(variant):
    plain, visual_model = build_model(VARIANTS[variant]), build_model(VARIANTS[variant], visual=True)
    for name in ("nq", "nv", "nu", "nmocap", "nsensordata", "npair"):
        assert getattr(plain, name) == getattr(visual_model, name), name
    np.testing.assert_array_equal(plain.body_mass, visual_model.body_mass)
    np.testing.assert_array_equal(plain.body_inertia, visual_model.body_inertia)
    assert plain.nmesh == 0
    assert not visual_model.geom_contype.any()


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="unknown variant 'pick'; did you mean 'pick_and_place'"):
        PandaTask("pick")
    with pytest.raises(ValueError, match="num_anchor_goals must be at least 1, got 0"):
        PandaTask("push", num_anchor_goals=0, backend="c")
