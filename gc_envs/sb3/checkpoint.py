"""Everything that decides how a Stable-Baselines3 (SB3) run goes on, as named plain arrays.

SB3's own files are pickles, and hold neither the environments nor the states of the random number generators. A run
that was killed and is restored from these arrays goes on exactly as if it had not been killed. They are taken between
two rollouts, when no step and no update is half done.
"""

import json
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecMonitor

from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.sb3.vec_env import SB3VecEnv
from gc_envs.training.checkpoint import RunError, flatten, nested, unflatten

Arrays = dict[str, np.ndarray]

# Every private name of SB3 that `gc_envs.sb3` reads, sets, calls or overrides, with the reason, by what has it. A test
# looks for each of them in the installed SB3, and in our sources for any that is not listed.
PRIVATE = {
    "model": {
        "_setup_learn": "called by the trainer to begin a run as `learn` does; `learn` itself owns the loop to the end",
        "_n_updates": "saved: TD3 delays its actor's update by this counter",
        "_n_calls": "saved: DQN moves its target network by this counter",
        "_episode_num": "saved: number of episodes so far",
        "_last_obs": "saved: the observation that the next rollout starts from",
        "_get_torch_save_params": "names the tensors outside any network, such as SAC's entropy weight",
        "_sample_action": "overridden: a share of the exploring actions is uniformly random",
        "_setup_model": "overridden by ReenGAGE, whose checks need the policy that it makes",
        "_vec_normalize_env": "read by ReenGAGE: normalised rewards cannot be compared with `low_reward`",
    },
    "policy": {
        "_build": "overridden by PointSetPolicy, so that actor and critic share one encoder",
    },
    "extractor": {
        "_observation_space": "read by BorrowedEncoder, whose observation space is that of the critic's encoder",
    },
    "replay_buffer": {
        "_current_ep_start": "saved: the row at which the unfinished episode of each environment starts",
        "_get_virtual_samples": "overridden: relabelled transitions with true goals and ends",
        "_sample_goals": "overridden: goals that a state achieved, one at a time",
        "_normalize_obs": "called as HerReplayBuffer does, for VecNormalize",
        "_normalize_reward": "called as HerReplayBuffer does, for VecNormalize",
    },
    "callback": {
        "_on_step": "overridden, as Stable-Baselines3 asks those who write callbacks to",
    },
    "vec_env": {
        "_seeds": "seeds for the next reset, set by `VecEnv.seed`",
        "_options": "options for the next reset, set by `VecEnv.set_options`",
        "_reset_seeds": "seeds are used once",
        "_reset_options": "options are used once",
        "_get_indices": "normalises `indices` of env_method, get_attr and set_attr",
    },
}
COUNTERS = ("num_timesteps", "_n_updates", "_n_calls", "_episode_num", "exploration_rate")  # DQN has them all


def capture(model: OffPolicyAlgorithm, envs: GoalVectorEnv) -> Arrays:
    """Return the state of `model`, of its replay buffer, of its environments and of all random number generators.

    Args:
        model: A model between two rollouts, whose environment is a `VecMonitor`.
        envs: The vector environment inside that `VecMonitor`.
    """
    assert model.replay_buffer is not None
    state = envs.get_state()
    kind, keys, *generator = np.random.get_state()  # noqa: NPY002 - the generator that SB3 draws from
    numbers = {
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "np_random": [kind, *generator],
        "envs": {name: state.pop(name) for name in ("of", "np_random")},
        "actions": model.action_space.np_random.bit_generator.state,
        "threads": torch.get_num_threads(),  # other numbers round differently
    }
    return {
        **_weights(model),
        **flatten({"buffer": _buffer_arrays(model.replay_buffer), "envs": state, "last_obs": model._last_obs}),
        **_episodes(model),
        **torch_generators(model.device),
        "np_random": keys,  # type: ignore[dict-item]
        "numbers": np.frombuffer(json.dumps(numbers).encode(), np.uint8),
    }


def restore(model: OffPolicyAlgorithm, envs: GoalVectorEnv, arrays: Arrays) -> None:
    """Bring a new `model`, whose environments have been reset, into the state that `capture` returned as `arrays`.

    Raises:
        RunError: The arrays are those of other settings.
    """
    set_weights(model, arrays)
    try:
        _restore_rollout(model, envs, arrays)
    except KeyError as error:
        raise RunError(f"the checkpoint does not fit this configuration: it has no {error}") from error


def set_weights(model: OffPolicyAlgorithm, arrays: Arrays) -> None:
    """Copy the networks and optimisers in `arrays` into `model`.

    Raises:
        RunError: They are of other shapes.
    """
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
    for name, tensor in _loose_tensors(model).items():
        if f"weights/{name}" in arrays:
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(arrays[f"weights/{name}"].copy()))


def _weights(model: OffPolicyAlgorithm) -> Arrays:
    """Return networks, optimisers and tensors outside any network, by name."""
    arrays = {}
    for owner, state in model.get_parameters().items():
        tensors: dict[str, Any] = state
        if owner.endswith("optimizer"):
            tensors = {f"{i}/{name}": value for i, slot in state["state"].items() for name, value in slot.items()}
        arrays.update({f"weights/{owner}/{name}": value.numpy(force=True) for name, value in tensors.items()})
    loose = {f"weights/{name}": tensor.numpy(force=True) for name, tensor in _loose_tensors(model).items()}
    return {**arrays, **loose}


def _loose_tensors(model: OffPolicyAlgorithm) -> dict[str, torch.Tensor]:
    """Return the tensors of `model` that are trained outside any network, such as SAC's entropy weight."""
    found = {name: getattr(model, name, None) for name in model._get_torch_save_params()[1]}
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}


