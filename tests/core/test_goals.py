"""Goal spaces: rewards, sampling and commanding, in NumPy, JAX and torch."""

import itertools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from gc_envs.core.goals import BoxGoals, FiniteGoals, PointSetGoals, low_discrepancy

BATCHES = [(), (3,), (2, 3)]


def l1(achieved, desired):  # works in all three libraries, whatever their max returns
    return abs(achieved - desired).sum(-1)


def box(**kwargs):
    kwargs = {"threshold": 0.1, "distance": l1, "num_anchor_goals": 5} | kwargs
    return BoxGoals(np.full(2, -1.0), np.full(2, 1.0), **kwargs)


def draws(space, random, batch):
    """Random achieved and desired goals of `space`, about half of which match; float32 [*batch, d], [*batch, D]."""
    shape = (*batch, *space.achieved_space.shape)
    if isinstance(space, FiniteGoals):
        achieved = (random.random(shape) < 0.5).astype(np.float32)
        return achieved, space.one_hot(random.integers(0, space.num_goals, batch))
    if isinstance(space, BoxGoals):
        achieved = random.uniform(-1, 1, shape).astype(np.float32)
        return achieved, (achieved + random.choice([0.01, 0.5], (*batch, 1))).astype(np.float32)
    points = random.integers(-1, 2, (*batch, space.n_max, 2))
    present = random.random((*batch, space.n_max, 1)) < 0.5
    desired = np.concatenate([present, points], -1).astype(np.float32).reshape(*batch, -1)
    return random.integers(-1, 2, shape).astype(np.float32), desired


SPACES = {
    "finite": FiniteGoals([f"g{i}" for i in range(4)]),
    "box": box(),
    "box_dense": box(dense=True),
    "points": PointSetGoals(6, -3.0, 3.0),
}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", SPACES)
def test_every_library_and_batch_shape_judges_as_one_goal_at_a_time_does(name, batch, to_library):
    space = SPACES[name]
    achieved, desired = draws(space, np.random.default_rng(0), (200, *batch))
    rewards = space.reward(to_library(achieved), to_library(desired))
    success = space.success(to_library(achieved), to_library(desired))
    all_achieved = space.all_achieved(to_library(achieved), to_library(desired))
    all_rewards = space.all_rewards(to_library(achieved), to_library(desired))
    for array, dtype in ((rewards, "float32"), (success, "bool"), (all_achieved, "bool"), (all_rewards, "float32")):
        assert type(array) is type(to_library(achieved))
        assert str(array.dtype).removeprefix("torch.") == dtype
    rewards, success, all_achieved, all_rewards = map(np.asarray, (rewards, success, all_achieved, all_rewards))
    assert 0 < success.mean() < 1
    for index in np.ndindex(*success.shape):
        one = space.reward(achieved[index], desired[index])
        np.testing.assert_allclose(rewards[index], one, rtol=1e-6)
        assert success[index] == space.success(achieved[index], desired[index])
        np.testing.assert_array_equal(all_achieved[index], space.all_achieved(achieved[index], desired[index]))
        np.testing.assert_allclose(all_rewards[index], space.all_rewards(achieved[index], desired[index]), rtol=1e-6)
    assert all_achieved.shape == all_rewards.shape == (*success.shape, space.num_goals)


@pytest.mark.parametrize("name", SPACES)
def test_rewards_by_hand(name):
    space = SPACES[name]
    if name == "finite":
        cases = [
            ([1, 0, 1, 0], [0, 0, 1, 0], 1.0),
            ([1, 0, 1, 0], [0, 1, 0, 0], 0.0),
            ([0, 0, 0, 0], [1, 0, 0, 0], 0.0),
        ]
    elif name == "box":
        cases = [([0, 0], [0.05, 0.04], 0.0), ([0, 0], [0.2, 0], -1.0)]
    elif name == "box_dense":
        cases = [([0, 0], [0.25, -0.5], -0.75), ([1, 1], [1, 1], 0.0)]
    else:
        padding = [0, 0, 0] * 4
        cases = [
            ([1, 2], [1, 1, 2, 1, 0, 0, *padding], 1.0),
            ([0, 0], [1, 1, 2, 0, 0, 0, *padding], 0.0),  # (0, 0) is there, but is padding
            ([1.2, 1.9], [1, 1, 2, 0, 0, 0, *padding], 1.0),  # the rounded position counts
        ]
    for achieved, desired, reward in cases:
        result = space.reward(np.asarray(achieved, np.float32), np.asarray(desired, np.float32))
        assert result == np.float32(reward)


