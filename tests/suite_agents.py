"""Agents of which the tests of suites know what they score."""

import os
import time
from pathlib import Path

import numpy as np


def straight(env_spec, observation_space, action_space):
    """Return a policy that goes straight to the goals of ContinuousSeek, which it reaches in five steps."""
    if env_spec.id != "GC-ContinuousSeek-v0":
        return None
    note(env_spec.kwargs["dim"])
    return lambda observation: np.clip(observation["desired_goal"] - observation["observation"], -1, 1)


def note(dim):
    """Append a line to the file that SUITE_AGENTS_LOG names, and wait where SUITE_AGENTS_WAIT names the dimension."""
    if "SUITE_AGENTS_LOG" in os.environ:
        with Path(os.environ["SUITE_AGENTS_LOG"]).open("a") as log:
            log.write(f"{dim}\n")
    if os.environ.get("SUITE_AGENTS_WAIT") == str(dim):
        time.sleep(600)


def hanging(env_spec, observation_space, action_space):
    """Return a policy that never returns on 5-dimensional ContinuousSeek, and goes straight on others."""
    if env_spec.kwargs.get("dim") == 5:
        return lambda observation: time.sleep(600)
    return straight(env_spec, observation_space, action_space)


def dying(env_spec, observation_space, action_space):
    """Return a policy that ends its process on 5-dimensional ContinuousSeek."""
    if env_spec.kwargs.get("dim") == 5:
        os._exit(9)
    return straight(env_spec, observation_space, action_space)


number = 3