def _restore_rollout(model: OffPolicyAlgorithm, envs: GoalVectorEnv, arrays: Arrays) -> None:
    """Restore all of `arrays` but the weights."""
    numbers = json.loads(arrays["numbers"].tobytes())
    for name, value in numbers["counters"].items():
        setattr(model, name, value)
    assert model.replay_buffer is not None
    _fill_buffer(model.replay_buffer, nested(arrays, "buffer"))
    template = {"envs": {"engine": envs.get_state()["engine"]}}
    state = unflatten({name: array for name, array in arrays.items() if name.startswith("envs/")}, template)
    envs.set_state({**state["envs"], **numbers["envs"]})
    model._last_obs = {name: array.copy() for name, array in nested(arrays, "last_obs").items()}
    if isinstance(bridge := model.env and model.env.unwrapped, SB3VecEnv):
        bridge.keep_goals(model._last_obs)
    _restore_episodes(model, arrays)
    torch.set_num_threads(numbers["threads"])
    restore_torch_generators(model.device, arrays)
    kind, *generator = numbers["np_random"]
    np.random.set_state((kind, arrays["np_random"], *generator))  # noqa: NPY002
    model.action_space.np_random.bit_generator.state = numbers["actions"]


def torch_generators(device: torch.device) -> Arrays:
    """Return the states of torch's random number generators: the processor's, and that of `device` if it is CUDA."""
    arrays = {"torch": torch.get_rng_state().numpy()}
    if device.type == "cuda":
        arrays["cuda"] = torch.cuda.get_rng_state(device).numpy()
    return arrays


def restore_torch_generators(device: torch.device, arrays: Arrays) -> None:
    """Restore what `torch_generators` returned; a run that changes between processor and CUDA has nothing for CUDA."""
    torch.set_rng_state(torch.from_numpy(arrays["torch"].copy()))
    if device.type == "cuda" and "cuda" in arrays:
        torch.cuda.set_rng_state(torch.from_numpy(arrays["cuda"].copy()), device)


def _episodes(model: OffPolicyAlgorithm) -> Arrays:
    """Return the unfinished episodes of `VecMonitor`, and the finished ones that running means are taken over."""
    monitor = model.env
    assert isinstance(monitor, VecMonitor) and model.ep_info_buffer is not None  # noqa: PT018
    info = [(episode["r"], episode["l"]) for episode in model.ep_info_buffer]
    return {
        "episodes/info": np.array(info, np.float64).reshape(-1, 2),
        "episodes/success": np.array(model.ep_success_buffer, bool),
        "monitor/returns": monitor.episode_returns,
        "monitor/lengths": monitor.episode_lengths,
    }


def _restore_episodes(model: OffPolicyAlgorithm, arrays: Arrays) -> None:
    """Restore what `_episodes` returned."""
    monitor = model.env
    assert isinstance(monitor, VecMonitor) and model.ep_info_buffer is not None  # noqa: PT018
    assert model.ep_success_buffer is not None
    monitor.episode_returns = arrays["monitor/returns"].copy()
    monitor.episode_lengths = arrays["monitor/lengths"].copy()
    model.ep_info_buffer.extend({"r": r, "l": length, "t": 0.0} for r, length in arrays["episodes/info"].tolist())
    model.ep_success_buffer.extend(arrays["episodes/success"].tolist())


def _buffer_rows(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Return the arrays of `buffer` with one row per step, by name."""
    parts = {name: value for name, value in vars(buffer).items() if isinstance(value, (np.ndarray, dict))}
    parts.pop("infos", None)  # empty dictionaries, unless the user asked SB3 to copy them
    flat = flatten(parts)
    return {name: array for name, array in flat.items() if np.shape(array)[:1] == (buffer.buffer_size,)}


def _buffer_arrays(buffer: ReplayBuffer) -> Arrays:
    """Return the filled rows of `buffer`, and where it goes on."""
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {f"rows/{name}": array[:filled] for name, array in _buffer_rows(buffer).items()}
    arrays["at"] = np.array([buffer.pos, buffer.full])
    if hasattr(buffer, "_current_ep_start"):
        arrays["current_ep_start"] = buffer._current_ep_start
    return arrays


def _fill_buffer(buffer: ReplayBuffer, saved: dict[str, Any]) -> None:
    """Copy what `_buffer_arrays` returned into an empty `buffer`; RunError where it does not fit.

    The buffer of a run that was lengthened has more rows. The saved ones are then all that were ever written, because a
    buffer has a row for every step of its run, or else the same number of rows in both.
    """
    found, empty = flatten(saved["rows"]), _buffer_rows(buffer)
    for name in sorted(set(found) | set(empty)):
        fits = name in found and name in empty and found[name].shape[1:] == empty[name].shape[1:]
        if not fits or len(found[name]) > len(empty[name]):
            raise RunError(f"the checkpoint does not fit this configuration: replay buffer {name!r}")
        empty[name][: len(found[name])] = found[name]
    buffer.pos, buffer.full = int(saved["at"][0]), bool(saved["at"][1])
    grown = buffer.full and len(found["rewards"]) < buffer.buffer_size
    if grown:
        buffer.pos, buffer.full = len(found["rewards"]), False
    if "current_ep_start" in saved:
        start = saved["current_ep_start"]
        if grown:  # an episode that ended in the last row is followed by one that starts after it, not in row 0
            start = np.where(found["ep_length"][-1] > 0, buffer.pos, start)
        buffer._current_ep_start[:] = start  # type: ignore[attr-defined]
