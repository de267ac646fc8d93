"""What the Gymnasium environments run on: N environments that are stepped together, and when they are reset.

Two engines implement `Engine`: `JaxEngine` compiles a JAX task, `NumpyEngine` drives a simulator outside JAX. Each has
a `BatchEnv`, and the functions here, written once in array-API code, say what resetting, stepping and giving new goals
mean over either. Letters: N environments, D numbers in a desired goal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.episode import EnvState, StepOutcome, set_desired
from gc_envs.core.goal_info import goal_info
from gc_envs.core.goals import GoalSpace


class Report(NamedTuple):
    """What environments say about the states that they are in."""

    observation: dict[str, Any]  # Gymnasium's goal dictionary, [N, ...]
    info: dict[str, Any]  # [N, ...] on every leaf


class StepReport(NamedTuple):
    """What environments say about a step."""

    observation: dict[str, Any]  # [N, ...], of new episodes where environments were reset
    reward: Array  # [N] float32
    terminated: Array  # [N] bool
    truncated: Array  # [N] bool
    info: dict[str, Any]  # [N, ...] on every leaf, about `observation`
    final: Report | None  # in SAME_STEP: about the states before any reset; None if none was reset


class Engine(Protocol):
    """N environments. Masks and goals go in as NumPy arrays; reports hold arrays of the library that was asked for."""

    done: Any  # [N] bool, the environments whose episodes ended on the last step
    num_diverged: Any  # [N] int32, how many steps of each environment diverged

    @property
    def started(self) -> bool:
        """Whether there are episodes to go on with. Every step asks, so it costs nothing, unlike `keys`."""
        ...

    @property
    def keys(self) -> np.ndarray | None:
        """The chains of random keys, uint32 [N, 2], fetched from where they live; None before `init`."""
        ...

    def init(self, keys: np.ndarray) -> None:
        """Give the environments chains of random keys, uint32 [N, 2], which their next resets draw from."""
        ...

    def reset_where(self, mask: np.ndarray, desired: np.ndarray, given: np.ndarray) -> Report:
        """Start new episodes in the environments of `mask` [N], with goals `desired` [N, D] where `given` [N]."""
        ...

    def set_goal(self, mask: np.ndarray, desired: np.ndarray) -> Report:
        """Replace the desired goals in the environments of `mask` [N] by `desired` [N, D]; episodes go on."""
        ...

    def step(self, actions: Any) -> StepReport:
        """Step all environments with `actions` [N, ...], and reset some of them as the autoreset mode says."""
        ...

    def render(self, index: int) -> np.ndarray:
        """Return a frame of environment `index`, uint8 [H, W, 3]."""
        ...

    def get_state(self) -> dict[str, Any]:
        """Return a copy of everything that decides what happens next, as a tree of NumPy arrays."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        ...


class BatchEnv(Protocol):
    """N environments as functions of their states, without autoreset: `FuncGoalEnv` or `SimulatorGoalEnv`."""

    @property
    def goals(self) -> GoalSpace:
        """The goal space."""
        ...

    def step_where(self, envs: EnvState, actions: Array, mask: Array | None) -> tuple[EnvState, StepOutcome]:
        """Step the environments of `mask` [N], None for all; the others will be reset, and their outcomes ignored."""
        ...

    def reset_where(
        self,
        envs: EnvState,
        mask: Array,
        *,
        desired: Array | None = None,
        given: Array | None = None,
        observation: Any = None,
    ) -> tuple[EnvState, Any]:
        """Start new episodes in the environments of `mask` [N], and bring `observation` (if given) up to date there."""
        ...

    def observe_all(self, envs: EnvState) -> dict[str, Any]:
        """Return Gymnasium's goal dictionary, [N, ...]."""
        ...


@dataclass(frozen=True)
class Rules:
    """How the environments of an engine are reset and reported on."""

    autoreset_mode: AutoresetMode
    all_goals_info: bool


def reset_envs(
    env: BatchEnv, rules: Rules, envs: EnvState, mask: Array, desired: Array, given: Array
) -> tuple[EnvState, Report]:
    """Start new episodes in the environments of `mask` [N], with goals `desired` [N, D] where `given` [N]."""
    envs, _ = env.reset_where(envs, mask, desired=desired, given=given)
    return envs, _report(env, rules, envs)


