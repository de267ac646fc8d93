"""Stable-Baselines3's off-policy algorithms as learners of this package: same command line, same run folder."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from gc_envs.agents.sb3.checkpoint import capture, restore, set_weights
from gc_envs.agents.sb3.normalize import NormalizedExtractor
from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.training.checkpoint import load_arrays, save_checkpoint
from gc_envs.training.logger import RunLogger as Log
from gc_envs.training.loop import CHECKPOINT_SECONDS
from gc_envs.training.options import TrainOptions as Schedule
from gc_envs.training.progress import Progress
from gc_envs.training.run_dir import RunDir as Run
from gc_envs.training.run_dir import open_run, trained_arrays
from gc_envs.training.signals import Interrupted
from gc_envs.training.signals import catch_signals as noted_signals
from gc_envs.wrappers import AchievedGoalHerReplayBuffer, SB3VecEnv

LOG_SECONDS = 1.0  # between two rows of metrics.csv
SAVING_SHARE = 0.05  # of the time, at most, goes into checkpoints made because a minute is over
# Columns of metrics.csv: the name that Stable-Baselines3 logs each under; not all algorithms have all of them.
METRICS = {
    "running_success": ("rollout/success_rate",),  # over the last 100 episodes
    "episode_return": ("rollout/ep_rew_mean",),  # over the last 100 episodes
    "critic_loss": ("train/critic_loss", "train/loss"),
    "actor_loss": ("train/actor_loss",),
    "gradient_loss": ("train/gradient_loss",),
}


@dataclass(frozen=True)
class OffPolicyConfig:
    """Settings that all algorithms share; the defaults are those of the ReenGAGE paper (appendix, table 1)."""

    total_steps: int = 100_000  # environment steps, over all lanes
    num_envs: int = 1  # lanes stepped side by side
    seed: int = 0
    learning_rate: float = 1e-3
    batch_size: int = 256
    buffer_size: int = 1_000_000
    learning_starts: int = 1_000  # random steps before the first update
    train_every: int = 1  # steps of all lanes between updates
    gradient_steps: int = 1  # updates at a time
    gamma: float = 0.95
    tau: float = 0.005  # of the target networks, per update
    her_goals: int = 4  # relabelled transitions per real one ("future"); 0: no hindsight
    width: int = 256  # of the hidden layers
    depth: int = 2  # hidden layers
    normalize: bool = False  # inputs, by their running mean and standard deviation
    device: str = "auto"  # of torch: "auto", "cpu", "cuda"

    def model_kwargs(self, task: Task) -> dict[str, Any]:
        """The arguments of the Stable-Baselines3 class."""
        policy: dict[str, Any] = {"net_arch": [self.width] * self.depth}
        if self.normalize:
            policy["features_extractor_class"] = NormalizedExtractor
        return {
            "policy": "MultiInputPolicy",
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "buffer_size": min(self.buffer_size, self.final_step),  # a longer one would stay empty
            "learning_starts": self.learning_starts,
            "train_freq": self.train_every,
            "gradient_steps": self.gradient_steps,
            "gamma": self.gamma,
            "tau": self.tau,
            "policy_kwargs": policy,
            "seed": self.seed,
            "device": self.device,
        }

    def prepare(self, model: OffPolicyAlgorithm, task: Task) -> None:
        """What a new model needs beyond its arguments."""

    @property
    def final_step(self) -> int:
        """`total_steps` in whole rollouts."""
        rollout = self.num_envs * self.train_every
        return -(-self.total_steps // rollout) * rollout

    def check(self) -> None:
        """ValueError for a count below 1, where a count is what it is."""
        for name in ("total_steps", "num_envs", "batch_size", "buffer_size", "train_every", "gradient_steps", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_starts", "her_goals", "depth"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")


class SB3Learner:
    """One algorithm with its settings on one task; a subclass names the parts.

    Raises:
        ValueError: when the algorithm cannot use the task's actions, observations or goals; it says what can.
    """

    name: str
    model_class: type[OffPolicyAlgorithm]
    config_class: type[OffPolicyConfig]
    action_kind: type[gymnasium.Space] = gymnasium.spaces.Box
    others = "her-dqn, reengage-dqn"  # agents for the other kind of actions
    takes_compact = False  # whether it takes the integer observations of our own networks

    def __init__(self, task: Task, config: OffPolicyConfig) -> None:
        config.check()
        kind = type(task).__name__
        if not isinstance(task.action_space, self.action_kind):
            wanted = self.action_kind.__name__
            raise ValueError(f"{self.name} needs {wanted} actions, {kind} has {task.action_space}; use {self.others}")
        if not isinstance(task.observation_space, gymnasium.spaces.Box):
            raise ValueError(f"{self.name} needs observations that are one array, not {task.observation_space}")
        if config.her_goals and not task.goals.supports_hindsight:
            raise ValueError(
                f"{self.name}: what a state of {kind} achieves cannot be commanded, so hindsight has nothing to "
                "relabel with; use multi-reengage, or her_goals=0"
            )
        least = task.horizon * config.num_envs
        if config.her_goals and task.on_success != "terminate" and config.learning_starts < least:
            raise ValueError(
                f"learning_starts={config.learning_starts} ends before the first episodes do; hindsight needs whole "
                f"episodes: at least {least} (horizon x num_envs)"
            )
        self.task, self.config, self.total_steps = task, config, config.final_step

    def build(self, monitor: Path | None = None) -> tuple[OffPolicyAlgorithm, GoalVectorEnv]:
        """The untrained model, and the environments it acts in; episodes are written to `monitor` (.monitor.csv)."""
        config = self.config
        envs = GoalVectorEnv(self.task, config.num_envs)
        kwargs = config.model_kwargs(self.task)
        if config.her_goals:
            kwargs["replay_buffer_class"] = AchievedGoalHerReplayBuffer
            kwargs["replay_buffer_kwargs"] = {"n_sampled_goal": config.her_goals}
        venv = VecMonitor(SB3VecEnv(envs), None if monitor is None else str(monitor))
        model = self.model_class(env=venv, **kwargs)
        config.prepare(model, self.task)
        return model, envs

    def train(self, run: Run, schedule: Schedule, evaluate: Callable[..., Mapping[str, Any]]) -> "SB3Policy":
        """Train to the end, from the newest checkpoint of `run` if it has one; see `agents.training.train`."""
        latest = run.latest()
        arrays = None if latest is None else load_arrays(latest)
        start = 0 if latest is None else int(latest.name.removeprefix("step_"))
        folder = run.folder / "monitor"  # one file per start; SB3's load_results(folder) reads them together
        folder.mkdir(exist_ok=True)
        model, envs = self.build(folder / f"{start:09d}.monitor.csv")
        model.set_logger(Logger(None, [_Latest()]))
        if arrays is not None:
            restore(model, envs, arrays)
        with Progress(self.total_steps, run.folder.name) as progress, noted_signals() as signals:
            host = _Host(self, run, schedule, evaluate, progress, envs, signals)
            host.init_callback(model)
            progress.say("starting ..." if latest is None else f"going on from {latest.name} ...")
            if start < self.total_steps:
                model.learn(self.total_steps - start, host, log_interval=1, reset_num_timesteps=latest is None)
            host.between_rollouts()
        return SB3Policy(model, self, run)

    @classmethod
    def load(cls, run: Path | str) -> "SB3Policy":
        """The trained agent of a run folder: `.act(observation)`, `.model`.

        Raises:
            RunError: when the folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
        opened = open_run(run)
        learner = opened.learner(cls)
        model, _ = learner.build()
        set_weights(model, trained_arrays(opened))
        return SB3Policy(model, learner, opened)


