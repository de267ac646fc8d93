"""Golden states, random rollouts and fuzzed mobs of both games, computed once per session.

A batch of states is processed in chunks of one fixed size, so every function is compiled once per variant.
"""

import functools
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest

from gc_envs.core.one_hot import OneHotSpec
from gc_envs.craftax import goals, observation
from gc_envs.craftax.task import CraftaxTask

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
FILES = {"full": "craftax_achieved.npz", "classic": "craftax_classic_achieved.npz"}
CHUNK = 96
NUM_ENVS, STEPS = 8, 48


def load_golden(task: CraftaxTask) -> tuple[tuple[str, ...], np.ndarray, Any]:
    """Return the names [G], achieved goals [N, G] and states (EnvState with a leading axis N) of a golden file."""
    with np.load(GOLDEN / FILES[task.variant.name]) as file:
        arrays = dict(file)
    like = jax.eval_shape(task.reset, jax.random.key(0))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(like)]
    states = jax.tree.unflatten(jax.tree.structure(like), [arrays[f"state|{path}"] for path in paths])
    return tuple(arrays["names"].tolist()), arrays["achieved"], states


def transition_inputs(task: CraftaxTask, key: Any) -> tuple[Any, Any]:
    """Return step keys and random actions, each [STEPS, NUM_ENVS]."""
    key_for_steps, key_for_actions = jax.random.split(key)
    actions = jax.random.randint(key_for_actions, (STEPS, NUM_ENVS), 0, task.variant.num_actions)
    return jax.random.split(key_for_steps, (STEPS, NUM_ENVS)), actions


def rollout(task: CraftaxTask, keys: Any, actions: Any, states: Any) -> Any:
    """Return the states [STEPS, NUM_ENVS] that follow `states` [NUM_ENVS]."""

    def step(states: Any, inputs: Any) -> tuple[Any, Any]:
        states = jax.vmap(task.step)(inputs[0], states, inputs[1])
        return states, states

    return jax.lax.scan(step, states, (keys, actions))[1]


def fuzz_mobs(task: CraftaxTask, states: Any, seed: int) -> Any:
    """Return `states` [N] with mobs at random around the player: dead ones on live ones, at and far beyond the view."""
    random = np.random.default_rng(seed)
    count = len(states.timestep)
    reach = np.where(np.arange(count) % 2, 2, 14)  # half of them crowded, half of them spread
    for group in task.variant.mobs:
        mobs = getattr(states, group.field)
        shape = mobs.mask.shape
        wide = reach.reshape(-1, *[1] * (len(shape) - 1))
        offset = np.stack([random.integers(-wide, wide + 1, shape) for _ in range(2)], axis=-1)
        player = states.player_position.reshape(count, *[1] * (len(shape) - 1), 2)
        changes = {"position": (player + offset).astype(np.int32), "mask": random.random(shape) < 0.6}
        if group.num_types > 1:
            changes["type_id"] = random.integers(0, 3, shape).astype(np.int32)
        states = states.replace(**{group.field: mobs.replace(**changes)})
    return states


@dataclass
class Case:
    """One variant with its states "golden", "rolled" and "fuzzed", NumPy trees with one leading axis each."""

    task: CraftaxTask
    names: tuple[str, ...]
    golden_achieved: np.ndarray
    states: dict[str, Any]
    transitions: tuple[Any, Any, Any]  # states before, step keys and actions of states["rolled"]

    def map(self, name: str, source: str) -> Any:
        """Return the function `name` of all states of `source`, as a NumPy tree."""
        states = self.states[source]
        count = len(states.timestep)
        starts = range(0, count, CHUNK)
        index = [np.minimum(np.arange(start, start + CHUNK), count - 1) for start in starts]
        parts = [jax.device_get(self.functions[name](jax.tree.map(lambda x, i=i: x[i], states))) for i in index]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *parts)

    @property
    def one_hot_spec(self) -> OneHotSpec:
        return observation.make_one_hot_spec(self.task.variant)

    @functools.cached_property
    def functions(self) -> dict[str, Callable[[Any], Any]]:
        variant = self.task.variant

        def from_compact(state: Any) -> Any:
            return goals.goal_table(variant).achieved(
                goals.goal_inputs_from_compact(variant, observation.compact(variant, state))
            )

        functions = {
            "craftax": variant.game.render_symbolic,
            "symbolic": functools.partial(observation.symbolic, variant),
            "compact": functools.partial(observation.compact, variant),
            "achieved": self.task.achieved,
            "achieved_from_compact": from_compact,
        }
        return {name: jax.jit(jax.vmap(function)) for name, function in functions.items()}


@pytest.fixture(scope="session", params=["full", "classic"])
def case(request: pytest.FixtureRequest) -> Case:
    task = CraftaxTask(request.param)
    names, golden_achieved, golden = load_golden(task)
    fresh = jax.device_get(jax.jit(jax.vmap(task.reset))(jax.random.split(jax.random.key(1), 2)))
    # Six golden states from all over (floors too), two new worlds.
    picked = np.linspace(0, len(golden_achieved) - 1, NUM_ENVS - 2).astype(int)
    start = jax.tree.map(lambda old, new: np.concatenate([old[picked], new]), golden, fresh)
    keys, actions = transition_inputs(task, jax.random.key(2))
    rolled = jax.device_get(jax.jit(functools.partial(rollout, task))(keys, actions, start))
    before = jax.tree.map(lambda first, rest: np.concatenate([first[None], rest[:-1]]), start, rolled)
    rolled, before, keys, actions = jax.tree.map(
        lambda x: x.reshape(STEPS * NUM_ENVS, *x.shape[2:]), (rolled, before, keys, actions)
    )
    states = {"golden": golden, "rolled": rolled, "fuzzed": fuzz_mobs(task, golden, seed=3)}
    return Case(task, names, golden_achieved, states, (before, keys, actions))
