"""LEO on chains whose values can be written by hand, and its bookkeeping on scripted rollouts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gc_envs.agents.rollout import collect, start_actors, training_program
from probes import LEFT, RIGHT, ChainTask

from gc_envs.agents.leo import LEO, LEOConfig
from gc_envs.core.goal_subset import restrict

G = 0.9
CONFIG = LEOConfig(
    total_steps=60_000,
    num_envs=8,
    rollout_steps=8,
    epochs=2,
    minibatch_size=32,
    learning_rate=1e-2,
    gamma=G,
    epsilon_start=1.0,
    epsilon_end=1.0,
    width=16,
    depth=1,
)
# Q[cell][goal] = (LEFT, RIGHT): gamma to the power of the steps still to go after this one.
CHAIN = np.array([
    [(1, G), (G, 1), (G**2, G)],
    [(1, G**2), (G, G), (G**2, 1)],
    [(G, G**2), (1, G), (G, 1)],
])  # fmt: skip
# The same with death in cell 2, never left: from cell 1 a step RIGHT reaches goal 2 and nothing else ever after.
CLIFF = np.array([
    [(1, G), (G, 1), (G**2, G)],
    [(1, 0), (G, 0), (G**2, 1)],
])  # fmt: skip


def make(task, config):
    """The learner, and its whole training as a function of a key."""
    learner = LEO(task, config)

    @jax.jit
    def run(key):
        step = lambda _, state: learner.update(state)[0]  # noqa: E731
        return jax.lax.fori_loop(0, learner.num_updates, step, learner.init(key))

    return learner, run


@pytest.mark.parametrize(("cliff", "expected"), [(False, CHAIN), (True, CLIFF)], ids=["chain", "cliff"])
def test_learns_the_value_of_every_goal(cliff, expected):
    learner, run = make(ChainTask(cliff=cliff), CONFIG)
    state = run(jax.random.key(0))
    cells = jnp.arange(len(expected), dtype=jnp.float32)[:, None]
    values = learner.values(learner.variables(state), cells)
    np.testing.assert_allclose(values, expected, atol=0.03)
    np.testing.assert_array_equal(state.actors.seen, [True] * 3)
    goal = np.array([2] * len(expected))
    np.testing.assert_array_equal(learner.greedy(learner.variables(state), cells, goal), [RIGHT] * len(expected))


def test_the_same_seed_gives_the_same_run_bitwise_and_another_seed_another():
    _, run = make(ChainTask(), dataclasses.replace(CONFIG, total_steps=64 * 20))
    states = [run(jax.random.key(seed)) for seed in (0, 0, 1)]
    jax.tree.map(np.testing.assert_array_equal, states[0], states[1])
    kernels = [np.asarray(state.params["head"]["kernel"]) for state in states]
    assert (kernels[0] != kernels[2]).any()


def test_types_never_change_so_an_update_compiles_once(grid_task):
    learner = LEO(grid_task, dataclasses.replace(CONFIG, num_envs=4, minibatch_size=16))
    state = jax.eval_shape(learner.init, jax.random.key(0))
    after, metrics = jax.eval_shape(learner.update, state)
    types = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)  # noqa: E731
    assert types(after) == types(state)
    assert all(leaf.shape == () for leaf in metrics.values())


def test_epsilon_falls_linearly_and_stays():
    config = dataclasses.replace(
        CONFIG, total_steps=64 * 100, epsilon_start=0.2, epsilon_end=0.01, epsilon_fraction=0.2
    )
    learner = LEO(ChainTask(), config)
    found = [float(learner.epsilon(jnp.int32(update))) for update in (0, 10, 20, 99)]
    np.testing.assert_allclose(found, [0.2, 0.105, 0.01, 0.01], rtol=1e-5)


def rollout(task, script, *, lanes=1, forgetting=1.0, seen_only=False):
    """Actors and transitions after `script`, actions [T], in every lane, from the start of an episode."""
    program = training_program(task)
    actors = start_actors(program, jax.random.key(0), lanes)
    episode = actors.lanes.episode
    actors = actors._replace(lanes=actors.lanes._replace(episode=episode._replace(clock=jnp.zeros_like(episode.clock))))

    @jax.jit
    def step(actors, action):
        act = lambda key, observation, goal: (jnp.full(lanes, action), ())  # noqa: E731
        return collect(program, actors, jax.random.key(1), act, 1, forgetting=forgetting, seen_only=seen_only)

    transitions = []
    for action in script:
        actors, transition = step(actors, action)
        transitions.append(transition)
    return actors, jax.tree.map(lambda *leaves: np.concatenate(leaves), *transitions)


def test_lanes_start_at_different_times_of_their_episodes(grid_task):
    clock = start_actors(training_program(grid_task), jax.random.key(0), 64).lanes.episode.clock
    assert 0 <= clock.min() < clock.max() < grid_task.horizon
    assert len(np.unique(clock)) > 16


@pytest.mark.parametrize(
    ("goal", "script", "reached", "missed"),
    [
        ("cell_2", [RIGHT, RIGHT], 1, 0),  # reached on the last step of the episode: it counts
        ("cell_2", [RIGHT, LEFT], 0, 1),
        ("cell_1", [RIGHT, LEFT], 1, 0),  # reached early; the episode goes on and adds nothing
        ("cell_1", [RIGHT, RIGHT, RIGHT, RIGHT], 2, 0),
        ("cell_2", [RIGHT, RIGHT, LEFT, LEFT], 1, 1),
        ("cell_1", [LEFT], 0, 0),  # pending yet
    ],
)
def test_success_is_whether_the_first_goal_of_an_episode_is_reached_before_its_end(goal, script, reached, missed):
    """Episodes of 2 steps from cell 0, one goal."""
    actors, transitions = rollout(restrict(ChainTask(start=0, horizon=2), [goal]), script)
    assert (actors.successes.tolist(), actors.failures.tolist()) == ([reached], [missed])
    assert transitions.done[:, 0].tolist() == [t % 2 == 1 for t in range(len(script))]


def test_counters_forget_once_per_rollout():
    task = restrict(ChainTask(start=0, horizon=2), ["cell_2"])
    actors, _ = rollout(task, [RIGHT, RIGHT, RIGHT, LEFT], forgetting=0.5)
    # reached at the second of four rollouts, missed at the fourth
    assert actors.successes.tolist() == [0.5**3]
    assert actors.failures.tolist() == [0.5]
    np.testing.assert_allclose(actors.success, [0.125 / 0.625], rtol=1e-5)


def test_counters_agree_with_a_plain_loop_over_the_rollout():
    """Many lanes, several goals, random actions: the same numbers from the transitions, read one by one."""
    task = ChainTask(horizon=3)
    program = training_program(task)
    actors = start_actors(program, jax.random.key(3), 6)
    act = lambda key, observation, goal: (jax.random.randint(key, (6,), 0, 2), ())  # noqa: E731
    after, t = collect(program, actors, jax.random.key(4), act, 40, forgetting=1.0, seen_only=False)
    achieved, over, goal = (np.asarray(x) for x in (t.achieved, t.done, t.goal))
    reached, missed = np.zeros(3), np.zeros(3)
    for lane in range(6):
        first, pending = goal[0, lane], True
        for step in range(40):
            success = achieved[step, lane, goal[step, lane]]
            if pending and success:
                reached[first] += 1
            elif pending and over[step, lane]:
                missed[first] += 1
            pending = pending and not success
            if over[step, lane] and step < 39:
                first, pending = goal[step + 1, lane], True
            if success and not over[step, lane] and step < 39:
                continue  # a new goal was commanded: goal[step + 1]
            if not success and not over[step, lane] and step < 39:
                assert goal[step + 1, lane] == goal[step, lane]
    assert reached.sum() > 10
    assert missed.sum() > 5
    np.testing.assert_array_equal(after.successes, reached)
    np.testing.assert_array_equal(after.failures, missed)


def test_transitions_are_judged_before_any_reset():
    """The source judged goals after the reset: the start of the next episode was credited, the last step lost."""
    _, transitions = rollout(ChainTask(start=0, horizon=2), [RIGHT, RIGHT, RIGHT, LEFT])
    assert transitions.achieved[:, 0].argmax(-1).tolist() == [1, 2, 1, 0]
    assert transitions.observation[:, 0, 0].tolist() == [0, 1, 0, 1]


def test_only_goals_that_were_seen_are_commanded():
    task = ChainTask(start=0, horizon=1)
    actors, transitions = rollout(task, [LEFT] * 6, lanes=8, seen_only=True)
    assert actors.seen.tolist() == [True, False, False]
    assert (transitions.goal == 0).all()
    actors, transitions = rollout(task, [RIGHT] * 12, lanes=8, seen_only=True)
    assert actors.seen.tolist() == [True, True, False]
    assert set(transitions.goal[2:].reshape(-1).tolist()) == {0, 1}
    assert set(rollout(task, [LEFT] * 12, lanes=8)[1].goal.reshape(-1).tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minibatch_size": 50}, "minibatch_size=50 does not divide the 64 steps of an update; try 32"),
        ({"num_envs": 0}, "num_envs must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1"),
        ({"total_steps": 0}, "total_steps must be at least 1"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LEO(ChainTask(), dataclasses.replace(CONFIG, **change))