class SB3Policy:
    """Deterministic policy of a trained model (`.model`, for everything else Stable-Baselines3 can do with one)."""

    def __init__(self, model: OffPolicyAlgorithm, learner: SB3Learner, run: Run | None = None) -> None:
        self.model, self.learner, self.run = model, learner, run

    @property
    def task(self) -> Task:
        """The task that it was trained on."""
        return self.learner.task

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Actions [B, ...] for `observation`, or one action for one observation without a batch axis.

        Raises:
            ValueError: when the observation is of another kind than the agent was trained on.
        """
        return self.model.predict(observation, deterministic=True)[0]

    __call__ = act


class _Latest(KVWriter):
    """Keeps what Stable-Baselines3 logged last."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0) -> None:
        self.values.update(key_values)

    def close(self) -> None:
        pass


class _Host(BaseCallback):
    """Logs, evaluates and saves between rollouts, where nothing is half done."""

    model: OffPolicyAlgorithm

    def __init__(
        self,
        learner: SB3Learner,
        run: Run,
        schedule: Schedule,
        evaluate: Callable[..., Mapping[str, Any]],
        progress: Progress,
        envs: GoalVectorEnv,
        signals: list[int],
    ) -> None:
        super().__init__()
        self.learner, self.run, self.evaluate = learner, run, evaluate
        self.progress, self.envs, self.signals = progress, envs, signals
        self.eval_at, self.save_at = schedule.milestones(learner.total_steps)
        self.tensorboard = schedule.tensorboard
        self.log: Log | None = None

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self.between_rollouts()

    def between_rollouts(self) -> None:
        """What is due at this step."""
        step = self.model.num_timesteps
        if self.log is None:
            self.log = Log(self.run, step, self.tensorboard)
            # An evaluation that was due when the run was stopped is made up for.
            self.seen = step - self.learner.config.num_envs * self.learner.config.train_every
            self.started = self.logged = step
            self.saved_at = self.logged_at = time.monotonic()
            self.saving_took = 0.0
        now, before, self.seen = time.monotonic(), self.seen, step

        def due(milestones: set[int]) -> bool:
            return any(before < milestone <= step for milestone in milestones)

        if step > self.logged and (now - self.logged_at > LOG_SECONDS or due(self.save_at)):
            self._write_row(step, (step - self.logged) / (now - self.logged_at))
        pause = max(CHECKPOINT_SECONDS, self.saving_took / SAVING_SHARE)
        if step > self.started and (due(self.save_at) or self.signals or now - self.saved_at > pause):
            save_checkpoint(self.run.checkpoints, step, capture(self.model, self.envs))
            self.saved_at = time.monotonic()
            self.saving_took = self.saved_at - now
        self._leave_if_asked()
        if due(self.eval_at) and step not in self.log.evaluated:
            self.progress.say("evaluating ...")
            self.log.evaluation(
                step, self.evaluate(SB3Policy(self.model, self.learner, self.run), self._leave_if_asked)
            )
            self.logged_at = time.monotonic()

    def _leave_if_asked(self, *_: Any) -> None:
        if self.signals:
            raise Interrupted(self.signals[0], self.model.num_timesteps)

    def _write_row(self, step: int, speed: float) -> None:
        writer = self.model.logger.output_formats[0]
        assert isinstance(writer, _Latest) and self.log is not None  # noqa: PT018
        said = {**writer.values, **self.model.logger.name_to_value}
        values = {
            name: next((float(said[key]) for key in keys if key in said), float("nan"))
            for name, keys in METRICS.items()
        }
        row = {"step": step, "steps_per_s": round(speed, 1), **values}
        self.log.metrics(row)
        self.progress.update(step, row)
        self.logged, self.logged_at = step, time.monotonic()
