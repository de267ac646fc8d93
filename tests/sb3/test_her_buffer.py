"""Hindsight relabelling with true goals, and with ends that fit them."""

from collections import Counter
from dataclasses import dataclass, field

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gc_envs
from gc_envs.core.goals import BoxGoals, FiniteGoals, PointSetGoals
from gc_envs.core.gym_env import GoalEnv
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv

pytest.importorskip("stable_baselines3")
from stable_baselines3 import DQN, HerReplayBuffer
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv

from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv

gymnasium.register_envs(gc_envs)
G = 5


class PocketTask(Task):
    """A pocket with up to 4 things; action i swaps thing i in or out, action 4 is death, and goal 4 is never reached.

    States achieve any number of goals: those of the things in the pocket.
    """

    horizon = 6
    action_space = gymnasium.spaces.Discrete(G)
    observation_space = gymnasium.spaces.Box(0, 1, (G,), np.float32)

    def __init__(self, goals=None):
        self.goals = goals or FiniteGoals([f"thing {i}" for i in range(G)], exclude_achieved=True)

    def reset(self, key):
        return jnp.zeros(G, bool)

    def step(self, key, state, action):
        return state ^ (jnp.arange(G) == action)

    def observe(self, state):
        return state.astype(jnp.float32)

    def achieved(self, state):
        return state & (jnp.arange(G) < 4)

    def terminated(self, state):
        return state[4]


@dataclass
class Transition:
    number: int
    desired: int
    achieved: np.ndarray
    death: bool
    reached: bool
    timeout: bool
    episode: list["Transition"] = field(repr=False)

    @property
    def done(self):
        return bool(self.death or self.reached or self.timeout)


class Filled:
    """A buffer of 80 rows, filled nearly four times over with random episodes, and what was put in there."""

    def __init__(self, strategy, num_envs, *, on_success="terminate"):
        envs = SB3VecEnv(GoalVectorEnv(PocketTask(), num_envs=num_envs, on_success=on_success))
        self.buffer = AchievedGoalHerReplayBuffer(
            80 * num_envs, envs.observation_space, envs.action_space, envs, device="cpu", n_envs=num_envs,
            goal_selection_strategy=strategy,
        )  # fmt: skip
        rng = np.random.default_rng(num_envs)
        self.stored, episodes = [], [[] for _ in range(num_envs)]
        for _ in range(300):
            for episode in episodes:
                achieved = rng.random(G) < 0.4 * rng.integers(2)
                desired = episode[0].desired if episode else int(rng.integers(G))
                transition = Transition(
                    number=len(self.stored), desired=desired, achieved=achieved, episode=episode,
                    reached=achieved[desired] and on_success == "terminate",
                    death=rng.random() < 0.1, timeout=rng.random() < 0.1,
                )  # fmt: skip
                episode.append(transition)
                self.stored.append(transition)
            self.add(self.stored[-num_envs:])
            episodes = [[] if episode[-1].done else episode for episode in episodes]

    def add(self, transitions):
        def observation(offset, achieved):
            return {
                "observation": np.array([[t.number + offset] * G for t in transitions], np.float32),
                "achieved_goal": np.array(achieved, np.float32),
                "desired_goal": np.eye(G, dtype=np.float32)[[t.desired for t in transitions]],
            }

        self.buffer.add(
            observation(0, [np.zeros(G)] * len(transitions)),
            observation(0.5, [t.achieved for t in transitions]),
            np.array([t.number % G for t in transitions]),
            np.array([t.achieved[t.desired] for t in transitions], np.float32),
            np.array([t.done for t in transitions]),
            [
                {"TimeLimit.truncated": t.timeout and not (t.death or t.reached), "terminal": t.death}
                for t in transitions
            ],
        )

    def valid(self):
        """The transitions that may be sampled, by their place in the buffer: {(row, environment): Transition}."""
        numbers = self.buffer.observations["observation"][..., 0].astype(int)
        return {(row, i): self.stored[numbers[row, i]] for row, i in np.argwhere(self.buffer.ep_length > 0).tolist()}

    def goal_odds(self, transition, strategy):
        """How likely each goal is for `transition`, {goal: probability}, by the rules as they are written down."""
        episode, odds = transition.episode, Counter()
        place = episode.index(transition)
        candidates = {"future": episode[place:], "final": episode[-1:], "episode": episode}[strategy]
        for chosen in candidates:
            states = [chosen] if chosen.achieved.any() else []
            states = states or [s for s in episode[episode.index(chosen) :] if s.achieved.any()]
            for state in states:
                for goal in np.flatnonzero(state.achieved).tolist():
                    odds[goal] += 1 / len(candidates) / len(states) / state.achieved.sum()
            if not states:
                odds[transition.desired] += 1 / len(candidates)
        return odds


