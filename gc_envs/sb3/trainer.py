"""A training run of a Stable-Baselines3 (SB3) model, in pieces that the host loop asks for."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq
from stable_baselines3.common.utils import safe_mean

from gc_envs.core.task import Task
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.sb3.checkpoint import Arrays, capture, restore
from gc_envs.sb3.policy import SB3Policy
from gc_envs.sb3.threads import fastest_threads, processors
from gc_envs.training.run_dir import RunDir

Build = Callable[[Path | None], tuple[OffPolicyAlgorithm, GoalVectorEnv]]
ADVANCE_SECONDS = 1.0  # after which `advance` returns, once the rollout and its updates are done
# Columns of metrics.csv, and the names under which SB3 logs each of them; no algorithm has all of them.
LOSSES = {
    "critic_loss": ("train/critic_loss", "train/loss"),
    "actor_loss": ("train/actor_loss",),
    "gradient_loss": ("train/gradient_loss",),
}


class EpisodeSuccess(BaseCallback):
    """Callback that makes SB3's running success count the episodes that reached their goal at *some* step.

    SB3 takes `is_success` from the info of an episode's last step.

    Args:
        envs: The environments of the model, N of them.
    """

    def __init__(self, envs: GoalVectorEnv) -> None:
        super().__init__()
        self.goals, self.reached = envs.goals, np.zeros(envs.num_envs, bool)  # [N], in the unfinished episodes

    def _on_step(self) -> bool:
        """Note what the step reached, and tell SB3 where it ended an episode."""
        observation, dones, infos = (self.locals[name] for name in ("new_obs", "dones", "infos"))
        # Where an episode ended, this is about the first state of the next one, and the info is about the last.
        success = np.asarray(self.goals.success(observation["achieved_goal"], observation["desired_goal"]))
        self.reached |= success & ~dones
        for i in np.flatnonzero(dones):
            infos[i]["is_success"] = bool(self.reached[i] | infos[i]["is_success"])
        self.reached &= ~dones
        return True


class SB3Trainer:
    """One training run in memory: a `Trainer` of R = 1 runs.

    `advance` does what `OffPolicyAlgorithm.learn` does, for a limited time.

    Every start of the run writes its finished episodes to `monitor/STEP.monitor.csv` in the run folder, which
    `stable_baselines3.common.monitor.load_results` reads together.

    Args:
        build: What makes the untrained model and its environments, given the file that episodes are written to.
        task: The task to learn.
        total_steps: Environment steps of the whole run.
        run: The run folder.
        threads: Number of threads that torch computes with, in all of this process; 0 measures which is fastest.
    """

    reports_numbers = False

    model: OffPolicyAlgorithm
    envs: GoalVectorEnv

    def __init__(self, build: Build, task: Task, total_steps: int, run: RunDir, threads: int = 0) -> None:
        self.build, self.task, self.total_steps, self.run = build, task, total_steps, run
        self.threads = threads

    @property
    def step(self) -> int:
        """Environment steps taken so far, over all environments."""
        return self.model.num_timesteps

    def init(self) -> None:
        """Build the model, and reset its environments."""
        torch.set_num_threads(self.threads or self._fastest_threads())
        self._start(0)

    def restore(self, arrays: Sequence[Arrays], step: int) -> None:
        """Go on from the arrays of the checkpoint of `step`, with its number of threads.

        Raises:
            RunError: They do not fit.
        """
        (saved,) = arrays
        self._start(step)
        restore(self.model, self.envs, saved)
        self._success.reached = saved["episodes/reached"].copy()

    def advance(self, until: int) -> list[dict[str, float]]:
        """Train for about a second, or to the first rollout that ends at step `until` or later; return metrics.

        Returns:
            running_success: Share of the last 100 episodes that reached their goal at some step.
            episode_return: Mean return of the last 100 episodes.
            critic_loss, actor_loss, gradient_loss: Of the last update; nan for what the algorithm does not have or
                before the first update.
        """
        deadline = time.monotonic() + ADVANCE_SECONDS
        while self.step < until:
            self._collect_and_train()
            if time.monotonic() > deadline:
                break
        return [self._metrics()]

    def arrays(self) -> list[Arrays]:
        """Return everything that decides how training goes on."""
        return [{**capture(self.model, self.envs), "episodes/reached": self._success.reached}]

    def policies(self) -> list[SB3Policy]:
        """Return the deterministic policy of the model; it follows the model when training goes on."""
        return [SB3Policy(self.model, self.task, self.run)]

    def _fastest_threads(self) -> int:
        """Measure with which number of threads updates are fastest, say it on stderr, and return it."""
        model, envs = self.build(None)
        threads = fastest_threads(model)
        envs.close()
        found = f"torch computes with {threads} of {processors()} threads, the fastest now"
        print(f"{found}; --threads {threads} gives the same results later", file=sys.stderr)
        return threads

    def _start(self, step: int) -> None:
        """Build the model, and set it up as `learn` does: progress, which schedules depend on, is that of the run."""
        folder = self.run.folder / "monitor"
        folder.mkdir(exist_ok=True)
        self.model, self.envs = self.build(folder / f"{step:09d}.monitor.csv")
        self.model.set_logger(Logger(None, []))  # no output: `advance` reads the values
        self._success = EpisodeSuccess(self.envs)
        self.model._setup_learn(self.total_steps, self._success)

    def _collect_and_train(self) -> None:
        """Do one iteration of `OffPolicyAlgorithm.learn`: a rollout, and the updates that follow it."""
        model = self.model
        assert model.env is not None and model.replay_buffer is not None  # noqa: PT018
        assert isinstance(model.train_freq, TrainFreq)
        model.collect_rollouts(
            model.env,
            callback=self._success,
            train_freq=model.train_freq,
            replay_buffer=model.replay_buffer,
            action_noise=model.action_noise,
            learning_starts=model.learning_starts,
        )
        if model.num_timesteps > model.learning_starts:
            model.train(gradient_steps=model.gradient_steps, batch_size=model.batch_size)

    def _metrics(self) -> dict[str, float]:
        """Return one row of metrics.csv."""
        model, logged = self.model, self.model.logger.name_to_value
        assert model.ep_info_buffer is not None and model.ep_success_buffer is not None  # noqa: PT018
        return {
            "running_success": float(safe_mean(model.ep_success_buffer)),
            "episode_return": float(safe_mean([episode["r"] for episode in model.ep_info_buffer])),
            **{
                column: next((float(logged[key]) for key in keys if key in logged), float("nan"))
                for column, keys in LOSSES.items()
            },
        }