def test_point_sets_pay_each_present_point_on_its_own():
    space = PointSetGoals(3, -3.0, 3.0)
    desired = np.array([1, 1, 2, 1, 0, 0, 0, 1, 2], np.float32)
    np.testing.assert_array_equal(space.item_rewards(np.array([1.0, 2.0], np.float32), desired), [1, 0, 0])
    np.testing.assert_array_equal(space.item_rewards(np.array([0.0, 0.0], np.float32), desired), [0, 1, 0])
    assert not space.supports_hindsight


@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize("held", [[0, 0, 0, 0], [1, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]])
def test_finite_goals_are_drawn_uniformly_from_those_allowed(exclude, held, to_library):
    space = FiniteGoals("abcd", exclude_achieved=exclude)
    count = 1200
    uniform = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[:, None]
    achieved = np.broadcast_to(np.asarray(held, bool), (count, 4))
    drawn = np.asarray(space.sample(to_library(uniform), to_library(achieved)))
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn.sum(-1), 1)
    allowed = np.logical_not(held) if exclude and not all(held) else np.ones(4, bool)
    np.testing.assert_allclose(drawn.sum(0), allowed * count / allowed.sum(), atol=2)


def test_finite_sampling_never_leaves_the_set():
    space = FiniteGoals("abc")
    edge = np.array([[0.0], [np.nextafter(np.float32(1), np.float32(0))]], np.float32)
    drawn = jax.jit(space.sample)(edge, np.zeros((2, 3), bool))
    np.testing.assert_array_equal(space.index(drawn), [0, 2])


def test_box_goals_are_uniform_in_the_box(to_library):
    space = box(exclude_achieved=False)
    uniform = np.random.default_rng(0).random((4000, space.num_uniforms), np.float32)
    drawn = np.asarray(space.sample(to_library(uniform), to_library(np.zeros((4000, 2), np.float32))))
    assert drawn.dtype == np.float32
    assert (drawn.min(0) > -1).all()
    assert (drawn.max(0) < 1).all()
    np.testing.assert_allclose(
        np.quantile(drawn, [0.25, 0.5, 0.75], axis=0), [[-0.5] * 2, [0] * 2, [0.5] * 2], atol=0.06
    )


def test_box_goals_that_hold_already_are_not_drawn():
    """Half of the box holds at the start; the chance that all 16 tries hold is 2 ** -16."""

    def half(achieved, desired):
        return 1.0 - (desired[..., 0] < 0)  # 0 where the goal lies on the left

    space = box(distance=half, threshold=0.5)
    uniform = np.random.default_rng(1).random((500, space.num_uniforms), np.float32)
    drawn = space.sample(uniform, np.zeros((500, 2), np.float32))
    assert (drawn[:, 0] >= 0).all()
    everything = box(distance=lambda a, d: 0 * a[..., 0] + 0 * d[..., 0])
    first = everything.sample(uniform, np.zeros((500, 2), np.float32))
    np.testing.assert_allclose(first, everything._sampler(uniform[:, :2]))  # all hold: the first candidate


def test_box_rows_may_bring_their_own_sampler():
    space = box(sampler=lambda u: 0.5 * u[..., :2] - u[..., 2:], num_uniforms=3, exclude_achieved=False)
    assert space.num_uniforms == 3
    np.testing.assert_allclose(space.sample(np.array([0.5, 1.0, 0.25], np.float32), np.zeros(2)), [0, 0.25])


@pytest.mark.parametrize("goal", ["g2", 2, np.int64(2), np.float32([0, 0, 1, 0]), [0, 0, 1, 0], jnp.eye(4)[2]])
def test_finite_goals_are_commanded_by_name_index_or_array(goal):
    np.testing.assert_array_equal(SPACES["finite"].encode(goal), np.float32([0, 0, 1, 0]))


