"""All that decides how a Stable-Baselines3 run goes on, as named plain arrays.

Stable-Baselines3's own files are pickles, and leave out the environment and the random numbers. With these arrays a run
that was killed goes on exactly as if it had not been. They are taken between two rollouts.
"""

import json
from collections import deque
from typing import Any

import jax
import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.training.checkpoint import RunError, flatten, nested

Arrays = dict[str, np.ndarray]
COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num", "exploration_rate")  # DQN has them all


def capture(model: OffPolicyAlgorithm, envs: GoalVectorEnv) -> Arrays:
    """`model`, its replay buffer, the environments it acts in and every random generator they draw from."""
    assert model.replay_buffer is not None
    state = envs.get_state()
    random_state = np.random.get_state()  # noqa: NPY002 - the generator that Stable-Baselines3 draws from
    numbers = {
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "np_random": [random_state[0], *map(int, random_state[2:4]), float(random_state[4])],  # type: ignore[index]
        "envs": state["np_random"],
        "actions": model.action_space.np_random.bit_generator.state,
    }
    return {
        **_weights(model),
        **{f"buffer/{name}": array for name, array in _buffer_arrays(model.replay_buffer).items()},
        **flatten({"lanes": state["lanes"], "over": state["over"]}),
        **{f"last_obs/{name}": array for name, array in model._last_obs.items()},  # type: ignore[union-attr]
        **_episodes(model),
        "torch": torch.get_rng_state().numpy(),
        "np_random": random_state[1],  # type: ignore[index]
        "numbers": np.frombuffer(json.dumps(numbers).encode(), np.uint8),
    }


def restore(model: OffPolicyAlgorithm, envs: GoalVectorEnv, arrays: Arrays) -> None:
    """Bring a newly made `model` to where `capture` found one with the same settings.

    Raises:
        RunError: when the arrays do not fit.
    """
    numbers = json.loads(arrays["numbers"].tobytes())
    set_weights(model, arrays)
    for name, value in numbers["counters"].items():
        setattr(model, name, value)
    assert model.replay_buffer is not None
    _fill_buffer(model.replay_buffer, nested(arrays, "buffer"))
    envs.reset(seed=0)  # gives the lanes their structure
    template = envs.get_state()
    leaves = flatten({"lanes": template["lanes"], "over": template["over"]})
    structure = jax.tree.structure({"lanes": template["lanes"], "over": template["over"]})
    filled = jax.tree.unflatten(structure, [arrays[name] for name in leaves])
    envs.set_state({**filled, "np_random": numbers["envs"]})
    model._last_obs = {name: array.copy() for name, array in nested(arrays, "last_obs").items()}
    monitor = model.env
    assert isinstance(monitor, VecMonitor)
    monitor.episode_returns = arrays["monitor/returns"].copy()
    monitor.episode_lengths = arrays["monitor/lengths"].copy()
    model._last_episode_starts = arrays["monitor/lengths"] == 0
    model.ep_info_buffer = deque(
        ({"r": r, "l": n, "t": 0.0} for r, n in arrays["episodes/info"].tolist()), maxlen=model._stats_window_size
    )
    model.ep_success_buffer = deque(arrays["episodes/success"].tolist(), maxlen=model._stats_window_size)
    torch.set_rng_state(torch.from_numpy(arrays["torch"].copy()))
    kind, position, has_gauss, gauss = numbers["np_random"]
    np.random.set_state((kind, arrays["np_random"], position, has_gauss, gauss))  # noqa: NPY002
    model.action_space.np_random.bit_generator.state = numbers["actions"]


def set_weights(model: OffPolicyAlgorithm, arrays: Arrays) -> None:
    """The networks and optimisers of `arrays` into `model`; RunError where they are of another shape."""
    parameters: dict[str, Any] = model.get_parameters()
    try:
        for owner, state in parameters.items():
            if owner.endswith("optimizer"):
                slots = nested(arrays, f"weights/{owner}")
                state["state"] = {
                    int(i): {name: torch.from_numpy(array.copy()) for name, array in slot.items()}
                    for i, slot in slots.items()
                }
            else:
                for name in state:
                    state[name] = torch.from_numpy(arrays[f"weights/{owner}/{name}"].copy())
        model.set_parameters(parameters, device=model.device)
    except (KeyError, ValueError, RuntimeError) as error:
        raise RunError(f"the checkpoint does not fit this configuration: {error}") from error
    for name in model._get_torch_save_params()[1]:  # tensors outside any module, such as SAC's entropy weight
        if f"weights/{name}" in arrays:
            with torch.no_grad():
                getattr(model, name).copy_(torch.from_numpy(arrays[f"weights/{name}"].copy()))


def _weights(model: OffPolicyAlgorithm) -> Arrays:
    arrays = {}
    for owner, state in model.get_parameters().items():
        tensors: dict[str, Any] = state
        if owner.endswith("optimizer"):
            tensors = {f"{i}/{name}": value for i, slot in state["state"].items() for name, value in slot.items()}
        arrays.update({f"weights/{owner}/{name}": value.numpy(force=True) for name, value in tensors.items()})
    for name in model._get_torch_save_params()[1]:
        if isinstance(tensor := getattr(model, name, None), torch.Tensor):
            arrays[f"weights/{name}"] = tensor.numpy(force=True)
    return arrays


def _episodes(model: OffPolicyAlgorithm) -> Arrays:
    monitor = model.env
    assert isinstance(monitor, VecMonitor) and model.ep_info_buffer is not None  # noqa: PT018
    info = [(e["r"], e["l"]) for e in model.ep_info_buffer]
    return {
        "episodes/info": np.array(info, np.float64).reshape(-1, 2),
        "episodes/success": np.array(model.ep_success_buffer, bool),
        "monitor/returns": monitor.episode_returns,
        "monitor/lengths": monitor.episode_lengths,
    }


def _rows(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """The buffer's arrays with a row per step, by name."""
    parts = {name: value for name, value in vars(buffer).items() if isinstance(value, (np.ndarray, dict))}
    parts.pop("infos", None)  # empty dictionaries, unless the user asked SB3 to copy them
    flat = flatten(parts)
    return {name: array for name, array in flat.items() if np.shape(array)[:1] == (buffer.buffer_size,)}


def _buffer_arrays(buffer: ReplayBuffer) -> Arrays:
    """What is filled of the buffer's arrays."""
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {f"rows/{name}": array[:filled] for name, array in _rows(buffer).items()}
    arrays["at"] = np.array([buffer.pos, buffer.full])
    if hasattr(buffer, "_current_ep_start"):
        arrays["current_ep_start"] = buffer._current_ep_start
    return arrays


def _fill_buffer(buffer: ReplayBuffer, saved: dict[str, Any]) -> None:
    rows = flatten(saved["rows"])
    for name, array in _rows(buffer).items():
        if name not in rows or rows[name].shape[1:] != array.shape[1:] or len(rows[name]) > len(array):
            raise RunError(f"the checkpoint does not fit this configuration: replay buffer {name!r}")
        array[: len(rows[name])] = rows[name]
    buffer.pos, buffer.full = int(saved["at"][0]), bool(saved["at"][1])
    if "current_ep_start" in saved:
        buffer._current_ep_start[:] = saved["current_ep_start"]  # type: ignore[attr-defined]