def set_goals(env: BatchEnv, rules: Rules, envs: EnvState, mask: Array, desired: Array) -> tuple[EnvState, Report]:
    """Replace the desired goals in the environments of `mask` [N] by `desired` [N, D]."""
    envs = envs._replace(episode=set_desired(env.goals, envs.episode, mask, desired))
    return envs, _report(env, rules, envs)


def step_envs(env: BatchEnv, rules: Rules, envs: EnvState, done: Array, actions: Array) -> tuple[EnvState, StepReport]:
    """Step N environments, and reset some of them as Gymnasium defines the autoreset modes.

    NEXT_STEP resets the environments that ended on the last step instead of stepping them; SAME_STEP resets those that
    end on this one; DISABLED resets none.

    Args:
        env: The environments.
        rules: The autoreset mode, and what the infos hold.
        envs: Their states.
        done: The environments that ended on the last step, bool [N].
        actions: [N, ...].
    """
    mode = rules.autoreset_mode
    waiting = _if_any(done) if mode is AutoresetMode.NEXT_STEP else None
    envs, outcome = env.step_where(envs, actions, None if waiting is None else ~waiting)
    if waiting is not None:
        outcome = _without(waiting, outcome)
    mask = _if_any(outcome.done) if mode is AutoresetMode.SAME_STEP else waiting
    final, success, terminal = None, outcome.success, outcome.terminal
    if mask is None:
        observation = env.observe_all(envs)
    else:
        if mode is AutoresetMode.SAME_STEP:
            final = Report(env.observe_all(envs), _info(env, rules, envs, success, terminal, outcome.diverged))
        envs, observation = env.reset_where(envs, mask, observation=final and final.observation)
        observation = env.observe_all(envs) if final is None else observation
        fresh = env.goals.success(envs.achieved, envs.episode.desired)
        success = array_namespace(fresh).where(mask, fresh, success)
        terminal = terminal & ~mask
    info = _info(env, rules, envs, success, terminal, outcome.diverged)
    return envs, StepReport(observation, outcome.reward, outcome.terminated, outcome.truncated, info, final)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply `function` to the arrays of nested dictionaries and tuples; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {name: map_leaves(function, value) for name, value in tree.items()}
    if isinstance(tree, tuple):
        values = [map_leaves(function, value) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else tuple(values)
    return function(tree)


def check_arrays(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise ValueError for the first array of a saved state that has no equal in `own`, that of an environment."""
    for name in {**own, **given}:
        found, needed = _kind(given.get(name)), _kind(own.get(name))
        if found != needed:
            raise ValueError(f"this state's {name} is {found}, and the environment's is {needed}")


def _kind(array: Any) -> str:
    """Return the dtype and the shape of an array in words."""
    return f"{array.dtype} {tuple(array.shape)}" if hasattr(array, "dtype") else type(array).__name__


def take(tree: Any, index: int) -> Any:
    """Return entry `index` of the arrays [N, ...] of nested dictionaries and tuples."""
    if isinstance(tree, dict):  # a short way for observations and infos, which every step of one environment takes
        return {name: take(leaf, index) if isinstance(leaf, dict) else leaf[index] for name, leaf in tree.items()}
    return map_leaves(lambda leaf: leaf[index], tree)


def _if_any(mask: Array) -> Array | None:
    """Return `mask`, or None if it is a NumPy array without a True in it; what a traced array holds is not known."""
    return None if isinstance(mask, np.ndarray) and not mask.any() else mask


def _without(waiting: Array, outcome: StepOutcome) -> StepOutcome:
    """Return the outcome of a step that the environments of `waiting` [N] did not take."""
    xp = array_namespace(outcome.reward)
    return outcome._replace(
        reward=xp.where(waiting, xp.zeros_like(outcome.reward), outcome.reward),
        terminated=outcome.terminated & ~waiting,
        truncated=outcome.truncated & ~waiting,
        terminal=outcome.terminal & ~waiting,
        diverged=outcome.diverged & ~waiting,
    )


def _report(env: BatchEnv, rules: Rules, envs: EnvState) -> Report:
    success = env.goals.success(envs.achieved, envs.episode.desired)
    never = array_namespace(success).zeros_like(success)
    return Report(env.observe_all(envs), _info(env, rules, envs, success, never, never))


def _info(
    env: BatchEnv, rules: Rules, envs: EnvState, success: Array, terminal: Array, diverged: Array
) -> dict[str, Any]:
    return goal_info(
        env.goals, envs.achieved, envs.episode, success=success, terminal=terminal, diverged=diverged,
        all_goals_info=rules.all_goals_info,
    )  # fmt: skip
