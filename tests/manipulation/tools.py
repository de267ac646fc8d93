"""What tests of whole manipulation environments share."""

import importlib.util

import gymnasium
import numpy as np
import pytest

from gc_envs.registration import ROWS

FAMILY = [row for row in ROWS if row.family == "manipulation"]
INSTALLED = [row.id for row in FAMILY if importlib.util.find_spec(row.requires)]
IDS = [
    pytest.param(row.id, marks=pytest.mark.skipif(row.id not in INSTALLED, reason=f"needs the extra {row.extra}"))
    for row in FAMILY
]
SPARSE = [param for param in IDS if "Dense" not in param.values[0]]  # one id for each way of moving


def same(ours, theirs, path=""):
    """Bitwise, through dictionaries, tuples and lists."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in theirs:
            same(ours[name], theirs[name], f"{path}/{name}")
    elif isinstance(theirs, (list, tuple)) or (isinstance(theirs, np.ndarray) and theirs.dtype.kind == "O"):
        assert len(ours) == len(theirs)
        for index, each in enumerate(theirs):
            same(ours[index], each, f"{path}/{index}")
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=path)


def random_actions(envs, seed):
    """Endless random actions [N, A] for a vector environment."""
    generator = np.random.default_rng(seed)
    while True:
        yield generator.uniform(-1, 1, envs.action_space.shape).astype(np.float32)


def go_on(env, actions):
    """All that a single or a vector environment says for `actions` [T, ...]; a single one is reset when it ends."""
    said = []
    for action in actions:
        said.append(env.step(action))
        if isinstance(env, gymnasium.Env) and (said[-1][2] or said[-1][3]):
            said.append(env.reset())
    return said
