"""Hindsight relabelling for goal spaces in which a state can achieve many goals, or none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from stable_baselines3.her import GoalSelectionStrategy

from gc_envs.core.episode import OnSuccess
from gc_envs.core.goals import FiniteGoals, GoalSpace

NO_HINDSIGHT = (
    "hindsight relabelling makes what a state achieved the desired goal, but an achieved position is no set of points: "
    "use SB3's default replay buffer, DictReplayBuffer"
)


def resamples_goals(env: VecEnv) -> bool:
    """Return whether the environments are of this package and go on with another goal once theirs is reached."""
    return env.has_attr("on_success") and env.get_attr("on_success", [0])[0] is OnSuccess.RESAMPLE


class AchievedGoalHerReplayBuffer(HerReplayBuffer):
    """SB3's `HerReplayBuffer`, relabelling with true goals and with episode ends that fit them; same arguments.

    Goals: in a finite goal set, what a state achieves is multi-hot. SB3's own buffer makes that vector the desired goal
    as it is: all those goals at once, reached by any of them, or no goal at all where the state achieves none. No
    policy is ever asked for either. Here a relabelled transition is given *one of* the goals that a state of its
    episode achieved, uniformly and one-hot. That state is chosen as `goal_selection_strategy` says; if it achieves
    none, a random later state of the episode that achieves some takes its place; if there is none, the transition
    keeps its goal. In a box, goals are chosen as SB3 chooses them.

    Ends: SB3 keeps the stored `done`, although reaching the goal may be what ends an episode. Here a relabelled
    transition is done if its new goal is reached and that ends the episode (`compute_terminated`), or if the state
    ends it whatever the goal, such as death. Time-outs are not ends, as in SB3.

    With `on_success="resample"` a reached goal counts as an end although the environment goes on with another goal: a
    transition that reaches its goal, stored or relabelled, is done, and has that goal in its next observation.

    Environments that are not from this package are relabelled as SB3 does it.

    Args:
        buffer_size: Number of transitions, over all environments.
        observation_space: Space of the goal dictionaries.
        action_space: Space of the actions.
        env: Vector environment that rewards are asked of.
        args: Further arguments of `HerReplayBuffer`.
        kwargs: Further arguments of `HerReplayBuffer`, such as `n_sampled_goal` and `goal_selection_strategy`.

    Raises:
        ValueError: Goals that cannot be relabelled (sets of points), or an environment without `compute_reward`.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Space,
        env: VecEnv,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        goals = env.get_attr("goals", [0])[0] if env.has_attr("goals") else None
        self._relabels_ends = isinstance(goals, GoalSpace)
        self._resamples = resamples_goals(env)
        self._is_finite = isinstance(goals, FiniteGoals)
        if isinstance(goals, GoalSpace) and not goals.supports_hindsight:
            raise ValueError(NO_HINDSIGHT)
        if not env.has_attr("compute_reward"):
            raise ValueError(
                "hindsight relabelling needs an environment with compute_reward(achieved_goal, desired_goal, info); "
                "use SB3's default replay buffer, DictReplayBuffer"
            )
        super().__init__(buffer_size, observation_space, action_space, env, *args, **kwargs)
        # Number of transitions of the episode, up to and with this one, that led to a state that achieves some goal.
        self._num_achieving = np.zeros((self.buffer_size, self.n_envs), np.int64)
        # Whether the transition led to a state that ends the episode whatever the goal.
        self._terminal = np.zeros((self.buffer_size, self.n_envs), bool)

    def add(  # type: ignore[override]
        self,
        obs: dict[str, np.ndarray],
        next_obs: dict[str, np.ndarray],
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Add one transition of every environment."""
        starts = self._current_ep_start == self.pos
        before = np.where(starts, 0, self._num_achieving[self.pos - 1])
        self._num_achieving[self.pos] = before + (next_obs["achieved_goal"] > 0.5).any(axis=-1)
        reached = np.zeros(self.n_envs, bool)
        if self._relabels_ends and (self._resamples or done.any()):
            reached = self._reached(next_obs["achieved_goal"], obs["desired_goal"], infos)
        if self._resamples:  # `next_obs` may have the goal with which the environment goes on
            next_obs = {**next_obs, "desired_goal": obs["desired_goal"]}
            done = done | reached
            infos = [info | {"TimeLimit.truncated": False} if r else info for info, r in zip(infos, reached)]
        timeout = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        terminal = [info.get("terminal", False) for info in infos]
        self._terminal[self.pos] = (done & ~timeout & ~reached) | terminal
        super().add(obs, next_obs, action, reward, done, infos)

    def _get_virtual_samples(
        self, batch_indices: np.ndarray, env_indices: np.ndarray, env: VecNormalize | None = None
    ) -> DictReplayBufferSamples:
        """Return the transitions (`batch_indices`, `env_indices`), [B] each, with new goals, rewards and ends."""
        at = batch_indices, env_indices
        goals = self._sample_goals(*at)

        def relabelled(stored: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
            rows = self._normalize_obs(
                {key: values[at] for key, values in stored.items()} | {"desired_goal": goals}, env
            )
            assert isinstance(rows, dict)
            return {key: self.to_torch(values) for key, values in rows.items()}

        reward = self._ask("compute_reward", self.next_observations["achieved_goal"][at], goals, self._infos(at))
        done = self._terminal[at]
        if self._relabels_ends:
            done = done | self._reached(self.next_observations["achieved_goal"][at], goals, self._infos(at))
        return DictReplayBufferSamples(
            observations=relabelled(self.observations),
            actions=self.to_torch(self.actions[at]),
            next_observations=relabelled(self.next_observations),
            dones=self.to_torch(done.astype(np.float32).reshape(-1, 1)),
            rewards=self.to_torch(self._normalize_reward(reward.astype(np.float32).reshape(-1, 1), env)),
        )

    def _infos(self, at: tuple[np.ndarray, np.ndarray]) -> Sequence[dict[str, Any]]:
        """Return the infos of transitions `at`, empty ones unless the user asked SB3 to copy them."""
        return self.infos[at] if self.copy_info_dict else [{}] * len(at[0])

    def _reached(self, achieved: np.ndarray, desired: np.ndarray, infos: Sequence[dict[str, Any]]) -> np.ndarray:
        """Return where `achieved` [B, d] ends the episode of the goals `desired` [B, D], bool [B]."""
        if self._resamples:  # the environment goes on, with another goal
            assert self.env is not None, "call set_env() after loading"
            return self.env.get_attr("goals", [0])[0].success(achieved, desired)
        return self._ask("compute_terminated", achieved, desired, infos)

    def _ask(
        self, method: str, achieved: np.ndarray, desired: np.ndarray, infos: Sequence[dict[str, Any]]
    ) -> np.ndarray:
        """Return the environment's `method` [B] of `achieved` [B, d] under `desired` [B, D]."""
        assert self.env is not None, "call set_env() after loading"
        return self.env.env_method(method, achieved, desired, infos, indices=[0])[0]

    def _sample_goals(self, batch_indices: np.ndarray, env_indices: np.ndarray) -> np.ndarray:
        """Return new goals [B, D] for the transitions (`batch_indices`, `env_indices`), [B] each."""
        if not self._is_finite:
            return super()._sample_goals(batch_indices, env_indices)
        start = self.ep_start[batch_indices, env_indices]
        last = self.ep_length[batch_indices, env_indices] - 1
        earliest = {
            GoalSelectionStrategy.FINAL: last,
            GoalSelectionStrategy.FUTURE: (batch_indices - start) % self.buffer_size,
            GoalSelectionStrategy.EPISODE: np.zeros_like(last),
        }[self.goal_selection_strategy]
        step = np.random.randint(earliest, last + 1)  # noqa: NPY002 - the generator that SB3 seeds
        step = self._achieving_step(step, start, last, env_indices)
        achieved = self.next_observations["achieved_goal"][(start + step) % self.buffer_size, env_indices]
        return one_of(achieved > 0.5, otherwise=self.observations["desired_goal"][batch_indices, env_indices])

    def _achieving_step(
        self, step: np.ndarray, start: np.ndarray, last: np.ndarray, env_indices: np.ndarray
    ) -> np.ndarray:
        """Return steps [B] that led to a state that achieves some goal.

        Args:
            step: Chosen step [B] of each episode, counted from 0; kept where it led to such a state, otherwise replaced
                by a random later step that did, or by `last` if there is none.
            start: Row of the buffer [B] that holds the first step of each episode.
            last: Last step [B] of each episode.
            env_indices: Environment [B] of each episode.
        """

        def count(step: np.ndarray) -> np.ndarray:
            return self._num_achieving[(start + step) % self.buffer_size, env_indices]

        achieves = count(step) > np.where(step > 0, count(step - 1), 0)
        later = np.maximum(count(last) - count(step), 1)
        wanted = count(step) + np.where(achieves, 0, 1 + np.random.randint(later))  # noqa: NPY002
        # Bisection for the first step from there on with that count; it ends at `last` where no step has it.
        while (step < last).any():
            middle = (step + last) // 2
            enough = count(middle) >= wanted
            step, last = np.where(enough, step, np.minimum(middle + 1, last)), np.where(enough, middle, last)
        return step


def one_of(achieved: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Return one of the goals in each row of `achieved` [B, G] bool, uniformly, as one-hot float32 [B, G].

    Rows without any goal are those of `otherwise` [B, G].
    """
    rank = achieved.cumsum(axis=-1)
    pick = np.random.randint(np.maximum(rank[:, -1:], 1))  # noqa: NPY002
    one_hot = np.arange(achieved.shape[1]) == (rank > pick).argmax(axis=-1)[:, None]
    return np.where(rank[:, -1:] > 0, one_hot, otherwise).astype(np.float32)
