"""Measure environment steps per second of a Panda task, beside bare MuJoCo and the environments that it replaces.

An environment step is an action in, and Gymnasium's goal dictionary with all-goals information out; all environments
are reset at the end of their episodes. Blocks take turns; every ratio is the median over rounds.

    ratio_to_bare_batch       `make_vec` against `mujoco.batch.Batch` with the same model, threads and kind of control
    ratio_of_callback         a jitted scan over `make_task(..., backend="c")` against `make_vec`
    ratio_of_single           `make` against `mj_step` on one MjData with this task's own controls and observations
    times_fetch_push          `make_vec` against Gymnasium-Robotics' FetchPush-v4 (--fetch)
    times_franka_push         `make_vec` against panda_mujoco_gym's FrankaPush (--franka FOLDER, a checkout of it)

The last two are single environments, as their users run them. They do not start on current MuJoCo, whose joint types
no longer compare equal to NumPy integers: their view of `mujoco` is patched in memory. They take other steps
(FrankaPush 250 substeps to an action, this task 20), so simulated seconds per second are given too.
"""

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from _common import Parser, finish, metric, ratio, take_turns
from gymnasium.vector import AutoresetMode
from mujoco.batch import Batch

import gc_envs
from gc_envs.core.episode import OnSuccess
from gc_envs.core.func_env import FuncGoalEnv
from gc_envs.manipulation.physics import PhysicsTask
from gc_envs.manipulation.sim_state import SimState

gymnasium.register_envs(gc_envs)
SENSORS = mujoco.mjtStage.mjSTAGE_VEL.value
Block = Callable[[int], Any]


def vector(env_id: str, num_envs: int, threads: int) -> Block:
    """Return a block of steps of `make_vec`."""
    envs = gymnasium.make_vec(
        env_id, num_envs=num_envs, backend="c", threads=threads, autoreset_mode=AutoresetMode.SAME_STEP
    )
    envs.reset(seed=0)
    actions = _actions(envs.single_action_space, num_envs)

    def run(steps: int) -> None:
        for t in range(steps):
            envs.step(actions[t % len(actions)])

    return run


def bare_batch(task: PhysicsTask, num_envs: int, threads: int) -> Block:
    """Return a block of `Batch.step` alone: the target moves with the hand, and all are reset at the horizon."""
    batch = Batch(task.model, num_envs, threads)
    start = task.initial_state(np.random.default_rng(0).random((num_envs, task.num_start_uniforms)))
    actions = 0.05 * _actions(task.action_space, num_envs)[:, :, :3]
    mocap, sensors = batch.bind("mocap_pos"), batch.bind("sensordata")
    hand = slice(*np.cumsum([task.model.sensor_adr[0], 3]))

    def run(steps: int) -> None:
        for t in range(steps):
            if t % task.horizon == 0:
                for name, values in zip(SimState._fields[:-1], start, strict=False):
                    batch.bind(name)[:] = values
                batch.forward(stage=SENSORS)
            mocap[:, 0] = sensors[:, hand] + actions[t % len(actions)]
            batch.step(nstep=task.substeps, stage=SENSORS)

    return run


def callback(task: PhysicsTask, num_envs: int) -> Block:
    """Return a block of steps of the same environments inside one jitted program, through a callback."""
    env = FuncGoalEnv(task, task.horizon, OnSuccess.parse(task.on_success), pool=num_envs)
    actions = jnp.asarray(_actions(task.action_space, num_envs))

    def step(states, action):
        states, outcome = jax.vmap(env.step)(states, action)
        states, _ = env.reset_where(states, outcome.done)
        return states, (jax.vmap(env.observe)(states), env.all_goals(states), outcome)

    @functools.partial(jax.jit, static_argnums=1)
    def rollout(states, steps):
        return jax.lax.scan(step, states, actions[jnp.arange(steps) % len(actions)])

    keys = jax.random.key_data(jax.random.split(jax.random.key(0), num_envs))
    states = jax.jit(jax.vmap(env.reset))(keys)

    def run(steps: int) -> None:
        nonlocal states
        states, seen = rollout(states, steps)
        jax.block_until_ready(seen)

    return run


def single(env: gymnasium.Env) -> Block:
    """Return a block of steps of one environment."""
    env.reset(seed=0)
    actions = _actions(env.action_space, 1)[:, 0]

    def run(steps: int) -> None:
        for t in range(steps):
            _, _, terminated, truncated, _ = env.step(actions[t % len(actions)])
            if terminated or truncated:
                env.reset()

    return run


def plain_loop(task: PhysicsTask) -> Block:
    """Return a block of `mj_step` on one MjData with the task's own code for actions and observations only."""
    data = mujoco.MjData(task.model)
    state = SimState(*(getattr(data, name) for name in SimState._fields))
    start = task.initial_state(np.random.default_rng(0).random(task.num_start_uniforms))
    actions = _actions(task.action_space, 1)[:, 0]

    def run(steps: int) -> None:
        for t in range(steps):
            if t % task.horizon == 0:
                for name, values in zip(SimState._fields[:-1], start, strict=False):
                    getattr(data, name)[:] = values
                mujoco.mj_forward(task.model, data)
            after = task.clip_and_set_controls(state, actions[t % len(actions)])
            data.ctrl[:], data.mocap_pos[:] = after.ctrl, after.mocap_pos
            mujoco.mj_step(task.model, data, task.substeps)
            mujoco.mj_fwdPosition(task.model, data)
            mujoco.mj_sensorPos(task.model, data)
            mujoco.mj_fwdVelocity(task.model, data)
            mujoco.mj_sensorVel(task.model, data)
            task.observe(state), task.achieved(state)

    return run


