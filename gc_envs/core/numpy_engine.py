"""Lanes of a task that is simulated outside JAX, behind the same Gymnasium environments as compiled ones.

N lanes is the batch axis; JAX is never imported here.
"""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.episode import Episode, OnSuccess, StepOutcome, evaluate_step, resample
from gc_envs.core.goal_env_mixin import draw_key
from gc_envs.core.task import Task


class NumpyEngine:
    """N episodes over a `BatchSimulator`, as `GoalVectorEnv` uses them. What its methods return are fresh NumPy arrays.

    All randomness of a lane comes from its own chain of keys: it does not depend on what other lanes do.
    """

    def __init__(
        self,
        task: Task,
        world: BatchSimulator,
        num_envs: int,
        *,
        horizon: int,
        on_success: OnSuccess,
        autoreset_mode: AutoresetMode = AutoresetMode.DISABLED,
        all_goals_info: bool = True,
    ) -> None:
        self.keys: np.ndarray | None = None  # uint32 [N, 2]; None before the first episodes
        self._world, self._goals = world, task.goals
        self._horizon, self._on_success = horizon, on_success
        self._mode, self._all_goals_info = autoreset_mode, all_goals_info
        desired = np.zeros((num_envs, *self._goals.desired_space.shape), np.float32)
        self._episode = Episode(desired, np.zeros(num_envs, np.int32))

    @property
    def started(self) -> bool:
        """Whether there are episodes."""
        return self.keys is not None

    def convert(self, tree: Any) -> Any:
        """`tree` itself: it holds NumPy arrays already."""
        return tree

    def rekey(self, keys: np.ndarray) -> None:
        """Give the lanes new chains of keys [N, 2], from which their next episodes are drawn."""
        self.keys = keys.copy()

    def begin(self, mask: np.ndarray, commanded: np.ndarray, is_commanded: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """New episodes in lanes `mask` [N], with `commanded` [N, D] where `is_commanded` [N]: observations, infos."""
        self._restart(mask)
        return self.command(mask & is_commanded, commanded)

    def command(self, mask: np.ndarray, commanded: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """Command `commanded` [N, D] in the episodes under way in lanes `mask` [N]: observations, infos."""
        desired = np.where(mask[:, None], commanded, self._episode.desired)
        self._episode = self._episode._replace(desired=desired)
        achieved = self._world.achieved()
        return self._observe(achieved), self._describe(achieved, self._goals.success(achieved, desired))

    def step(self, over: np.ndarray, actions: np.ndarray) -> tuple[Any, tuple[Any, Any, Any], dict[str, Any], Any]:
        """One step of all lanes, of which `over` [N] ended on the last one.

        Returns observations, (reward, terminated, truncated), infos and, in SAME_STEP mode, the observations and infos
        before lanes were reset (None if none was).
        """
        waiting = over if self._mode is AutoresetMode.NEXT_STEP else np.zeros_like(over)
        outcome, achieved = self._advance(np.flatnonzero(~waiting), actions)
        ended = outcome.done if self._mode is AutoresetMode.SAME_STEP else waiting
        final, success = None, outcome.success
        if ended.any():
            if self._mode is AutoresetMode.SAME_STEP:
                final = self._observe(achieved), self._describe(achieved, outcome.success)
            self._restart(ended)
            achieved = self._world.achieved()
            success = np.where(ended, self._goals.success(achieved, self._episode.desired), success)
        info = {**self._describe(achieved, success), "diverged": outcome.diverged}
        reward = np.where(waiting, np.float32(0), outcome.reward)
        outcome = reward, outcome.terminated & ~waiting, outcome.truncated & ~waiting
        return self._observe(achieved), outcome, info, final

    def render(self, lane: int) -> np.ndarray:
        """A frame of one lane."""
        return self._world.render(lane, self._episode.desired[lane])

    def get_state(self) -> Any:
        """A copy of everything that decides what happens next, as a tree of arrays."""
        assert self.keys is not None
        desired, clock = self._episode
        world = self._world.get_state()
        return {"world": world, "desired": desired.copy(), "clock": clock.copy(), "keys": self.keys.copy()}

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` returned."""
        self._world.set_state(state["world"])
        self._episode = Episode(state["desired"].copy(), state["clock"].copy())
        self.keys = state["keys"].copy()

    def _advance(self, active: np.ndarray, actions: np.ndarray) -> tuple[StepOutcome, np.ndarray]:
        """Step lanes `active` [n] and judge all by what they achieve, which is returned too: [N, d].

        A fault is the only end that a world itself has.
        """
        fault, moved = np.zeros((2, len(actions)), bool)
        moved[active] = True
        fault[active] = self._world.step(active, actions[active])
        achieved = self._world.achieved()
        episode, outcome = evaluate_step(
            self._goals, self._episode, achieved, fault, horizon=self._horizon, on_success=self._on_success
        )
        outcome = outcome._replace(diverged=fault)
        renewed = outcome.success & ~outcome.done & moved
        if self._on_success is OnSuccess.RESAMPLE and renewed.any():
            candidates = episode.desired.copy()
            candidates[renewed] = self._draw_goals(renewed, self._generators(renewed))
            episode = resample(episode, outcome, candidates, self._on_success)
        self._episode = episode
        return outcome, achieved

    def _restart(self, mask: np.ndarray) -> None:
        """New episodes in lanes `mask` [N], each drawn from its own chain of keys."""
        generators = self._generators(mask)
        self._world.reset(np.flatnonzero(mask), generators)
        desired, clock = self._episode.desired.copy(), self._episode.clock.copy()
        desired[mask], clock[mask] = self._draw_goals(mask, generators), 0
        self._episode = Episode(desired, clock)

    def _generators(self, mask: np.ndarray) -> list[np.random.Generator]:
        """A generator for each lane of `mask` [N], from its key; the key that comes next is the first thing drawn."""
        assert self.keys is not None
        generators = [np.random.Generator(np.random.Philox(key=key.view(np.uint64)[0])) for key in self.keys[mask]]
        self.keys[mask] = np.array([draw_key(generator) for generator in generators]).reshape(-1, 2)
        return generators

    def _draw_goals(self, mask: np.ndarray, generators: list[np.random.Generator]) -> np.ndarray:
        """A goal [n, D] for each lane of `mask` [N]."""
        uniform = np.array([generator.random(self._goals.num_uniforms) for generator in generators])
        return self._goals.sample(uniform, self._world.achieved()[mask])

    def _observe(self, achieved: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "observation": self._world.observe(),
            "achieved_goal": self._goals.achieved_goal(achieved).copy(),
            "desired_goal": self._episode.desired.copy(),
        }

    def _describe(self, achieved: np.ndarray, success: np.ndarray) -> dict[str, Any]:
        desired = self._episode.desired
        info = {"is_success": success, "goal": self._goals.index(desired)}
        if self._all_goals_info:
            info["all_goals"] = {
                "achieved": self._goals.all_achieved(achieved, desired),
                "reward": self._goals.all_rewards(achieved, desired),
            }
        return info


class HostLane:
    """One lane, as `GoalEnv` uses it, without a batch axis."""

    def __init__(self, task: Task, world: BatchSimulator, horizon: int, on_success: OnSuccess) -> None:
        self._lanes = NumpyEngine(task, world, 1, horizon=horizon, on_success=on_success)
        self._shape = task.goals.desired_space.shape

    @property
    def started(self) -> bool:
        """Whether there is an episode."""
        return self._lanes.started

    @property
    def key(self) -> np.ndarray:
        """The lane's chain of keys, uint32 [2]."""
        assert self._lanes.keys is not None
        return self._lanes.keys[0]

    def begin(self, key: np.ndarray, goal: np.ndarray | None) -> tuple[Any, dict[str, Any]]:
        """A new episode with `goal` [D] commanded, or one drawn: observation and info."""
        self._lanes.rekey(key[None])
        commanded = np.zeros(self._shape, np.float32) if goal is None else goal
        one = np.ones(1, bool)
        return _first(self._lanes.begin(one, commanded[None], one & (goal is not None)))

    def command(self, goal: np.ndarray) -> tuple[Any, dict[str, Any]]:
        """Command `goal` [D] in the episode under way: observation and info."""
        return _first(self._lanes.command(np.ones(1, bool), goal[None]))

    def step(self, action: np.ndarray) -> tuple[StepOutcome, Any, dict[str, Any]]:
        """One step: how it is judged, observation and info."""
        observation, outcome, info, _ = self._lanes.step(np.zeros(1, bool), action[None])
        reward, terminated, truncated = _first(outcome)
        observation, info = _first((observation, info))
        return StepOutcome(info["is_success"], reward, terminated, truncated, info["diverged"]), observation, info

    def render(self) -> np.ndarray:
        """The lane's frame."""
        return self._lanes.render(0)

    def get_state(self) -> Any:
        """A copy of the lane."""
        return self._lanes.get_state()

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` returned."""
        self._lanes.set_state(state)


def _first(tree: Any) -> Any:
    """The first lane of arrays with a leading [1], in dictionaries and tuples."""
    if isinstance(tree, dict):
        return {name: _first(value) for name, value in tree.items()}
    return tuple(_first(value) for value in tree) if isinstance(tree, tuple) else tree[0]
