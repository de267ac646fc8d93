"""Compiled steps that several tests share: MJX takes a CPU 10 to 20 seconds to compile."""

from typing import NamedTuple

import jax
import pytest

from gc_envs.manipulation.panda import PandaTask

NUM_ENVS = 8


class Compiled(NamedTuple):
    """A task, and its functions as compiled programs for `NUM_ENVS` environments."""

    task: PandaTask
    reset: object  # keys [8] -> states
    step: object  # (states, actions [8, A]) -> states


def compiled(task):
    """The compiled functions of `task`; nothing is compiled before the first call."""
    options, key = task.compiler_options, jax.random.key(0)
    return Compiled(
        task,
        jax.jit(jax.vmap(task.reset), compiler_options=options),
        jax.jit(jax.vmap(lambda state, action: task.step(key, state, action)), compiler_options=options),
    )


@pytest.fixture(scope="session")
def mjx_pick_and_place():
    return compiled(PandaTask("pick_and_place", backend="mjx"))