@pytest.mark.parametrize("strategy", ["future", "final", "episode"])
@pytest.mark.parametrize("num_envs", [1, 4])
def test_each_goal_is_as_likely_as_the_rules_say(strategy, num_envs):
    filled, count = Filled(strategy, num_envs), 3000
    valid = filled.valid()
    assert len(valid) > 50
    assert (filled.buffer.ep_start + filled.buffer.ep_length > 80).any(), "an episode goes on in the first row"
    set_random_seed(0)
    kept = 0
    for (row, i), transition in valid.items():
        goals = filled.buffer._sample_goals(np.full(count, row), np.full(count, i))
        assert goals.dtype == np.float32
        assert (goals.sum(1) == 1).all()
        odds = filled.goal_odds(transition, strategy)
        expected = np.array([odds[goal] for goal in range(G)])
        kept += not any(state.achieved.any() for state in transition.episode)
        np.testing.assert_allclose(goals.mean(0), expected, atol=5 * 0.5 / count**0.5)
        assert not goals.any(0)[expected == 0].any()
    assert strategy != "future" or kept, "some episodes achieve nothing: their transitions keep their goal"


def rows(batch, filled):
    """(stored transition, goal, reward, done) for every sample, once what may not change is seen to be as stored."""
    for key in ("observation", "desired_goal"):
        shift = 0.5 if key == "observation" else 0.0
        assert (batch.next_observations[key] == batch.observations[key] + shift).all()
    transitions = [filled.stored[int(number)] for number in batch.observations["observation"][:, 0]]
    assert batch.actions[:, 0].tolist() == [t.number % G for t in transitions]
    assert batch.next_observations["achieved_goal"].tolist() == [t.achieved.tolist() for t in transitions]
    goals = batch.observations["desired_goal"].argmax(1).tolist()
    return list(zip(transitions, goals, batch.rewards[:, 0].tolist(), batch.dones[:, 0].tolist(), strict=True))


@pytest.mark.parametrize("on_success", ["terminate", "continue"])
@pytest.mark.parametrize("num_envs", [1, 4])
def test_reward_and_end_are_those_of_the_new_goal(num_envs, on_success):
    filled = Filled("episode", num_envs, on_success=on_success)
    filled.buffer.her_ratio = 1.0
    set_random_seed(1)
    seen = set()
    for t, goal, reward, done in rows(filled.buffer.sample(2000), filled):
        reached = bool(t.achieved[goal])
        assert reward == reached
        assert done == (t.death or (reached and on_success == "terminate"))
        if t.done or done:
            kind = "death" if t.death else "goal" if t.reached else "time-out" if t.timeout else "none"
            seen.add((kind, bool(done)))
    assert {("death", True), ("time-out", False)} <= seen
    assert ("death", False) not in seen
    ends = {("goal", True), ("goal", False), ("none", True), ("time-out", True)}
    assert seen & ends == (ends if on_success == "terminate" else set())


def test_real_transitions_are_as_stored():
    filled = Filled("future", 4)
    filled.buffer.her_ratio = 0.0
    for t, goal, reward, done in rows(filled.buffer.sample(300), filled):
        assert (goal, reward, done) == (t.desired, t.achieved[t.desired], t.death or t.reached)


