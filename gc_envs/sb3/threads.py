"""How many threads torch computes with, chosen by measuring updates.

A second thread makes updates faster on an idle machine, and many times slower where other programs use the cores: the
threads of one operation wait for each other. Other numbers of threads round differently, so a run keeps its number.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

SECONDS = 1.2  # that a measurement takes at least
ROUNDS = 3  # in which the numbers take turns, so that a short disturbance does not decide


def fastest_threads(model: OffPolicyAlgorithm) -> int:
    """Return the number of threads, from 1 to that of the processors, with which updates are fastest now.

    Args:
        model: A model of its own for the measurement, which trains it and takes random numbers. A model that is to be
            trained in earnest is built, and thereby seeded, afterwards.
    """
    counts = thread_counts(processors())
    if len(counts) == 1 or model.device.type != "cpu":
        return counts[0]
    model.set_logger(Logger(None, []))
    model.replay_buffer = _OneBatch(_batch(model))  # type: ignore[assignment]
    return fastest(counts, lambda: model.train(gradient_steps=1, batch_size=model.batch_size), torch.set_num_threads)


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts(limit: int) -> list[int]:
    """Return the powers of two below `limit`, and `limit`."""
    return [2**i for i in range(limit.bit_length()) if 2**i < limit] + [limit]


def fastest(counts: list[int], update: Callable[[], None], use: Callable[[int], None]) -> int:
    """Return the number of `counts` with which, once it is in `use`, calls of `update` take the least time on average.

    Averages, and not the shortest times, because the disturbance by other programs is what is to be measured.
    """
    calls, seconds = dict.fromkeys(counts, 0), dict.fromkeys(counts, 0.0)
    for count in counts:  # the first calls make threads and buffers
        use(count)
        update()
    while sum(seconds.values()) < SECONDS:
        for count in counts:
            use(count)
            start = now = time.perf_counter()
            while now < start + SECONDS / ROUNDS / len(counts):
                update()
                calls[count] += 1
                now = time.perf_counter()
            seconds[count] += now - start
    return min(counts, key=lambda count: seconds[count] / calls[count])


class _OneBatch:
    """A replay buffer that always samples the same batch."""

    def __init__(self, batch: DictReplayBufferSamples) -> None:
        self.batch = batch

    def sample(self, *args: Any, **kwargs: Any) -> DictReplayBufferSamples:
        """Return the batch."""
        return self.batch


def _batch(model: OffPolicyAlgorithm) -> DictReplayBufferSamples:
    """Return a batch of ones of the size and form that `model` trains on, which makes as much work as any."""
    buffer: Any = model.replay_buffer

    def ones(stored: np.ndarray) -> torch.Tensor:
        tensor: torch.Tensor = buffer.to_torch(np.ones((model.batch_size, *stored.shape[2:]), stored.dtype))
        return tensor

    observations, following = (
        {name: ones(stored) for name, stored in part.items()}
        for part in (buffer.observations, buffer.next_observations)
    )
    dones = torch.zeros(model.batch_size, 1)
    rewards = dones + getattr(model, "low_reward", 0.0)  # those of the transitions that the gradient term is about
    return DictReplayBufferSamples(observations, ones(buffer.actions), following, dones, rewards)
