"""Craftax and Craftax-Classic as a goal-conditioned task over Craftax's own state and dynamics."""

import functools
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.core.forking import check_fork
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.task import Task
from gc_envs.craftax.goal_words import describe
from gc_envs.craftax.goals import achieved, goal_mask, goal_table
from gc_envs.craftax.observation import compact, make_one_hot_spec, observation_space, symbolic
from gc_envs.craftax.variants import get_variant

State = Any  # Craftax's EnvState, a flax struct
Array = Any


class CraftaxTask(Task):
    """Craftax with 512 goals, or Craftax-Classic with 136.

    The dynamics are Craftax's own (`craftax_step`, `generate_world`) with its default parameters. Only its time limit
    is lifted, because running out of time belongs to the episode.

    Args:
        variant: "full" for Craftax or "classic" for Craftax-Classic.
        observation: The observation, "symbolic", "compact" or "pixels".

    Raises:
        ValueError: If `variant` or `observation` is unknown.

    >>> task = CraftaxTask("classic")
    >>> task.goals.num_goals, task.action_space
    (136, Discrete(17))
    """

    render_fps = 10

    def __init__(self, variant: str = "full", observation: str = "symbolic") -> None:
        check_fork()
        self.variant = get_variant(variant)
        self.observation = observation
        self.observation_space = observation_space(self.variant, observation)
        self.action_space = gymnasium.spaces.Discrete(self.variant.num_actions)
        self.horizon = self.variant.horizon
        self.goals = FiniteGoals(goal_table(self.variant).names)
        if observation == "compact":  # the others hold no categories, and networks take them as they are
            self.one_hot_spec = make_one_hot_spec(self.variant)
            self.goal_mask = goal_mask(self.variant, self.one_hot_spec)

    def reset(self, key: Array) -> State:
        """Return a new world sampled with `key`, as Craftax's EnvState."""
        game = self.variant.game
        return _with_strong_dtypes(game.generate(_raw(key), game.params, game.static_params))

    def step(self, key: Array, state: State, action: Array) -> State:
        """Return the state after `action` (int []); Craftax's own reward is dropped, since goals give the reward."""
        game = self.variant.game
        action = jnp.asarray(action, jnp.int32)
        return _with_strong_dtypes(game.step(_raw(key), state, action, game.params, game.static_params)[0])

    def observe(self, state: State) -> Any:
        """Return the observation of the kind chosen at construction, a member of `observation_space`."""
        return self._observe(state)

    def achieved(self, state: State) -> Array:
        """Return which goals hold in `state`, bool [G]."""
        return achieved(self.variant, state)

    def terminated(self, state: State) -> Array:
        """Return whether the player is dead (no health; in Classic also lava) or has beaten Craftax's boss, bool []."""
        return self.variant.game.is_terminal(state)

    def describe_goal(self, desired: np.ndarray) -> str:
        return describe(self.goals.names[int(np.argmax(desired))])

    def render(self, state: State, desired_goal: Array | None = None) -> np.ndarray:
        """Return Craftax's own frame with the desired goal named below it, uint8 [H, W, 3]; runs on the host."""
        from gc_envs.craftax.render import render_frame

        return render_frame(self.variant, self.goals, state, desired_goal)

    @functools.cached_property
    def _observe(self) -> Callable[[State], Any]:
        if self.observation == "pixels":
            from gc_envs.craftax.pixels import make_pixel_renderer

            return make_pixel_renderer(self.variant, self.variant.agent_block_pixels)
        return functools.partial({"symbolic": symbolic, "compact": compact}[self.observation], self.variant)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_observe"}  # a cached closure


def _raw(key: Array) -> Array:
    """Return `key` as raw words, uint32 [2]; Craftax keeps a key in its state, whose type must not change."""
    return jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key


def _with_strong_dtypes(state: State) -> State:
    """Return `state` with strong dtypes, the same after a reset as after a step.

    Craftax's reset leaves Python numbers and weakly typed arrays. A loop carry must not change its type, and a second
    type would compile every function twice.
    """
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, _DTYPES[jnp.result_type(leaf).kind]), state)


_DTYPES = {"b": np.dtype(bool), "i": np.dtype(np.int32), "u": np.dtype(np.uint32), "f": np.dtype(np.float32)}
