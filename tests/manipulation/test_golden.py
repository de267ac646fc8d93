"""Start states, goals and short trajectories are those of `golden/manipulation.npz`.

That file has, per id, the anchor goals and three episodes of 20 actions on MuJoCo C, of which only the first was
seeded, with 0. `PYTHONPATH=tests python tests/manipulation/test_golden.py` writes it anew; a change of what an id does
needs a new version of the id.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from manipulation import policies
from manipulation.tools import IDS, INSTALLED

from gc_envs.core.gym_env import GoalEnv
from gc_envs.registration import make_task

FILE = Path(__file__).parents[1] / "golden" / "manipulation.npz"
EPISODES, STEPS = 3, 20
NAMES = ("observation", "achieved_goal", "desired_goal", "reward", "anchors")
PACKAGES = ("mujoco", "gymnasium-robotics")  # that the mechanics come from
# Parts of a space's width. On another processor the last bits differ: 1e-12 in the start states makes up to 3e-9. A
# change of a mass, of friction, damping or gains by some percent makes 6e-6 and more.
TOLERANCE = 1e-6


def script(env_id):
    """A policy under which items are met: the scripted ones, and random actions for the hand."""
    for name in ("Reach", "Push", "Slide", "PickAndPlace"):
        if env_id.startswith(f"GC-Panda{name}"):
            return getattr(policies, "pick_and_place" if name == "PickAndPlace" else name.lower())
    generator = np.random.default_rng(0)
    return lambda observation: generator.uniform(-1, 1, 20).astype(np.float32)


def record(task, policy):
    """The episodes: observations' parts [3, 21, n], actions [3, 20, A], rewards [3, 20]; and the anchors [K, d]."""
    env, told = GoalEnv(task, all_goals_info=False), []
    for episode in range(EPISODES):
        observation, _ = env.reset(seed=None if episode else 0)
        seen, actions, rewards = [observation], [], []
        for _ in range(STEPS):
            actions.append(policy(observation))
            observation, reward, *_ = env.step(actions[-1])
            seen.append(observation)
            rewards.append(np.float32(reward))
        told.append({name: [each[name] for each in seen] for name in seen[0]} | {"action": actions, "reward": rewards})
    episodes = {name: np.array([episode[name] for episode in told]) for name in told[0]}
    return episodes | {"anchors": task.goals.anchors}


@pytest.fixture(scope="module")
def golden():
    with np.load(FILE) as arrays:
        return dict(arrays)


def replay(env_id, golden, change=lambda task: None):
    """The id's recorded actions on the machine at hand, in a task that `change` may have changed: (found, recorded)."""
    recorded = {name: golden[f"{env_id}/{name}"] for name in NAMES}
    actions = iter(golden[f"{env_id}/action"].reshape(EPISODES * STEPS, -1))
    task = make_task(env_id, backend="c")
    change(task)
    return record(task, lambda observation: next(actions)), recorded


def assert_recorded(env_id, found, recorded, names):
    task = make_task(env_id, backend="c")
    spaces = dict.fromkeys(("achieved_goal", "desired_goal", "anchors"), task.goals.achieved_space)
    spaces["observation"] = task.observation_space
    for name in names:
        width = spaces[name].high - spaces[name].low if name in spaces else 8  # m, of dense rewards
        apart = np.abs(found[name].astype(np.float64) - recorded[name]) / width
        assert apart.max() <= TOLERANCE, f"{name} is {apart.max():.1g} of its space's width off"


def recorded_here(env_id, golden):
    """Whether the file was made with the installed versions of what `env_id` is made of."""
    count = 1 if "Panda" in env_id else 2
    return list(golden["versions"][:count]) == [version(package) for package in PACKAGES[:count]]


@pytest.mark.parametrize("env_id", IDS)
def test_episodes_are_the_recorded_ones(env_id, golden):
    found, recorded = replay(env_id, golden)
    assert_recorded(env_id, found, recorded, ["desired_goal", "anchors"])  # no matter of mechanics
    if not recorded_here(env_id, golden):
        pytest.skip(f"recorded with {dict(zip(PACKAGES, golden['versions'].tolist()))}")
    assert_recorded(env_id, found, recorded, recorded)


def changed(array, factor):
    array[...] = factor * np.array(array)


def other_start(task):
    start = task.initial_state
    task.initial_state = lambda uniform: start(0.999 * uniform)


def other_goals(task):
    sampler = task.goals._sampler
    task.goals._sampler = lambda uniform: sampler(0.999 * uniform)


CHANGED = ("GC-PandaPickAndPlace-v0", "GC-HandManipulateBlock-v0")
CHANGES = {
    "start": other_start,
    "goals": other_goals,
    "mass": lambda task: [changed(body.mass, 1.05) for body in [task.model.body(task.model.nbody - 1)]],
    "friction": lambda task: [changed(task.model.pair_friction, 1.05), changed(task.model.geom_friction, 1.05)],
    "damping": lambda task: changed(task.model.dof_damping, 1.05),
    "gains": lambda task: changed(task.model.actuator_gainprm, 1.05),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("env_id", [p for p in IDS if p.values[0] in CHANGED])
def test_a_small_change_would_be_noticed(env_id, change, golden):
    if not recorded_here(env_id, golden):
        pytest.skip("recorded with other versions")
    with pytest.raises(AssertionError, match="of its space's width off"):
        assert_recorded(env_id, *replay(env_id, golden, CHANGES[change]), ["observation", "desired_goal"])


def test_episodes_are_worth_recording(golden):
    """Items are met, starts and goals differ, and rewards are of both kinds."""
    for name, place in (("Push", 6), ("Slide", 6), ("PickAndPlace", 7)):
        item = golden[f"GC-Panda{name}-v0/observation"][..., place : place + 3]
        assert (np.ptp(item, axis=1).max(axis=1) > 0.01).any(), name
        assert len(np.unique(item[:, 0], axis=0)) == EPISODES
    for key, values in golden.items():
        if key.endswith("desired_goal"):
            assert len(np.unique(values.reshape(-1, values.shape[-1]), axis=0)) == EPISODES
    assert set(np.unique(golden["GC-PandaReach-v0/reward"])) == {-1, 0}


def main():
    arrays = {"versions": np.array([version(package) for package in PACKAGES])}
    for env_id in INSTALLED:
        episodes = record(make_task(env_id, backend="c"), script(env_id))
        arrays |= {f"{env_id}/{name}": values for name, values in episodes.items()}
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
