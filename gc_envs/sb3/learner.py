"""Stable-Baselines3's off-policy algorithms as learners of this package: same command line, same run folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import gymnasium
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from gc_envs.agents.fitting import use_instead
from gc_envs.core.goals import PointSetGoals
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.sb3.checkpoint import Arrays, set_weights
from gc_envs.sb3.config import OffPolicyConfig
from gc_envs.sb3.her_buffer import AchievedGoalHerReplayBuffer
from gc_envs.sb3.policy import SB3Policy, acting_arrays, set_acting_weights
from gc_envs.sb3.trainer import SB3Trainer
from gc_envs.sb3.vec_env import SB3VecEnv
from gc_envs.training.run_dir import RunDir, open_run, trained_arrays

# Agents to use instead, by the kind of actions that an algorithm needs and does not get.


@dataclass(frozen=True)
class Algorithm:
    """An algorithm of Stable-Baselines3 as an agent; called with a task and settings, it makes a learner."""

    name: str
    """Name of the agent on the command line."""

    model_class: type[OffPolicyAlgorithm]
    """Class of the model."""

    config_class: type[OffPolicyConfig]
    """Class of the settings."""

    action_kind: type[gymnasium.Space] = gymnasium.spaces.Box
    """Kind of action space that the algorithm needs."""

    needs_point_sets: bool = False
    """Whether goals must be sets of points."""

    acts_with: tuple[str, ...] = ("actor.",)
    """What the names of the weights that acting needs begin with, among those of the model's policy."""

    takes_compact: ClassVar[bool] = False  # the integer observations of this package's own networks are not for SB3
    on_success: ClassVar[str | None] = None
    trains_together: ClassVar[bool] = False

    def __call__(self, task: Task, config: OffPolicyConfig) -> "SB3Learner":
        """Return a learner of this algorithm on `task`; ValueError if it cannot be trained."""
        return SB3Learner(self, task, config)

    def load(self, run: Path | str) -> SB3Policy:
        """Return the trained agent of a run folder; the critics of one that was exported are untrained.

        Raises:
            RunError: The folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
        opened = open_run(run)
        learner: SB3Learner = opened.learner(self)
        model, _ = learner.build()
        if opened.exported:
            set_acting_weights(model, self.acts_with, trained_arrays(opened))
        else:
            set_weights(model, trained_arrays(opened))
        return SB3Policy(model, learner.task, opened)


class SB3Learner:
    """One algorithm with its settings on one task.

    Args:
        algorithm: A row of `gc_envs.sb3.algorithms`.
        task: The task to learn.
        config: Settings, an instance of the algorithm's `config_class`.

    Raises:
        ValueError: A setting is out of its range, or the algorithm cannot use the task's actions, observations or
            goals; the message names what can.
    """

    takes_compact = False
    on_success: str | None = None
    trains_together = False

    def __init__(self, algorithm: Algorithm, task: Task, config: OffPolicyConfig) -> None:
        config.check()
        _check_spaces(algorithm, task)
        _check_hindsight(algorithm, task, config)
        self.algorithm, self.task, self.config = algorithm, task, config
        self.name, self.config_class = algorithm.name, algorithm.config_class
        self.total_steps = config.final_step

    def build(self, monitor: Path | None = None) -> tuple[OffPolicyAlgorithm, GoalVectorEnv]:
        """Return the untrained model, and the environments that it acts in.

        Args:
            monitor: File (.monitor.csv) that every finished episode is written to.
        """
        envs = GoalVectorEnv(self.task, self.config.num_envs)
        kwargs = self.config.model_kwargs(self.task)
        if self.config.her_goals:
            kwargs["replay_buffer_class"] = AchievedGoalHerReplayBuffer
            kwargs["replay_buffer_kwargs"] = {"n_sampled_goal": self.config.her_goals}
        venv = VecMonitor(SB3VecEnv(envs), None if monitor is None else str(monitor))
        model = self.algorithm.model_class(env=venv, **kwargs)
        self.config.modify_losses(model, self.task)
        return model, envs

    def check_machine(self, devices: int, runs: int = 1) -> None:
        """Raise ValueError for more than one device."""
        if devices != 1:
            raise ValueError(f"{self.name} trains on one device, not on {devices}; agents in JAX can use several: leo")

    def trainer(self, runs: Sequence[RunDir], devices: int = 1) -> SB3Trainer:
        """Return the learner as a training run that has not begun; the only one of `runs` says where its files are."""
        (run,) = runs
        return SB3Trainer(self.build, self.task, self.total_steps, run, self.config.threads)

    def acting_arrays(self, arrays: Arrays) -> Arrays:
        """Return those of a checkpoint's arrays that are enough for `Algorithm.load`."""
        return acting_arrays(arrays, self.algorithm.acts_with)


def _check_spaces(algorithm: Algorithm, task: Task) -> None:
    """Raise ValueError if `algorithm` cannot use the actions, observations or goals of `task`."""
    name, kind = algorithm.name, type(task).__name__
    if algorithm.needs_point_sets and not isinstance(task.goals, PointSetGoals):
        raise ValueError(f"{name} needs goals that are sets of points, {kind} has others; {use_instead(task)}")
    if not isinstance(task.action_space, algorithm.action_kind):
        wanted = algorithm.action_kind.__name__
        raise ValueError(f"{name} needs {wanted} actions, {kind} has {task.action_space}; {use_instead(task)}")
    if not isinstance(task.observation_space, gymnasium.spaces.Box):
        raise ValueError(f"{name} needs observations that are one array, not {task.observation_space}")


def _check_hindsight(algorithm: Algorithm, task: Task, config: OffPolicyConfig) -> None:
    """Raise ValueError if relabelling is asked for and cannot work."""
    if not config.her_goals:
        return
    if not task.goals.supports_hindsight:
        raise ValueError(
            f"{algorithm.name}: what a state of {type(task).__name__} achieves is not a goal, so hindsight has nothing "
            "to relabel with; use multi-reengage, or her_goals=0"
        )
    least = task.horizon * config.num_envs
    if task.on_success != "terminate" and config.learning_starts < least:
        raise ValueError(
            f"learning_starts={config.learning_starts} ends before the first episodes do; hindsight needs whole "
            f"episodes: at least {least} (horizon x num_envs)"
        )
