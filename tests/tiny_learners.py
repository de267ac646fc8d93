"""Every JAX learner at a size that trains in seconds, and what is known of `probes.ChainTask` for all of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import LEFT, RIGHT

from gc_envs.agents import get_learner
from gc_envs.agents.on_policy import OnPolicy
from gc_envs.agents.types import Transition
from gc_envs.core.task import Task

SHARED = {"num_envs": 4, "rollout_steps": 8, "minibatch_size": 16, "width": 16}
SETTINGS: dict[str, dict[str, Any]] = {
    "leo": {"depth": 1},
    "pqn": {"depth": 1},
    "pqn-her": {"depth": 1},
    "ppo": {"actor_depth": 1, "critic_depth": 1},
    "dual-leo-pqn": {"depth": 1},
    "dual-leo-ppo": {"actor_depth": 1, "critic_depth": 1, "teacher_depth": 1, "teacher_minibatch_size": 16},
}
NAMES = tuple(SETTINGS)
PARTS = ("leo", "pqn", "ppo")  # of the others; what takes long is tested with the others, and with these if slow
MOSTLY_WHOLE = [pytest.param(name, marks=pytest.mark.slow) if name in PARTS else name for name in NAMES]
QUICK = {"xla_backend_optimization_level": 0}  # for `jax.jit`: compiles in half the time

G = 0.9
LEARNING = {
    "total_steps": 20_000, "num_envs": 8, "epochs": 2, "minibatch_size": 32, "learning_rate": 1e-2, "gamma": G,
}  # fmt: skip
RANDOM_ACTIONS = {"epsilon_start": 1.0, "epsilon_end": 1.0}
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


def make(agent: str, task: Task, **changes: Any) -> Any:
    """The learner called `agent`, with its tiny settings and `changes`."""
    learner = get_learner(agent)
    return learner(task, learner.config_class(**SHARED | SETTINGS[agent] | changes))


def trained(learner: OnPolicy) -> Any:
    """The state after the whole run."""

    def run(key: jax.Array) -> Any:
        step = lambda _, state: learner.update(state)[0]  # noqa: E731
        return jax.lax.fori_loop(0, learner.num_updates, step, learner.init(key))

    return jax.jit(run, compiler_options=QUICK)(jax.random.key(0))


def cells(count: int) -> jax.Array:
    """The observations of the first `count` cells of a chain."""
    return jnp.arange(count, dtype=jnp.float32)[:, None]


def assert_best_actions(learner: Any, acting_state: Any, q: np.ndarray) -> None:
    """In every cell and for every goal, the learner's greedy action is one of the best by `q` [cell, goal, action]."""
    for goal in range(3):
        action = learner.act(acting_state, cells(len(q)), jnp.full(len(q), goal))
        np.testing.assert_array_equal(q[np.arange(len(q)), goal, action], q[:, goal].max(-1))


# A rollout of two environments by hand, 4 steps [T, N]. The first reaches its goal 2 with its second step and gets goal
# 0; its last step ends the episode, and the next one starts in cell 0. The second has goal 2 all along.
REACHED = np.array([[1, 0], [2, 1], [1, 0], [2, 1]])
ROLLOUT = Transition(
    observation=jnp.float32([[0, 0], [1, 0], [2, 1], [1, 0]])[..., None],
    goal=jnp.int32([[2, 2], [2, 2], [0, 2], [0, 2]]),
    action=jnp.int32([[RIGHT, LEFT], [RIGHT, RIGHT], [LEFT, LEFT], [RIGHT, RIGHT]]),
    achieved=jnp.asarray(REACHED[..., None] == np.arange(3)),
    terminated=jnp.zeros((4, 2), bool),
    truncated=jnp.zeros((4, 2), bool).at[3, 0].set(True),
    extras=None,
)
LAST = jnp.float32([[0], [1]])
VALUES = jnp.float32([[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.8]])  # [cell, goal], made up


def values_of(observation: jax.Array, goal: jax.Array) -> jax.Array:
    """The values that `VALUES` gives cells and goals."""
    return VALUES[observation[..., 0].astype(int), goal]
