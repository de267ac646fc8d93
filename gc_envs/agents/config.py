"""What every learner's configuration has."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class LearnerConfig:
    """Size of a run and its seed."""

    total_steps: int = 1_000_000  # environment steps, over all lanes
    num_envs: int = 64  # lanes stepped side by side (published: 1024)
    seed: int = 0
    success_forgetting: float = 0.999  # per update, of the running success rate

    def num_updates(self, steps_per_update: int) -> int:
        """Updates that `total_steps` makes, at least one."""
        if self.total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, got {self.total_steps}")
        return max(1, self.total_steps // steps_per_update)

    def check_minibatches(self, batch: int, minibatch_size: int) -> None:
        """ValueError unless minibatches divide the batch; it suggests a size that does."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int") and field.name != "seed" and value < 1:
                raise ValueError(f"{field.name} must be at least 1, got {value}")
        if batch % minibatch_size:
            fits = max(size for size in range(1, min(batch, minibatch_size) + 1) if batch % size == 0)
            raise ValueError(
                f"minibatch_size={minibatch_size} does not divide the {batch} steps of an update; try {fits}"
            )


def linear_schedule(start: float, end: float, updates: float, update: jax.Array) -> jax.Array:
    """From `start` at update 0 to `end` at `updates` and after."""
    return start + (end - start) * jnp.clip(update / max(updates, 1.0), 0.0, 1.0)