@pytest.mark.parametrize("wrap", [
    lambda: SB3VecEnv(GoalVectorEnv(PocketTask(), num_envs=2, on_success="resample")),
    lambda: DummyVecEnv([lambda: GoalEnv(PocketTask(), on_success="resample")] * 2),
])  # fmt: skip
def test_where_goals_are_replaced_a_reached_one_is_an_end_stored_and_relabelled(wrap):
    model = make_model(wrap()).learn(300)
    stored, rows = model.replay_buffer, slice(0, model.replay_buffer.pos)
    desired = stored.observations["desired_goal"][rows]
    np.testing.assert_array_equal(stored.next_observations["desired_goal"][rows], desired)
    reached = (stored.next_observations["achieved_goal"][rows] * desired).any(-1)
    died = stored.next_observations["observation"][rows][..., 4] > 0.5
    assert reached.sum() > 10
    ends = stored.dones[rows] * (1 - stored.timeouts[rows])
    np.testing.assert_array_equal(ends.astype(bool), reached | died)
    for ratio in (0.0, 1.0):
        stored.her_ratio = ratio
        batch = stored.sample(1000)
        goal = batch.observations["desired_goal"].numpy()
        np.testing.assert_array_equal(batch.next_observations["desired_goal"].numpy(), goal)
        success = (batch.next_observations["achieved_goal"].numpy() * goal).any(1)
        death = batch.next_observations["observation"].numpy()[:, 4] > 0.5
        assert success.sum() > 50
        np.testing.assert_array_equal(batch.rewards[:, 0].numpy(), success)
        np.testing.assert_array_equal(batch.dones[:, 0].numpy(), success | death)


def make_model(envs):
    return DQN(
        "MultiInputPolicy", envs, replay_buffer_class=AchievedGoalHerReplayBuffer, buffer_size=400, learning_starts=100,
        train_freq=10, batch_size=32, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu",
        exploration_final_eps=1.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pocket_envs():
    return SB3VecEnv(GoalVectorEnv(PocketTask(), num_envs=4))


@pytest.fixture(scope="module")
def model(pocket_envs):
    return make_model(pocket_envs).learn(600)


class TestWithAnAlgorithm:
    def test_relabelled_transitions_are_true(self, model):
        """`observation` shows the whole state, so reward and end follow from what a sample shows."""
        batch = model.replay_buffer.sample(1000)
        new = batch.next_observations["observation"].numpy() > 0.5
        goal = batch.observations["desired_goal"].numpy().argmax(1)
        reached = new[np.arange(1000), goal] & (goal < 4)
        np.testing.assert_array_equal(batch.rewards[:, 0].numpy(), reached)
        np.testing.assert_array_equal(batch.dones[:, 0].numpy(), reached | new[:, 4])
        moved = new != (batch.observations["observation"].numpy() > 0.5)
        np.testing.assert_array_equal(moved.argmax(1), batch.actions[:, 0].numpy())
        assert (moved.sum(1) == 1).all(), "one action apart: no transition crosses an episode"

    def test_sb3s_own_buffer_desires_goals_that_are_none(self, pocket_envs):
        """Why this class exists; the bridge says so too."""
        model = make_model(pocket_envs)
        model.replay_buffer_class, model.replay_buffer = HerReplayBuffer, None
        model._setup_model()
        with pytest.raises(ValueError, match="AchievedGoalHerReplayBuffer"):
            model.learn(400)

    def test_the_buffer_is_saved_and_loaded(self, model, pocket_envs, tmp_path):
        model.save_replay_buffer(tmp_path / "buffer")
        other = make_model(pocket_envs)
        other.load_replay_buffer(tmp_path / "buffer", truncate_last_traj=False)
        samples = []
        for buffer in (model.replay_buffer, other.replay_buffer):
            set_random_seed(3)
            samples.append(buffer.sample(64))
        jax.tree.map(np.testing.assert_array_equal, *samples)
        other.learn(200)

    def test_the_last_trajectory_may_be_cut_on_loading(self, model, pocket_envs, tmp_path):
        model.save_replay_buffer(tmp_path / "buffer")
        other = make_model(pocket_envs)
        with pytest.warns(UserWarning, match="will be truncated"):
            other.load_replay_buffer(tmp_path / "buffer")
        other.replay_buffer.sample(200)
        other.learn(200)

    def test_it_works_on_sb3s_own_vector_environment(self):
        model = make_model(DummyVecEnv([lambda: gymnasium.make("GC-Gridworld-v0", size=5, horizon=10)]))
        model.learn(150)
        batch = model.replay_buffer.sample(100)
        same = (batch.next_observations["achieved_goal"] == batch.observations["desired_goal"]).all(1).numpy()
        np.testing.assert_array_equal(batch.dones[:, 0].numpy(), same)
        assert same.any()


def test_a_diverged_step_is_an_end_only_if_the_environment_calls_it_terminated():
    """Otherwise it is out of time for SB3, whose values then go on from the state that was kept."""
    actions = np.array([[np.nan, 0], [0.1, 0.1]], np.float32)
    bare = gymnasium.make_vec(
        "GC-ContinuousSeek-v0", num_envs=2, dim=2, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
    )
    bare.reset(seed=0)
    terminated, truncated = bare.step(actions)[2:4]
    envs = SB3VecEnv(gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=2, dim=2))
    envs.seed(0)
    before = envs.reset()
    after, rewards, dones, infos = envs.step(actions)
    assert dones.tolist() == (terminated | truncated).tolist() == [True, False]
    assert infos[0]["diverged"]
    assert infos[0]["TimeLimit.truncated"] == (truncated & ~terminated)[0]
    last = infos[0]["terminal_observation"]
    np.testing.assert_array_equal(last["observation"], before["observation"][0])
    buffer = AchievedGoalHerReplayBuffer(20, envs.observation_space, envs.action_space, envs, device="cpu", n_envs=2)
    following = {name: np.stack([last[name], part[1]]) for name, part in after.items()}
    buffer.add(before, following, np.zeros((2, 2)), rewards, dones, infos)
    for ratio in (0.0, 1.0):
        buffer.her_ratio = ratio
        assert (buffer.sample(4).dones.numpy() == float(terminated[0])).all()