def fetch_push() -> gymnasium.Env:
    """Return FetchPush-v4 of the installed Gymnasium-Robotics."""
    import gymnasium_robotics
    from gymnasium_robotics.utils import mujoco_utils

    mujoco_utils.mujoco = _patched()
    gymnasium.register_envs(gymnasium_robotics)
    return gymnasium.make("FetchPush-v4")


def franka_push(folder: str) -> gymnasium.Env:
    """Return FrankaPush of a checkout of panda_mujoco_gym."""
    sys.path.insert(0, folder)
    from gymnasium_robotics.utils import mujoco_utils

    mujoco_utils.mujoco = _patched()
    from panda_mujoco_gym.envs import FrankaPushEnv

    return gymnasium.wrappers.TimeLimit(FrankaPushEnv("sparse"), 50)


def _patched() -> Any:
    """Return `mujoco` with joint types that are plain integers."""
    names = ("mjJNT_FREE", "mjJNT_BALL", "mjJNT_SLIDE", "mjJNT_HINGE")
    joints = types.SimpleNamespace(**{name: int(getattr(mujoco.mjtJoint, name)) for name in names})
    return types.SimpleNamespace(**vars(mujoco) | {"mjtJoint": joints})


def _actions(space: Any, num_envs: int) -> np.ndarray:
    """Return random actions [50, N, A]."""
    return np.random.default_rng(0).uniform(space.low, space.high, (50, num_envs, *space.shape)).astype(np.float32)


def main() -> None:
    """Print and write the ratios."""
    parser = Parser(__doc__)
    parser.add_argument("--env-id", default="GC-PandaPush-v0", help="Measure this id. (default: GC-PandaPush-v0)")
    parser.add_argument("--num-envs", type=int, default=256, help="Step this many environments. (default: 256)")
    parser.add_argument("--threads", type=int, default=2, help="Run MuJoCo on this many threads. (default: 2)")
    parser.add_argument("--rounds", type=int, default=7, help="Give every contestant this many turns. (default: 7)")
    parser.add_argument(
        "--steps", type=int, default=50, help="Step all environments this often in a turn. (default: 50)"
    )
    parser.add_argument("--fetch", action="store_true", help="Measure Gymnasium-Robotics' FetchPush, too.")
    parser.add_argument(
        "--franka", metavar="FOLDER", help="Measure FrankaPush of this checkout of panda_mujoco_gym, too."
    )
    args = parser.parse_args()
    count, threads = args.num_envs, args.threads
    task: Any = gc_envs.make_task(args.env_id, backend="c", threads=threads)
    second = task.substeps * task.model.opt.timestep
    runs: dict[str, tuple[Block, int, int, float]] = {  # name: block, its steps, environments, seconds
        "make_vec": (vector(args.env_id, count, threads), args.steps, count, second),
        "batch": (bare_batch(task, count, threads), args.steps, count, second),
        "callback": (callback(task, count), args.steps, count, second),
        "make": (single(gymnasium.make(args.env_id, backend="c")), 10 * args.steps, 1, second),
        "mj_step": (plain_loop(task), 10 * args.steps, 1, second),
    }
    if args.fetch:
        runs["FetchPush-v4"] = single(fetch_push()), 5 * args.steps, 1, 0.04
    if args.franka:
        runs["FrankaPush"] = single(franka_push(args.franka)), args.steps, 1, 0.5
    for block, steps, _, _ in runs.values():
        block(steps)
    times = take_turns(
        {name: functools.partial(block, steps) for name, (block, steps, _, _) in runs.items()}, args.rounds
    )
    per_step = {name: [t / (runs[name][1] * runs[name][2]) for t in seconds] for name, seconds in times.items()}
    metrics = [
        metric("ratio_to_bare_batch", ratio(per_step, "make_vec", "batch"), 0.75),
        metric("ratio_of_callback", ratio(per_step, "callback", "make_vec"), 0.85),
        metric("ratio_of_single", ratio(per_step, "make", "mj_step"), 0.75),
    ]
    for name, key, target in (("FetchPush-v4", "fetch", 4.0), ("FrankaPush", "franka", 40.0)):
        if name in runs:
            faster = ratio(per_step, "make_vec", name)
            metrics.append(metric(f"times_{key}_push", faster, target))
            metrics.append(metric(f"times_{key}_push_simulated", faster * second / runs[name][3]))
    rows = [
        {
            "name": name, "num_envs": runs[name][2], "steps_per_s": [round(1 / t) for t in seconds],
            "simulated_s_per_s": [round(runs[name][3] / t, 1) for t in seconds],
        }
        for name, seconds in per_step.items()
    ]  # fmt: skip
    settings = {"env_id": args.env_id, "num_envs": count, "threads": threads}
    finish(args, metrics=metrics, rows=rows, settings=settings)


if __name__ == "__main__":
    main()