@pytest.mark.parametrize(
    ("space", "goal", "message"),
    [
        ("finite", "g22", "unknown goal 'g22'; nearest: g2"),
        ("finite", 4, "outside 0..3"),
        ("finite", -1, "outside 0..3"),
        ("finite", [1, 1, 0, 0], "one-hot"),
        ("finite", [1, 0.5, -0.5, 0], "one-hot"),
        ("finite", [0, 0, 0, 0], "one-hot"),
        ("finite", [np.nan] * 4, "one-hot"),
        ("finite", [1, 0, 0], "one-hot"),
        ("finite", True, "one-hot"),
        ("box", "(0, 0)", "unknown goal"),
        ("box", 5, "outside 0..4"),
        ("box", [0.0, 2.0], "outside the box"),
        ("box", [np.nan, 0.0], "outside the box"),
        ("box", [0.0], "a goal has shape"),
        ("points", "a", "point-set goal"),
        ("points", 1, "point-set goal"),
        ("points", [[0.0, 1.0], [9.0, 0.0]], r"point \[9.0, 0.0\] lies outside -3..3"),
        ("points", [[np.nan, 0.0]], r"point \[nan, 0.0\] lies outside"),
        ("points", [[i - 3, 0] for i in range(7)], r"7 points given, a goal has 1..6 of them"),
        ("points", np.zeros((0, 2)), "0 points given"),
        ("points", np.zeros(18), "0 points given"),
        ("points", np.full(18, 0.5), "point-set goal"),
        ("points", [1.0, 2.0], "point-set goal"),
        ("points", np.zeros((2, 3)), "point-set goal"),
    ],
)
def test_what_is_no_goal_cannot_be_commanded(space, goal, message):
    with pytest.raises(ValueError, match=message):
        SPACES[space].encode(goal)


def test_points_are_commanded_as_a_list_or_as_found_in_an_observation():
    space = PointSetGoals(3, -3.0, 3.0)
    desired = space.encode([[1, 2], [-3.2, 0]])
    np.testing.assert_array_equal(desired, [1, -3, 0, 1, 1, 2, 0, 0, 0])  # by y, then x, as a task lists them
    np.testing.assert_array_equal(space.encode(desired), desired)
    np.testing.assert_array_equal(space.encode([[2, 1], [1, 2], [-3, 1], [1.1, 2]]), [1, -3, 1, 1, 2, 1, 1, 1, 2])
    assert not np.signbit(space.encode([[-0.2, -0.2]])).any()


@pytest.mark.parametrize("name", ["finite", "box"])
def test_index_finds_what_command_gives(name, to_library):
    space = SPACES[name]
    desired = np.stack([space.encode(goal) for goal in space.names])
    found = space.index(to_library(desired))
    assert str(found.dtype).removeprefix("torch.") == "int32"
    np.testing.assert_array_equal(np.asarray(found), np.arange(space.num_goals))
    assert space.index(np.full_like(desired[0], 0.123 if name == "box" else 0)) == -1


def test_point_sets_have_no_index(to_library):
    space = SPACES["points"]
    np.testing.assert_array_equal(np.asarray(space.index(to_library(np.zeros((2, 18), np.float32)))), [-1, -1])


@pytest.mark.parametrize("name", ["finite", "box"])
def test_restricted_spaces_know_and_draw_only_their_goals(name):
    space = SPACES[name]
    kept = space.restrict([space.names[3], 1])
    assert kept.names == (space.names[3], space.names[1])
    uniform = np.random.default_rng(0).random((600, kept.num_uniforms), np.float32)
    far = np.full((600, *kept.achieved_space.shape), 0.0 if name == "finite" else 9.0, np.float32)
    for same in (kept, pickle.loads(pickle.dumps(kept))):
        counts = np.bincount(same.index(same.sample(uniform, far)), minlength=2)
        np.testing.assert_allclose(counts, [300, 300], atol=60)
    with pytest.raises(ValueError, match="unknown goal"):
        space.restrict(["nothing like it"])


def test_point_sets_cannot_be_restricted():
    with pytest.raises(ValueError, match="give one with reset"):
        SPACES["points"].restrict([0])


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_finite_goals_need_distinct_names(names):
    with pytest.raises(ValueError, match="distinct names"):
        FiniteGoals(names)


@pytest.mark.parametrize("dim", [3, 5, 7, 10, 15, 20])
def test_anchor_goals_are_spread_evenly_over_every_pair_of_axes(dim):
    """Centred discrepancy; 64 random points have .007, Roberts' R_d sequence .0005 to .003 with pairs up to .01."""
    points = low_discrepancy(64, dim)
    assert points.dtype == np.float32
    pairs = [qmc.discrepancy(points[:, pair]) for pair in itertools.combinations(range(dim), 2)]
    assert np.mean(pairs) < 0.0004
    assert np.max(pairs) < 0.0025