class TestOtherGoalSpaces:
    def test_in_a_box_goals_are_sb3s_and_ends_are_relabelled(self):
        goals = BoxGoals(np.zeros(G), np.ones(G), threshold=0.1, distance=lambda a, d: abs(a - d).sum(-1))
        envs = SB3VecEnv(GoalVectorEnv(PocketTask(goals), num_envs=2))
        ours, theirs = (self.sample_of(kind, envs) for kind in (AchievedGoalHerReplayBuffer, HerReplayBuffer))
        jax.tree.map(np.testing.assert_array_equal, ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.rewards, theirs.rewards)
        reached = ours.rewards.numpy() == 0
        assert reached.any()
        np.testing.assert_array_equal(ours.dones, np.maximum(theirs.dones.numpy(), reached))
        assert (ours.dones != theirs.dones).any()

    def sample_of(self, kind, envs):
        """100 samples of random episodes, 5 steps long each, of which every second one runs out of time."""
        buffer = kind(200, envs.observation_space, envs.action_space, envs, device="cpu", n_envs=2)
        rng = np.random.default_rng(0)
        for clock in range(60):
            old, new = (
                {key: rng.random((2, G)).astype(np.float32) for key in envs.observation_space.spaces} for _ in "on"
            )
            infos = [{"TimeLimit.truncated": clock % 10 == 9}] * 2
            buffer.add(old, new, np.zeros(2, int), -np.ones(2, np.float32), np.full(2, clock % 5 == 4), infos)
        set_random_seed(0)
        return buffer.sample(100)

    @pytest.mark.parametrize("make", [
        lambda task: SB3VecEnv(GoalVectorEnv(task, num_envs=2)),
        lambda task: DummyVecEnv([lambda: GoalEnv(task)]),
    ])  # fmt: skip
    def test_point_sets_are_refused_at_construction(self, make):
        envs = make(PocketTask(PointSetGoals(3, -5, 5)))
        with pytest.raises(ValueError, match="no set of points.*DictReplayBuffer"):
            make_model(envs)


def test_an_environment_that_cannot_be_asked_for_rewards_is_refused():
    envs = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")])
    with pytest.raises(ValueError, match=r"needs an environment with compute_reward.*DictReplayBuffer"):
        AchievedGoalHerReplayBuffer(
            10, gymnasium.spaces.Dict(observation=envs.observation_space), envs.action_space, envs
        )
