"""Goal-conditioned episodes over a simulator outside JAX: the NumPy twin of `FuncGoalEnv`.

Letters: N environments, n of them, D numbers in a desired goal.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.episode import EnvState, Episode, OnSuccess, StepOutcome, begin, evaluate_step, resample
from gc_envs.core.goal_info import goal_observation
from gc_envs.core.goals import GoalSpace
from gc_envs.core.seeding import generator_of, sample_key


@dataclass(frozen=True)
class SimulatorGoalEnv:
    """N episodes over `simulator`, which is changed in place.

    An `EnvState` here has no `state` of its own. All randomness of an environment comes from its own chain of keys, so
    it does not depend on what the other environments do.

    Args:
        simulator: The simulations.
        goals: The goal space.
        horizon: The number of steps after which an episode is truncated.
        on_success: What reaching the desired goal does.
    """

    simulator: BatchSimulator
    goals: GoalSpace
    horizon: int
    on_success: OnSuccess

    def zeros(self, keys: np.ndarray) -> EnvState:
        """Return N states of zeros that hold `keys` [N, 2], for `reset_where` to fill."""
        num_envs = len(keys)
        desired = np.zeros((num_envs, *self.goals.desired_space.shape), np.float32)
        achieved = np.zeros((num_envs, *self.goals.achieved_space.shape), np.float32)
        return EnvState((), achieved, begin(self.goals, desired), keys.copy())

    def observe_all(self, envs: EnvState) -> dict[str, Any]:
        """Return Gymnasium's goal dictionary in fresh arrays, [N, ...]."""
        achieved, desired = envs.achieved.copy(), envs.episode.desired.copy()
        return goal_observation(self.goals, self.simulator.observe(), achieved, desired)

    def step_where(self, envs: EnvState, actions: np.ndarray, mask: np.ndarray | None) -> tuple[EnvState, StepOutcome]:
        """Step the environments of `mask` [N], None for all; the outcomes of the others are to be ignored.

        A step that the simulator could not take truncates its episode; a simulator has no end of its own.
        """
        if mask is None:
            diverged = self.simulator.step(np.arange(len(actions)), actions)
        else:
            diverged = np.zeros(len(mask), bool)
            diverged[mask] = self.simulator.step(np.flatnonzero(mask), actions[mask])
        achieved = self.simulator.achieved()
        episode, outcome = evaluate_step(
            self.goals, envs.episode, achieved, terminal=np.zeros_like(diverged), diverged=diverged,
            horizon=self.horizon, on_success=self.on_success,
        )  # fmt: skip
        envs = envs._replace(achieved=achieved, episode=episode)
        if self.on_success is not OnSuccess.RESAMPLE:
            return envs, outcome
        renewed = outcome.success & ~outcome.done & (True if mask is None else mask)
        if renewed.any():
            keys, generators = self._generators(envs.key, renewed)
            candidates = episode.desired.copy()
            candidates[renewed] = self._sample_goals(generators, achieved[renewed])
            envs = envs._replace(episode=resample(self.goals, episode, outcome, candidates), key=keys)
        return envs, outcome

    def reset_where(
        self,
        envs: EnvState,
        mask: np.ndarray,
        *,
        desired: np.ndarray | None = None,
        given: np.ndarray | None = None,
        observation: Any = None,
    ) -> tuple[EnvState, Any]:
        """Start new episodes in the environments of `mask` [N], with goals `desired` [N, D] where `given` [N].

        Returns:
            The states, and observations [N, ...] of all environments (None unless `observation` was given).
        """
        keys, generators = self._generators(envs.key, mask)
        self.simulator.reset(np.flatnonzero(mask), generators)
        achieved = self.simulator.achieved()
        goals, goal, clock = (array.copy() for array in envs.episode)
        sampled = mask if given is None else mask & ~given
        if sampled.any():
            chosen = [generator for generator, is_sampled in zip(generators, sampled[mask]) if is_sampled]
            goals[sampled] = self._sample_goals(chosen, achieved[sampled])
        if desired is not None and given is not None:
            goals[mask & given] = desired[mask & given]
        goal[mask], clock[mask] = self.goals.index(goals[mask]), 0
        envs = EnvState((), achieved, Episode(goals, goal, clock), keys)
        return envs, None if observation is None else self.observe_all(envs)

    def _generators(self, keys: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, list[np.random.Generator]]:
        """Return the keys that come next [N, 2], and a generator for each environment of `mask` [N].

        A generator starts from its environment's key, and the first thing drawn from it is the key that comes next.
        """
        keys = keys.copy()
        generators = [generator_of(key) for key in keys[mask]]
        keys[mask] = np.array([sample_key(generator) for generator in generators]).reshape(-1, 2)
        return keys, generators

    def _sample_goals(self, generators: list[np.random.Generator], achieved: np.ndarray) -> np.ndarray:
        """Return a goal [n, D] for each of n generators; `achieved` [n, d] is what the start states achieve."""
        uniform = np.array([generator.random(self.goals.num_uniforms) for generator in generators])
        return np.asarray(self.goals.sample(uniform, achieved))