@pytest.mark.parametrize("count", [1, 2, 5, 64, 100])
@pytest.mark.parametrize("dim", [1, 3, 20])
def test_anchor_goals_are_even_along_each_axis_and_off_corners_and_centre(dim, count):
    points = low_discrepancy(count, dim)
    assert points.shape == (count, dim)
    for column in points.T:
        assert len(np.unique(column)) == count
        assert np.abs(np.histogram(column, 2, (0, 1))[0] - count / 2).max() <= (0.5 if count in (1, 2, 64) else 2)
    for special in (0.0, 0.5, 1.0):
        assert np.abs(points - special).max(axis=1).min() > (0.05 if dim > 1 and count > 2 else 0.001)


def test_anchor_goals_that_coincide_count_once_in_order():
    uniform = low_discrepancy(64, 2)
    space = box(sampler=lambda u: np.floor(u * 3) - 1, num_anchor_goals=64)
    assert space.num_goals == len(space.names) == len(set(space.names)) == 9
    np.testing.assert_array_equal(space.anchors, list(dict.fromkeys(map(tuple, np.floor(uniform * 3) - 1))))


def test_anchor_goals_are_named_by_their_coordinates_in_as_many_digits_as_tell_them_apart():
    assert box(num_anchor_goals=2).names[0] == "(0.75, -0.25)"
    line = BoxGoals(np.full(1, -1.0), np.ones(1), threshold=0.1, distance=l1, num_anchor_goals=4000)
    assert len(set(line.names)) == 4000
    np.testing.assert_array_equal(line.encode(line.names[1234]), line.anchors[1234])


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_spaces_are_finite_boxes(space):
    for bounds in (space.desired_space, space.achieved_space):
        assert bounds.dtype == np.float32
        assert np.isfinite(bounds.low).all()
        assert np.isfinite(bounds.high).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "float64"])
@pytest.mark.parametrize("name", SPACES)
def test_numbers_of_other_types_are_judged_as_float32(name, dtype, to_library):
    """Unsigned differences wrap, and small integers overflow, where they are not cast first."""
    space = SPACES[name]
    random = np.random.default_rng(1)
    achieved, desired = (np.round(np.clip(x, 0, 1)) for x in draws(space, random, (200,)))
    if isinstance(space, BoxGoals):
        achieved, desired = random.integers(0, 3, (2, 200, 2)).astype(np.float32)
    expected = [np.asarray(x) for x in space.evaluate(achieved, desired)]
    assert expected[0].any()
    assert not expected[0].all()
    judged = space.evaluate(to_library(achieved.astype(dtype)), to_library(desired.astype(dtype)))
    for ours, theirs in zip(expected, judged, strict=True):
        np.testing.assert_array_equal(np.asarray(theirs), ours)
    for ours, theirs in zip(space.evaluate_all(achieved, desired), space.evaluate_all(
        to_library(achieved.astype(dtype)), to_library(desired.astype(dtype))
    ), strict=True):  # fmt: skip
        np.testing.assert_array_equal(np.asarray(theirs), np.asarray(ours))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", SPACES)
def test_what_is_not_finite_is_never_a_success(name, number, to_library):
    space = SPACES[name]
    achieved, desired = draws(space, np.random.default_rng(2), (50,))
    if isinstance(space, BoxGoals):
        achieved = desired.copy()
    broken, goals = achieved.copy(), desired.copy()
    broken[:] = number
    goals[:] = number
    least = -np.inf if name == "box_dense" else space.reward_range[0]
    for pair in ((broken, desired), (achieved, goals), (broken, goals)):
        success, reward = space.evaluate(*map(to_library, pair))
        assert not np.asarray(success).any()
        np.testing.assert_array_equal(np.asarray(reward), np.full(50, least, np.float32))


def test_a_multi_hot_array_is_refused_as_a_desired_goal():
    space = SPACES["finite"]
    space.check_desired(np.eye(4, dtype=np.float32)[[0, 3]])
    space.check_desired(np.zeros((2, 0, 4), np.float32))
    with pytest.raises(ValueError, match="one-hot, got one with 2 goals at once; .* AchievedGoalHerReplayBuffer"):
        space.check_desired(np.float32([[0, 0, 0, 1], [1, 0, 1, 0]]))
