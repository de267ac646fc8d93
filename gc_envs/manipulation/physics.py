"""Base class of the MuJoCo tasks: a model and pure functions, written once for every physics backend.

The functions are array-API code over `SimState` with any leading batch axes `...`. The arrays are NumPy float64 views
of MuJoCo C's own memory, or JAX float32 arrays under MJX. This module imports neither JAX nor MuJoCo; the backends and
the renderer, which do, are imported where they are first used, and know nothing of this module.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_float32, constant
from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.goals import BoxGoals
from gc_envs.core.goals.base import point_text
from gc_envs.core.task import Task
from gc_envs.manipulation.backends import resolve_backend
from gc_envs.manipulation.markers import Marker, sphere
from gc_envs.manipulation.sim_state import SimState, SimulateFn

if TYPE_CHECKING:
    import mujoco


class PhysicsTask(Task[SimState]):
    """A task in MuJoCo.

    A subclass passes its model to the constructor, sets the attributes below and implements `initial_state`,
    `set_controls`, `raw_observation` and `raw_achieved_goal`.

    Args:
        model: The compiled model, the same for all backends.
        backend: "c" (MuJoCo C: native threads outside JAX, and a callback inside `jit`), "mjx" (MuJoCo XLA), "warp"
            (MJX on NVIDIA Warp), or "auto": "c" without a GPU; with one, "warp" if it is installed and else "mjx".
        threads: The number of native threads of the "c" backend; 0 for one per processor.

    Raises:
        ValueError: If the backend is unknown, `threads` is negative, or the model has actuators with a state of their
            own.
        ModuleNotFoundError: If the backend is not installed; the message has the pip command that installs it.
    """

    goals: BoxGoals
    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.Box
    moved = "achieved position"  # what goals are about, in a word
    substeps = 20  # timesteps of the model in one environment step
    num_start_uniforms: int  # how many uniform numbers `initial_state` takes
    settle_steps = 0  # environment steps without action between `initial_state` and an episode's first observation
    start_tries = 1000  # start states that a reset samples at most until `valid_start` accepts one

    def __init__(self, model: "mujoco.MjModel", *, backend: str = "auto", threads: int = 0) -> None:
        if threads < 0:
            raise ValueError(f"threads must be at least 0, got {threads}")
        if model.na:
            raise ValueError(f"actuators with a state of their own are not supported, and the model has {model.na}")
        self.model, self.backend, self.threads = model, resolve_backend(backend), threads
        self.render_fps = round(1 / (self.substeps * model.opt.timestep))
        self._simulate: SimulateFn | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_simulate": None}  # a compiled simulator belongs to this process

    # What a task defines ---------------------------------------------------------------------------------------------

    @abstractmethod
    def initial_state(self, uniform: Array) -> SimState:
        """Return the initial state for `uniform` [..., num_start_uniforms] in [0, 1); its `sensordata` is not read."""

    @abstractmethod
    def set_controls(self, state: SimState, action: Array) -> SimState:
        """Return `state` with the controls for `action` [..., A], which is finite and within the action space."""

    @abstractmethod
    def raw_observation(self, state: SimState) -> Array:
        """Return the observation [..., n] before it is clipped to `observation_space`."""

    @abstractmethod
    def raw_achieved_goal(self, state: SimState) -> Array:
        """Return the achieved goal [..., d] before it is clipped to the achieved space of `goals`."""

    def out_of_workspace(self, state: SimState) -> Array:
        """Return whether something has left the workspace, bool [...]; `diverged` checks that numbers are finite."""
        return array_namespace(state.qpos).zeros_like(state.qpos[..., 0], dtype=bool)

    def valid_start(self, state: SimState) -> Array:
        """Return whether an episode may start in the settled `state`, bool [...]; if not, another is sampled.

        After `start_tries` states that are not valid, MuJoCo C outside JAX raises RuntimeError. Inside JAX, where
        nothing can be raised, the positions and sensors of the start state are NaN, so that its observation shows it
        and every step from it counts as diverged.
        """
        return array_namespace(state.qpos).ones_like(state.qpos[..., 0], dtype=bool)

    def markers(self, desired: np.ndarray, achieved: np.ndarray) -> tuple[Marker, ...]:
        """Return the shapes that show the goal `desired` [d] in a frame of a state that achieves `achieved` [d].

        By default this is a sphere at the goal whose radius is the success threshold.
        """
        return (sphere(desired[:3], self.goals.threshold),)

    def describe_goal(self, desired: np.ndarray) -> str:
        threshold = 100 * self.goals.threshold
        return f"bring the {self.moved} within {threshold:g} cm of {point_text(np.round(desired, 2))} m"

    def caption(self, desired: np.ndarray, achieved: np.ndarray) -> str:
        """Return the text below a frame of `achieved` [d] with the goal `desired` [d]; here for positions in m."""
        position = ", ".join(f"{number:.2f}" for number in desired)
        return f"goal: ({position}) m, {100 * float(self.goals.distance(achieved, desired)):.0f} cm away"

    def visual_model(self) -> "mujoco.MjModel":
        """Return the model for frames, which has the same coordinates as `model`."""
        return self.model

    def broadcast_state(self, state: SimState, uniform: Array) -> SimState:
        """Return one NumPy `state` repeated for every row of `uniform` [..., n], in its array library and dtype."""
        xp, batch = array_namespace(uniform), uniform.shape[:-1]
        leaves = (constant(leaf, uniform, uniform.dtype) for leaf in state)
        return SimState(*(xp.broadcast_to(leaf, (*batch, *leaf.shape)) for leaf in leaves))

    # What follows from it, for NumPy and JAX -------------------------------------------------------------------------

    def clip_and_set_controls(self, state: SimState, action: Array) -> SimState:
        """Return `state` with the controls for `action` [..., A], which is clipped to the action space first."""
        xp = array_namespace(state.qpos)
        return self.set_controls(state, _clip(xp.astype(action, state.qpos.dtype), self.action_space))

    def diverged(self, state: SimState) -> Array:
        """Return whether a number is not finite or something has left the workspace, bool [...]."""
        xp = array_namespace(state.qpos)
        # Methods of arrays, here and below: for a few numbers xp.all and xp.any take NumPy twice as long.
        finite = xp.isfinite(xp.concat([state.qpos, state.qvel], axis=-1)).all(axis=-1)
        return ~finite | self.out_of_workspace(state)

    def observe(self, state: SimState) -> Array:
        return _clip(as_float32(self.raw_observation(state)), self.observation_space)

    def achieved(self, state: SimState) -> Array:
        return _clip(as_float32(self.raw_achieved_goal(state)), self.goals.achieved_space)

    # The task inside JAX ---------------------------------------------------------------------------------------------

    @property
    def simulate(self) -> SimulateFn:
        """The simulator of one state on this task's backend, for use inside `jax.jit` and `jax.vmap`."""
        if self._simulate is None:
            from gc_envs.manipulation.jax_backends import make_simulate_fn

            self._simulate = make_simulate_fn(self.model, self.backend, self.threads)
        return self._simulate

    @property
    def compiler_options(self) -> dict[str, Any] | None:  # type: ignore[override]
        """Options for `jax.jit` that XLA needs to compile MJX for a CPU; None elsewhere."""
        if self.backend != "mjx":
            return None
        from gc_envs.manipulation.jax_backends import compiler_options

        return compiler_options()

    def reset(self, key: Array) -> SimState:
        import jax

        if self.settle_steps == 0 and type(self).valid_start is PhysicsTask.valid_start:
            return self.simulate(self._sample_initial_state(key), 0)

        def sample(carry):
            key, state_key = jax.random.split(carry[0])
            state = self.simulate(self._sample_initial_state(state_key), 0)
            no_action = np.zeros(self.action_space.shape, np.float32)
            settled = jax.lax.fori_loop(0, self.settle_steps, lambda _, s: self.step(key, s, no_action), state)
            return key, settled, self.valid_start(settled) & ~self.diverged(settled), carry[3] + 1

        # The loop's first carry needs the right shapes and types only: a state that is not valid.
        placeholder = jax.tree.map(lambda x: x.astype(np.float32), self._sample_initial_state(key))
        placeholder = placeholder._replace(sensordata=jax.numpy.zeros(self.model.nsensordata))
        first = (key, placeholder, np.False_, np.int32(0))
        _, state, valid, _ = jax.lax.while_loop(lambda carry: ~carry[2] & (carry[3] < self.start_tries), sample, first)
        nowhere = [jax.numpy.where(valid, leaf, np.nan) for leaf in (state.qpos, state.sensordata)]
        return state._replace(qpos=nowhere[0], sensordata=nowhere[1])

    def _sample_initial_state(self, key: Array) -> SimState:
        import jax

        return self.initial_state(jax.random.uniform(key, (self.num_start_uniforms,)))

    def step(self, key: Array, state: SimState, action: Array) -> SimState:
        import jax.numpy as jnp

        return self.simulate(self.clip_and_set_controls(state, jnp.asarray(action)), self.substeps)

    # The task outside JAX --------------------------------------------------------------------------------------------

    def make_simulator(self, num_envs: int) -> BatchSimulator | None:
        if self.backend != "c":
            return None
        from gc_envs.manipulation.c_backend import MujocoSimulator

        return MujocoSimulator(self, num_envs)

    def render(self, state: SimState, desired_goal: Array | None = None) -> np.ndarray:
        from gc_envs.manipulation.render import render_frame

        return render_frame(self, state, desired_goal)


def outside_box(points: Array, low: np.ndarray, high: np.ndarray) -> Array:
    """Return whether `points` [..., d] lie outside the box with the corners `low` and `high` [d]: bool [...]."""
    low, high = constant(low, points, points.dtype), constant(high, points, points.dtype)
    return ((points < low) | (points > high)).any(axis=-1)


def _clip(values: Array, space: gymnasium.spaces.Box) -> Array:
    """Return `values` clipped to the bounds of `space`; NaN stays NaN."""
    xp = array_namespace(values)  # xp.clip takes NumPy ten times as long for a few numbers
    return xp.minimum(xp.maximum(values, constant(space.low, values)), constant(space.high, values))
