"""A JAX learner as a `Trainer`: jitted chunks of updates, of one run or of several at once. Letters: R runs."""

import time
from collections.abc import Sequence
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

    Several runs are one program, whose state has an axis [R] on every leaf. On a CPU it computes one run after another,
    bit for bit as each alone, which is about as fast there as all at once; on other devices it computes them at once.

    Args:
        learner: What to train.
        runs: The runs, which differ only in their seeds.
        devices: The number of devices to train on; several runs train on one.
    """

    reports_numbers = True

    def __init__(self, learner: Learner, runs: Sequence[RunDir], devices: int = 1) -> None:
        self.learner, self.runs, self._mesh = learner, runs, make_mesh(devices)
        self.total_steps = learner.num_updates * learner.steps_per_update
        self._keys = [jax.random.key(run.config["seed"]) for run in runs]
        self._options = learner.task.compiler_options
        self._run_chunk: Any = None
        self._updates = 0  # done so far, of each run
        self._length = 1  # updates of the next chunk
        self._state: Any = None
        self._policy = JaxPolicy(learner, None)

    @property
    def step(self) -> int:
        """Environment steps that each run has taken so far."""
        return self._updates * self.learner.steps_per_update

    def init(self) -> None:
        """Make the states before the first update, and compile."""
        tell(INIT)
        init = shard(self.learner.init, self._mesh, REPLICATED, self.learner.specs)
        init = jax.jit(init, compiler_options=self._options)
        self._state = _stack([init(key) for key in self._keys])
        self._compile()

    def restore(self, arrays: Sequence[dict[str, np.ndarray]], step: int) -> None:
        """Go on from the arrays of each run's checkpoint [R]; RunError if they do not fit."""
        state = _stack([unflatten(saved, self._shapes()) for saved in arrays])
        self._updates = step // self.learner.steps_per_update
        tell(RESTORE, self._updates)
        self._state = place(broadcast(state), self._mesh, self.learner.specs)
        self._compile()

    def advance(self, until: int) -> list[dict[str, float]]:
        """Make about a second's updates, at most up to the first that reaches step `until`."""
        left = -(-until // self.learner.steps_per_update) - self._updates
        length = min(self._length, left)
        started = time.monotonic()
        metrics = self.run(length)
        seconds = time.monotonic() - started
        self._length = max(1, min(round(length * CHUNK_SECONDS / seconds), 2 * length))
        rows = self._unstack(jax.device_get({**metrics.latest, **metrics.mean}))
        return [{name: value.item() for name, value in row.items()} for row in rows]

    def run(self, length: int) -> Metrics:
        """Make `length` updates of each run, and return what they report."""
        metrics: Metrics
        tell(RUN, length)
        self._state, metrics = jax.block_until_ready(  # type: ignore[no-untyped-call]
            self._run_chunk(self._state, length)
        )
        self._updates += length
        share_signals()
        return metrics

    def arrays(self) -> list[dict[str, np.ndarray]]:
        """Return the state of each run [R] as named plain arrays."""
        tell(ARRAYS)
        return [flatten(state) for state in self._unstack(fetch(self._state))]

    def blank_arrays(self) -> list[dict[str, np.ndarray]]:
        """Return arrays like those of each run's checkpoint [R], of zeros."""
        blank = {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in flatten(self._shapes()).items()}
        return [blank for _ in self.runs]

    def policies(self) -> list[JaxPolicy]:
        """Return the greedy policy of each run [R] at present."""
        states = self._unstack(self.learner.acting_state(self._state))
        # Copies, because the next chunk reuses the memory of the state; of several devices, what the first has.
        return [
            self._policy.with_state(jax.tree.map(lambda leaf: jnp.copy(leaf.addressable_data(0)), state), run)
            for state, run in zip(states, self.runs, strict=True)
        ]

    def _shapes(self) -> Any:
        return jax.eval_shape(self.learner.init, self._keys[0])

    def _compile(self) -> None:
        """Compile before the first chunk, so that compiling does not count as training."""
        specs = self.learner.specs, REPLICATED
        chunk = shard(self._chunks, self._mesh, specs, specs)
        chunk = jax.jit(chunk, donate_argnums=0, compiler_options=self._options)
        self._run_chunk = chunk.lower(self._state, self._length).compile()

    def _chunks(self, state: Any, length: int | jax.Array) -> tuple[Any, Metrics]:
        """Make `length` updates of every run."""
        if len(self.runs) == 1:
            return self._chunk(state, length)
        result: tuple[Any, Metrics]
        if jax.default_backend() == "cpu":
            result = jax.lax.map(lambda state: self._chunk(state, length), state)
        else:
            result = jax.vmap(self._chunk, in_axes=(0, None))(state, length)
        return result

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

    def _unstack(self, tree: Any) -> list[Any]:
        """Return the part of each run [R] of a tree made by `_stack`."""
        count = len(self.runs)
        return [tree] if count == 1 else [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(count)]


def _stack(trees: Sequence[Any]) -> Any:
    """Return trees [R] as one with an axis [R] on every leaf, or the only one as it is."""
    return trees[0] if len(trees) == 1 else jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
