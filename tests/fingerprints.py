"""What the environments, the wrappers and the learners do, as short hashes: `python tests/fingerprints.py --help`.

A change of structure must leave every hash as it is; a change of behaviour shows as one that differs. Hashes are exact,
so they hold for one kind of processor and one set of package versions, which the recorded file names.
"""

import argparse
import contextlib
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from safetensors.numpy import load_file

import gc_envs

RECORDED = Path(__file__).parent / "golden" / "fingerprints.json"
PACKAGES = ("jax", "jaxlib", "numpy", "torch", "mujoco", "mujoco-mjx", "craftax", "stable-baselines3", "flax", "optax")
NUM_ENVS, STEPS, HORIZON = 3, 12, 5
IDS = sorted(env_id for env_id in gymnasium.registry if env_id.startswith("GC-"))
ROBOTS = [env_id for env_id in IDS if env_id.startswith(("GC-Panda", "GC-Hand"))]
MODES = tuple(AutoresetMode)
INFOS = ("is_success", "goal", "all_goals", "diverged")


class Digest:
    """A running hash of arrays, in any nesting; dtypes and shapes count."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, *values: Any) -> "Digest":
        for value in values:
            if isinstance(value, dict):
                for key in sorted(value):
                    self._hash.update(key.encode())
                    self.add(value[key])
            elif isinstance(value, (list, tuple)):
                self.add(*value)
            elif isinstance(value, np.ndarray) and value.dtype == object:
                self.add(*value.tolist())
            elif value is None or isinstance(value, str):
                self._hash.update(repr(value).encode())
            else:
                array = np.asarray(value)
                self._hash.update(f"{array.dtype.kind}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return self

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


def infos_of(info: dict[str, Any]) -> list[Any]:
    """What an info says, keys in a fixed order."""
    return [info.get("fault" if key == "diverged" and key not in info else key) for key in INFOS] + [
        info.get("goal_name")
    ]


def vector(env_id: str, mode: AutoresetMode, **kwargs: Any) -> str:
    """Resets, steps, ends and goals of a vector environment."""
    envs = gymnasium.make_vec(env_id, num_envs=NUM_ENVS, autoreset_mode=mode, horizon=HORIZON, **kwargs)
    digest = Digest()
    observation, info = envs.reset(seed=11)
    digest.add(observation, infos_of(info))
    rng = np.random.default_rng(5)
    ended = np.zeros(NUM_ENVS, bool)
    for step in range(STEPS):
        if mode is AutoresetMode.DISABLED and ended.any():
            digest.add(envs.reset(options={"reset_mask": ended})[0])
        actions = sample(envs.single_action_space, rng, NUM_ENVS)
        observation, reward, terminated, truncated, info = envs.step(as_array(actions, kwargs.get("array", "numpy")))
        terminated, truncated = np.array(terminated), np.array(truncated)
        ended = terminated | truncated
        digest.add(numpy(observation), numpy(reward), terminated, truncated, infos_of(numpy(info)))
        if "final_obs" in info and ended.any():
            final = numpy(info["final_obs"])
            if isinstance(final, dict):  # arrays of all environments: only those that ended count
                final = {key: value[ended] for key, value in final.items()}
            digest.add(final, numpy(info["final_info"])["is_success"][ended])
        if step == 2 and kwargs.get("array", "numpy") == "numpy":
            digest.add(envs.set_goal(observation["desired_goal"][0])[0])
            state = envs.get_state()
            first = envs.step(actions)
            envs.set_state(state)
            assert str(Digest().add(first[0])) == str(Digest().add(envs.step(actions)[0])), "set_state went elsewhere"
            envs.set_state(state)
    return str(digest)


def single(env_id: str, **kwargs: Any) -> str:
    """One environment: resets by seed and by chance, a commanded goal, a step past the end."""
    env = gymnasium.make(env_id, horizon=HORIZON, **kwargs).unwrapped
    digest, rng = Digest(), np.random.default_rng(6)
    observation, info = env.reset(seed=3)
    goal = observation["desired_goal"]
    for _ in range(STEPS):
        digest.add(observation, infos_of(info))
        observation, reward, terminated, truncated, info = env.step(sample(env.action_space, rng))
        digest.add(float(reward), bool(terminated), bool(truncated))
        if terminated or truncated:
            digest.add(observation, infos_of(info))
            observation, info = env.reset()
    digest.add(*env.reset(options={"goal": goal}))
    return str(digest.add(env.set_goal(goal)[0]))


def wrapped(name: str) -> str:
    """A wrapper over a small environment."""
    from gc_envs import wrappers as w

    def run(env: Any, count: int | None = None, attributes: Iterable[str] = ()) -> str:
        digest, rng = Digest(), np.random.default_rng(7)
        observation, info = env.reset(seed=4)
        space = env.action_space if count is None else env.single_action_space
        for _ in range(20):
            digest.add(observation, infos_of(info))
            observation, reward, terminated, truncated, info = env.step(sample(space, rng, count))
            digest.add(numpy(reward), terminated, truncated)
            if count is None and (terminated or truncated):
                observation, info = env.reset()
        return str(digest.add(*(np.nan_to_num(getattr(env, attribute)) for attribute in attributes)))

    def grid() -> Any:
        return gymnasium.make("GC-Gridworld-v0", size=5, horizon=6)

    def grids(mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> Any:
        return gymnasium.make_vec("GC-Gridworld-v0", num_envs=NUM_ENVS, size=5, horizon=6, autoreset_mode=mode)

    def seeks(mode: AutoresetMode) -> Any:
        return gymnasium.make_vec("GC-ContinuousSeek-v0", num_envs=NUM_ENVS, dim=3, horizon=6, autoreset_mode=mode)

    rates = ("success_rates", "attempts")
    cases: dict[str, Callable[[], str]] = {
        "all_goals": lambda: run(w.AllGoalsInfo(grid(), goals=4)),
        "flatten": lambda: run(w.FlattenGoal(grid())),
        "statistics": lambda: run(w.GoalStatistics(grid()), attributes=rates),
        "per_goal": lambda: run(w.PerGoalReward(grid())),
    }
    for rule in ("seen", "uniform", "cycle"):
        cases[f"sampler_{rule}"] = lambda rule=rule: run(w.GoalSampler(grid(), rule))
        cases[f"samplers_{rule}"] = lambda rule=rule: run(w.GoalSamplerVector(grids(), rule), NUM_ENVS)
    for mode in MODES[:2]:
        tag = mode.name.lower()
        cases[f"all_goals_{tag}"] = lambda mode=mode: run(w.AllGoalsInfoVector(seeks(mode), goals=4), NUM_ENVS)
        cases[f"flatten_{tag}"] = lambda mode=mode: run(w.FlattenGoalVector(seeks(mode)), NUM_ENVS)
        cases[f"statistics_{tag}"] = lambda mode=mode: run(w.GoalStatisticsVector(grids(mode)), NUM_ENVS, rates)
        cases[f"success_{tag}"] = lambda mode=mode: run(
            w.GoalSamplerVector(w.GoalStatisticsVector(grids(mode)), "success"), NUM_ENVS
        )
    return cases[name]()


WRAPPERS = (
    *("all_goals", "flatten", "statistics", "per_goal"),
    *(f"{kind}_{rule}" for rule in ("seen", "uniform", "cycle") for kind in ("sampler", "samplers")),
    *(f"{kind}_{m.name.lower()}" for m in MODES[:2] for kind in ("all_goals", "flatten", "statistics", "success")),
)


def trained(agent: str, env_id: str, env_kwargs: dict[str, Any], settings: dict[str, Any]) -> dict[str, str]:
    """A short run: the arrays of its last checkpoint, its metrics and its evaluation."""
    from gc_envs.agents import LEARNERS
    from gc_envs.cli import main

    in_jax = LEARNERS[agent].path.startswith("gc_envs.agents.")
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items() if value is not True]
    flags += [f"--{key}" for key, value in settings.items() if value is True]
    pairs = [f"{key}={value}" for key, value in env_kwargs.items()]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        argv = ["train", agent, env_id, *flags, "--evaluations", "1", "--run-dir", str(run)]
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
            code = main([*argv, *(["--env-kwargs", *pairs] if pairs else [])])
        assert code == 0, said.getvalue()
        arrays = load_file(sorted((run / "checkpoints").glob("step_*"))[-1] / "state.safetensors")
        learned = {n: x for n, x in arrays.items() if in_jax or n.startswith(("weights/", "buffer/"))}
        floats = sorted(str(Digest().add(x)) for x in learned.values() if x.dtype == np.float32 and x.size > 1)
        with (run / "metrics.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        evaluation = json.loads((run / "evaluation.json").read_text())
    metrics = {key: value for key, value in last.items() if key in METRICS}
    results = {key: evaluation[key] for key in ("success", "success_last", "return", "per_goal")}
    if in_jax:  # Stable-Baselines3's metrics depend on when, by the clock, they were written
        results = results | metrics
    return {"arrays": str(Digest().add(floats)), "results": str(Digest().add(json.dumps(results, sort_keys=True)))}


METRICS = ("step", "running_success", "loss", "critic_loss", "teacher_loss", "student_loss")
LEO_GRID = {"total_steps": 20 * 8 * 16, "num_envs": 16, "seed": 2}
SMALL = {"total_steps": 20 * 4 * 4, "num_envs": 4, "rollout_steps": 4, "minibatch_size": 8, "width": 16, "seed": 2}
DEEP = {"depth": 2}
ACTOR_CRITIC = {"actor_depth": 1, "critic_depth": 1}
TEACHER = {"teacher_minibatch_size": 8, "teacher_depth": 2, "teacher_conv_features": 4}
LEO_CRAFTAX = {
    "total_steps": 20 * 4 * 4, "num_envs": 4, "rollout_steps": 4, "minibatch_size": 8, "width": 16, "depth": 2,
    "conv_features": 4, "eval_episodes": 1,
}  # fmt: skip
CRAFTAX = SMALL | {"conv_features": 4, "eval_episodes": 1}
SB3 = {
    "total_steps": 140, "learning_starts": 120, "batch_size": 16, "width": 16, "seed": 2, "buffer_size": 1000,
    "threads": 1,
}  # fmt: skip
RUNS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "leo": ("leo", "GC-Gridworld-v0", {"size": 5}, LEO_GRID),
    "pqn": ("pqn", "GC-Gridworld-v0", {"size": 5}, SMALL | DEEP | {"td_lambda": 0.5}),
    "pqn-her": ("pqn-her", "GC-Gridworld-v0", {"size": 5}, SMALL | DEEP),
    "pqn-her-all": ("pqn-her", "GC-Gridworld-v0", {"size": 5}, SMALL | DEEP | {"relabel": "all"}),
    "ppo": ("ppo", "GC-Gridworld-v0", {"size": 5}, SMALL | ACTOR_CRITIC),
    "dual-leo-pqn": ("dual-leo-pqn", "GC-Gridworld-v0", {"size": 5}, SMALL | DEEP),
    "dual-leo-ppo": ("dual-leo-ppo", "GC-Gridworld-v0", {"size": 5}, SMALL | ACTOR_CRITIC | TEACHER),
    "leo-craftax": ("leo", "GC-Craftax-Classic-v0", {}, LEO_CRAFTAX),
    "pqn-her-craftax": ("pqn-her", "GC-Craftax-Classic-v0", {}, CRAFTAX | DEEP),
    "dual-leo-ppo-craftax": ("dual-leo-ppo", "GC-Craftax-Classic-v0", {}, CRAFTAX | ACTOR_CRITIC | TEACHER),
    "her-ddpg": ("her-ddpg", "GC-ContinuousSeek-v0", {"dim": 3}, SB3),
    "her-sac": ("her-sac", "GC-ContinuousSeek-v0", {"dim": 3}, SB3 | {"normalize": True}),
    "her-dqn": ("her-dqn", "GC-BitFlip-v0", {"bits": 6}, SB3),
    "reengage-td3": ("reengage-td3", "GC-ContinuousSeek-v0", {"dim": 3}, SB3 | {"action_l2": 0.5}),
    "reengage-dqn": ("reengage-dqn", "GC-BitFlip-v0", {"bits": 6}, SB3),
    "multi-reengage": (
        "multi-reengage", "GC-DriveSeek-v0", {"max_goals": 8}, SB3 | {"encoder_width": 16, "embedding": 4},
    ),
    "her-ddpg-reach": ("her-ddpg", "GC-PandaReach-v0", {}, SB3 | {"num_envs": 2, "learning_starts": 100}),
}  # fmt: skip


def cases() -> dict[str, Callable[[], Any]]:
    """Every case by name: a function that gives its hash, or hashes by name."""
    found: dict[str, Callable[[], Any]] = {}
    for env_id in IDS:
        for mode in MODES:
            found[f"vector {env_id} {mode.name}"] = lambda i=env_id, m=mode: vector(i, m)
        found[f"single {env_id}"] = lambda i=env_id: single(i)
    for mode in MODES:
        found[f"vector GC-PandaReach-v0 mjx {mode.name}"] = lambda m=mode: vector("GC-PandaReach-v0", m, backend="mjx")
    found["single GC-PandaPush-v0 mjx"] = lambda: single("GC-PandaPush-v0", backend="mjx")
    for on_success in ("terminate", "continue", "resample"):
        for env_id, kwargs in (("GC-Gridworld-v0", {"size": 5}), ("GC-PandaReach-v0", {})):
            found[f"on_success {on_success} {env_id}"] = lambda i=env_id, o=on_success, k=kwargs: vector(
                i, AutoresetMode.NEXT_STEP, on_success=o, **k
            )
            found[f"single {on_success} {env_id}"] = lambda i=env_id, o=on_success, k=kwargs: single(
                i, on_success=o, **k
            )
    for array in ("jax", "torch"):
        for mode in MODES[:2]:
            found[f"array {array} {mode.name}"] = lambda a=array, m=mode: vector("GC-Gridworld-v0", m, size=5, array=a)
    found["goals GC-Gridworld-v0"] = lambda: vector("GC-Gridworld-v0", MODES[0], size=5, goals=[1, 2, 5])
    found["goals GC-PandaReach-v0"] = lambda: vector("GC-PandaReach-v0", MODES[0], goals=[1, 2, 5])
    for name in WRAPPERS:
        found[f"wrapper {name}"] = lambda n=name: wrapped(n)
    for name, run in RUNS.items():
        found[f"run {name}"] = lambda r=run: trained(*r)
    return found


def sample(space: gymnasium.Space, rng: np.random.Generator, count: int | None = None) -> Any:
    """Actions of `space`, drawn with `rng` alone: one, or `count`."""
    if isinstance(space, gymnasium.spaces.Discrete):
        action = rng.integers(0, int(space.n), size=count or ())
        return action if count else int(action)
    shape = space.shape if count is None else (count, *space.shape)
    return rng.uniform(space.low, space.high, size=shape).astype(np.float32)


def as_array(actions: Any, library: str) -> Any:
    if library == "torch":
        import torch

        return torch.from_numpy(np.ascontiguousarray(actions.astype(np.int32)))
    if library == "jax":
        import jax.numpy as jnp

        return jnp.asarray(actions.astype(np.int32))
    return actions


def numpy(tree: Any) -> Any:
    """`tree` with NumPy arrays."""
    if isinstance(tree, dict):
        return {key: numpy(value) for key, value in tree.items()}
    return tree if tree is None or isinstance(tree, (str, np.ndarray)) else np.asarray(tree)


def machine() -> dict[str, str]:
    """What exact numbers depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line.partition(":")[2].strip() for line in lines if line.startswith("flags")), "")
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    features = hashlib.sha256(flags.encode()).hexdigest()[:16]
    return {"cpu": cpu or platform.machine(), "cpu_features": features, "python": platform.python_version(), **versions}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the hashes instead of comparing them")
    parser.add_argument("--only", default="", help="only cases whose name contains one of these words, split at commas")
    args = parser.parse_args()
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"machine": {}, "hashes": {}}
    if args.record and args.only and known["machine"] != machine():
        parser.error("what is recorded is of another machine or of other versions: record all cases, without --only")
    wrong = []
    for name, case in cases().items():
        if not any(word in name for word in args.only.split(",")):
            continue
        started = time.monotonic()
        try:
            found = case()
        except (Exception, SystemExit) as error:
            print(f"FAILED {time.monotonic() - started:6.1f} s  {name}: {type(error).__name__}: {error}")
            wrong.append(name)  # never recorded
            continue
        same = found == known["hashes"].get(name)
        print(f"{'same' if same else 'new' if args.record else 'DIFFERS'}  {time.monotonic() - started:5.1f} s  {name}")
        if args.record:
            known["hashes"][name] = found
            RECORDED.write_text(json.dumps({"machine": machine(), "hashes": known["hashes"]}, indent=1) + "\n")
        elif not same:
            print(f"    {found}\n    {known['hashes'].get(name)}")
            wrong.append(name)
        sys.stdout.flush()
    return len(wrong) > 0


if __name__ == "__main__":
    assert gc_envs.__version__
    sys.exit(main())
