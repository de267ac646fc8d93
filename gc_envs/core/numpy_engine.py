"""The engine of tasks that are simulated outside JAX, which is never imported here."""

from typing import Any

import numpy as np

from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.engine import Report, Rules, StepReport, check_arrays, reset_envs, set_goals, step_envs
from gc_envs.core.episode import EnvState, Episode, OnSuccess
from gc_envs.core.goals import GoalSpace
from gc_envs.core.simulator_env import SimulatorGoalEnv


class NumpyEngine:
    """`Engine` over a `BatchSimulator`. Reports hold fresh NumPy arrays."""

    def __init__(
        self,
        simulator: BatchSimulator,
        goals: GoalSpace,
        num_envs: int,
        rules: Rules,
        *,
        horizon: int,
        on_success: OnSuccess,
    ) -> None:
        self.env = SimulatorGoalEnv(simulator, goals, horizon, on_success)
        self.rules = rules
        self.envs: EnvState | None = None
        self._ready = False  # whether there are episodes; a first reset may fail to find valid start states
        self.done = np.zeros(num_envs, bool)
        self.num_diverged = np.zeros(num_envs, np.int32)

    @property
    def started(self) -> bool:
        return self._ready

    @property
    def keys(self) -> np.ndarray | None:
        return None if self.envs is None else self.envs.key

    def init(self, keys: np.ndarray) -> None:
        self.envs = self.env.zeros(keys) if self.envs is None else self.envs._replace(key=keys.copy())

    def reset_where(self, mask: np.ndarray, desired: np.ndarray, given: np.ndarray) -> Report:
        assert self.envs is not None
        self.envs, report = reset_envs(self.env, self.rules, self.envs, mask, desired, given)
        self.done, self._ready = self.done & ~mask, True
        return report

    def set_goal(self, mask: np.ndarray, desired: np.ndarray) -> Report:
        assert self.envs is not None
        self.envs, report = set_goals(self.env, self.rules, self.envs, mask, desired)
        return report

    def step(self, actions: np.ndarray) -> StepReport:
        assert self.envs is not None
        self.envs, report = step_envs(self.env, self.rules, self.envs, self.done, actions)
        self.done = report.terminated | report.truncated
        self.num_diverged = self.num_diverged + report.info["diverged"]
        return report

    def render(self, index: int) -> np.ndarray:
        assert self.envs is not None
        return self.env.simulator.render(index, self.envs.episode.desired[index])

    def get_state(self) -> dict[str, Any]:
        assert self.envs is not None
        desired, _, clock = self.envs.episode
        return {
            "simulator": self.env.simulator.get_state(), "desired": desired.copy(), "clock": clock.copy(),
            "keys": self.envs.key.copy(), "done": self.done.copy(),
        }  # fmt: skip

    def set_state(self, state: dict[str, Any]) -> None:
        blank = self.env.zeros(np.zeros((len(self.done), 2), np.uint32))
        check_arrays(
            state,
            {
                "simulator": self.env.simulator.get_state(), "desired": blank.episode.desired,
                "clock": blank.episode.clock, "keys": blank.key, "done": self.done,
            },
        )  # fmt: skip
        self._ready = True
        self.env.simulator.set_state(state["simulator"])
        desired = state["desired"].copy()
        episode = Episode(desired, self.env.goals.index(desired), state["clock"].copy())
        self.envs = EnvState((), self.env.simulator.achieved(), episode, state["keys"].copy())
        self.done = state["done"].copy()
