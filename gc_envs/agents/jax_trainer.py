"""A JAX learner as a `Trainer`: jitted chunks of updates."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gc_envs.agents.distributed import ARRAYS, INIT, RESTORE, RUN, broadcast, fetch, share_signals, tell
from gc_envs.agents.policy import JaxPolicy
from gc_envs.agents.sharding import REPLICATED, make_mesh, place, shard
from gc_envs.agents.types import Learner, Metrics
from gc_envs.training.checkpoint import flatten, unflatten
from gc_envs.training.run_dir import RunDir

CHUNK_SECONDS = 1.0  # that the updates between two turns of the host should take


class JaxTrainer:
    """See `training.types.Trainer`.

    Args:
        learner: What to train.
        run: The run that the policy is to name as its own.
        devices: The number of devices to train on.
    """

    def __init__(self, learner: Learner, run: RunDir, devices: int = 1) -> None:
        self.learner, self._mesh = learner, make_mesh(devices)
        self.total_steps = learner.num_updates * learner.steps_per_update
        self._key, self._options = jax.random.key(learner.config.seed), learner.task.compiler_options
        self._run_chunk: Any = None
        self._updates = 0  # done so far
        self._length = 1  # updates of the next chunk
        self._state: Any = None
        self._policy = JaxPolicy(learner, None, run)

    @property
    def step(self) -> int:
        """Environment steps taken so far."""
        return self._updates * self.learner.steps_per_update

    def init(self) -> None:
        """Make the state before the first update, and compile."""
        tell(INIT)
        init = shard(self.learner.init, self._mesh, REPLICATED, self.learner.specs)
        self._state = jax.jit(init, compiler_options=self._options)(self._key)
        self._compile()

    def restore(self, arrays: dict[str, np.ndarray], step: int) -> None:
        """Go on from a checkpoint's arrays; RunError if they do not fit."""
        state = unflatten(arrays, self._shapes())
        self._updates = step // self.learner.steps_per_update
        tell(RESTORE, self._updates)
        self._state = place(broadcast(state), self._mesh, self.learner.specs)
        self._compile()

    def advance(self, until: int) -> dict[str, float]:
        """Make about a second's updates, at most up to the first that reaches step `until`."""
        left = -(-until // self.learner.steps_per_update) - self._updates
        length = min(self._length, left)
        started = time.monotonic()
        metrics = self.run(length)
        seconds = time.monotonic() - started
        self._length = max(1, min(round(length * CHUNK_SECONDS / seconds), 2 * length))
        return {name: value.item() for name, value in {**metrics.latest, **metrics.mean}.items()}

    def run(self, length: int) -> Metrics:
        """Make `length` updates, and return what they report."""
        metrics: Metrics
        tell(RUN, length)
        self._state, metrics = jax.block_until_ready(  # type: ignore[no-untyped-call]
            self._run_chunk(self._state, length)
        )
        self._updates += length
        share_signals()
        return metrics

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the learner's state as named plain arrays."""
        tell(ARRAYS)
        return flatten(fetch(self._state))

    def blank_arrays(self) -> dict[str, np.ndarray]:
        """Return arrays like those of a checkpoint, of zeros."""
        return {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in flatten(self._shapes()).items()}

    def _shapes(self) -> Any:
        return jax.eval_shape(self.learner.init, self._key)

    def policy(self) -> JaxPolicy:
        """Return the greedy policy of the present state."""
        # A copy, because the next chunk reuses the memory of the state; of several devices, what the first has.
        acting_state = self.learner.acting_state(self._state)
        return self._policy.with_state(jax.tree.map(lambda leaf: jnp.copy(leaf.addressable_data(0)), acting_state))

    def _compile(self) -> None:
        """Compile before the first chunk, so that compiling does not count as training."""
        specs = self.learner.specs, REPLICATED
        chunk = shard(self._chunk, self._mesh, specs, specs)
        chunk = jax.jit(chunk, donate_argnums=0, compiler_options=self._options)
        self._run_chunk = chunk.lower(self._state, self._length).compile()

    def _chunk(self, state: Any, length: int | jax.Array) -> tuple[Any, Metrics]:
        """Make `length` updates. The length is an argument, so one compilation serves chunks of all lengths."""
        update = jax.jit(self.learner.update, inline=True)  # traced once, for its shapes and for the loop
        shapes = jax.eval_shape(update, state)[1]
        latest = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes.latest)
        sums = jax.tree.map(lambda x: jnp.zeros((), jnp.float32), shapes.mean)

        def body(_: Any, carry: tuple[Any, Metrics]) -> tuple[Any, Metrics]:
            state, sums = carry
            state, metrics = update(state)
            return state, Metrics(metrics.latest, jax.tree.map(jnp.add, sums.mean, metrics.mean))

        state, total = jax.lax.fori_loop(0, length, body, (state, Metrics(latest, sums)))
        return state, Metrics(total.latest, jax.tree.map(lambda x: x / length, total.mean))
