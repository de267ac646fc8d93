"""Bad calls of the public functions: one error each, which names the value and what is allowed or what to install."""

import importlib.util

import gymnasium
import numpy as np
import pytest

import gc_envs

gymnasium.register_envs(gc_envs)
MAKERS = (gc_envs.make_task, gymnasium.make, gymnasium.make_vec)
PUSH = "GC-PandaPush-v0"


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"backend": "bullet"}, ValueError, r"backend='bullet' is not one of \['auto', 'c', 'mjx', 'warp'\]"),
        ({"num_anchor_goals": 0}, ValueError, "num_anchor_goals must be at least 1, got 0"),
        ({"threads": -1}, ValueError, "threads must be at least 0, got -1"),
        (
            {"gravity": 3},
            TypeError,
            "GC-PandaPush-v0 got an unexpected keyword argument 'gravity'; it takes: num_anchor_goals, backend",
        ),
        ({"threads": "two"}, TypeError, "GC-PandaPush-v0: threads must be int, got 'two'"),
        ({"num_anchor_goals": 2.5}, TypeError, "GC-PandaPush-v0: num_anchor_goals must be int, got 2.5"),
        ({"num_anchor_goals": True}, TypeError, "GC-PandaPush-v0: num_anchor_goals must be int, got True"),
        ({"backend": 3}, TypeError, "GC-PandaPush-v0: backend must be str, got 3"),
        ({"variant": "slide"}, TypeError, "got an unexpected keyword argument 'variant'"),
        ({"goals": []}, ValueError, "goals must be a list of at least one goal"),
        ({"goals": ["nowhere"]}, ValueError, r"unknown goal 'nowhere'; nearest: \(0\..*of 64 goals"),
        ({"goals": [64]}, ValueError, r"anchor goal index 64 is outside 0\.\.63"),
        ({"goals": [[0.6, 0.3, 0.02]]}, ValueError, r"goal \(0\.6, 0\.3, 0\.02\) is outside the box \(0\.45, "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments(make, kwargs, error, message):
    with pytest.raises(error, match=message):
        make(PUSH, **kwargs)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("env_id", "kwargs", "missing", "message"),
    [
        (PUSH, {"backend": "mjx"}, "mujoco.mjx", r"backend='mjx' needs mujoco.mjx; .*pip install \"gc_envs\[manip"),
        (PUSH, {"backend": "warp"}, "warp", r"backend='warp' needs warp; .*pip install \"gc_envs\[warp\]"),
        (PUSH, {}, "mujoco", r"GC-PandaPush-v0 needs mujoco; .*pip install \"gc_envs\[manipulation\]"),
        ("GC-HandReach-v0", {}, "gymnasium_robotics", r"needs gymnasium_robotics; .*pip install \"gc_envs\[hand\]"),
    ],
    ids=["mjx", "warp", "mujoco", "gymnasium_robotics"],
)
def test_what_is_not_installed(make, env_id, kwargs, missing, message, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == missing else find(name, *args))
    with pytest.raises(ModuleNotFoundError, match=message):
        make(env_id, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"array": "jax"}, "array='jax' is for tasks computed by JAX; backend='c' gives array='numpy'"),
        ({"array": "torch"}, "array='torch' is for tasks computed by JAX; backend='c' gives array='numpy'"),
        ({"array": "list"}, "array='list' is not one of"),
        ({"num_envs": 0}, "num_envs must be an integer of at least 1, got 0"),
        ({"horizon": 0}, "horizon must be an integer of at least 1, got 0"),
        ({"on_success": "stop"}, r"on_success='stop' is not one of \['terminate', 'continue', 'resample'\]"),
    ],
    ids=str,
)
def test_arguments_of_vector_environments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gymnasium.make_vec(PUSH, **{"num_envs": 2, "backend": "c", **kwargs})


@pytest.mark.parametrize(
    ("env_id", "goal", "message"),
    [
        (PUSH, [0.6, 0.3, 0.02], r"goal \(0\.6, 0\.3, 0\.02\) is outside the box \(0\.45, .*\)\.\.\(0\.75, .*\)"),
        (PUSH, [0.6, 0.0, np.nan], "is outside the box"),
        (PUSH, [0.6, 0.0], r"a goal has shape \(3,\), got \(2,\)"),
        (PUSH, 64, r"anchor goal index 64 is outside 0\.\.63"),
        (PUSH, "middle", r"unknown goal 'middle'; nearest: \("),
        ("GC-HandReach-v0", 15 * [0.0], r"goal \(0, .*\) is outside the box"),
        ("GC-HandManipulateBlock-v0", [1.0, 0.87, 0.2, 0.5, 0, 0, 0], "quaternion .* must have length 1, it has 0.5"),
    ],
)
def test_goals(env_id, goal, message):
    goal = np.float32(goal) if isinstance(goal, list) else goal
    env, envs = gymnasium.make(env_id, backend="c"), gymnasium.make_vec(env_id, num_envs=2, backend="c")
    for each in (env, envs):
        with pytest.raises(ValueError, match=message):
            each.reset(seed=0, options={"goal": goal})
        each.reset(seed=0)  # no harm is done


def test_actions():
    env, envs = gymnasium.make(PUSH, backend="c").unwrapped, gymnasium.make_vec(PUSH, num_envs=2, backend="c")
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        envs.step(np.zeros((2, 3)))
    env.reset(seed=0)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"action of shape \(4,\) given, expected \(3,\)"):
        env.step(np.zeros(4))
    with pytest.raises(ValueError, match="action has a number that is not finite"):
        env.step(np.array([0, np.nan, 0]))
    with pytest.raises(ValueError, match=r"action of shape \(3, 3\) given, expected \(2, 3\)"):
        envs.step(np.zeros((3, 3)))
