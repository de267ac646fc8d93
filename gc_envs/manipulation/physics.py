"""What a manipulation task is: a MuJoCo model and pure functions, written once for every physics backend.

The functions are array-API code over `SimState` with any leading batch axes `...`: NumPy float64 views of MuJoCo C's
own memory, or JAX float32 arrays under MJX. This module imports neither JAX nor MuJoCo.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np

from gc_envs.core.arrays import Array, array_namespace, as_float32, constant
from gc_envs.core.batch_simulator import BatchSimulator
from gc_envs.core.goals import BoxGoals
from gc_envs.core.task import Task
from gc_envs.manipulation.backends import resolve
from gc_envs.manipulation.markers import Marker, ball

if TYPE_CHECKING:
    import mujoco


class SimState(NamedTuple):
    """A simulation's state: everything that decides what MuJoCo does next, and the sensors that tasks read.

    Names and meanings are those of `mujoco.MjData`; velocities are in m/s and rad/s.
    """

    qpos: Array  # [..., nq]
    qvel: Array  # [..., nv]
    ctrl: Array  # [..., nu]
    mocap_pos: Array  # [..., nmocap, 3]
    mocap_quat: Array  # [..., nmocap, 4]
    qacc_warmstart: Array  # [..., nv]
    sensordata: Array  # [..., nsensordata], of the state above; sensors of forces and accelerations are not kept up


SimulateFn = Callable[[SimState, int], SimState]  # the state after so many substeps (0: its sensors brought up to date)


class PhysicsTask(Task[SimState]):
    """A task in MuJoCo. Subclasses give a model, the attributes below and `start`, `act`, `features`, `reached`.

    Args:
        model: the compiled model, the same for all backends.
        backend: "c" (MuJoCo C: native threads outside JAX, and by a callback inside `jit`), "mjx" (MuJoCo XLA), "warp"
            (MJX on NVIDIA Warp), or "auto": "c" without a GPU; with one, "warp" where that is installed, else "mjx".
        threads: of the "c" backend; 0 for as many as there are processors.

    Raises:
        ValueError: for an unknown backend, threads below 0, or a model whose actuators have a state of their own.
        ModuleNotFoundError: for a backend that is not installed, with the pip command that installs it.
    """

    goals: BoxGoals
    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.Box
    substeps = 20  # of the model's timestep, in one step
    num_start_uniforms: int  # how many uniform numbers `start` takes
    settling = 0  # steps without action between `start` and an episode's first observation

    def __init__(self, model: "mujoco.MjModel", *, backend: str = "auto", threads: int = 0) -> None:
        if threads < 0:
            raise ValueError(f"threads must be at least 0, got {threads}")
        if model.na:
            raise ValueError(f"actuators with a state of their own are not supported, and the model has {model.na}")
        self.model, self.backend, self.threads = model, resolve(backend), threads
        self.render_fps = round(1 / (self.substeps * model.opt.timestep))
        self._simulator: SimulateFn | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_simulator": None}  # it belongs to this process

    # What a task defines ---------------------------------------------------------------------------------------------

    @abstractmethod
    def start(self, uniform: Array) -> SimState:
        """A start state from `uniform` [..., num_start_uniforms] in [0, 1); its `sensordata` is not looked at."""

    @abstractmethod
    def act(self, state: SimState, action: Array) -> SimState:
        """`state` with the controls that `action` [..., A], finite and within the action space, sets."""

    @abstractmethod
    def features(self, state: SimState) -> Array:
        """What a policy sees, before it is clipped to `observation_space`: [..., n]."""

    @abstractmethod
    def reached(self, state: SimState) -> Array:
        """The achieved goal, before it is clipped to its space: [..., d]."""

    def lost(self, state: SimState) -> Array:
        """Whether something has left the workspace, bool [...]; that numbers are finite is checked elsewhere."""
        return array_namespace(state.qpos).zeros_like(state.qpos[..., 0], dtype=bool)

    def usable(self, state: SimState) -> Array:
        """Whether an episode may start in the settled start state `state`, bool [...]; another is drawn if not."""
        return array_namespace(state.qpos).ones_like(state.qpos[..., 0], dtype=bool)

    def markers(self, desired: np.ndarray, achieved: np.ndarray) -> tuple[Marker, ...]:
        """How `desired` [d] is drawn while `achieved` [d] holds; here as a ball of the threshold's size."""
        return (ball(desired[:3], self.goals.threshold),)

    def caption(self, desired: np.ndarray, achieved: np.ndarray) -> str:
        """What is written under a picture of `achieved` [d] with `desired` [d] commanded; here for positions in m."""
        place = ", ".join(f"{number:.2f}" for number in desired)
        return f"goal: ({place}) m, {100 * float(self.goals.distance(achieved, desired)):.0f} cm away"

    def visual_model(self) -> "mujoco.MjModel":
        """The model for pictures, with the same coordinates as `model`."""
        return self.model

    def repeated(self, state: SimState, uniform: Array) -> SimState:
        """One NumPy `state` for every row of `uniform` [..., n], in its array library and dtype."""
        xp, batch = array_namespace(uniform), uniform.shape[:-1]
        leaves = (constant(leaf, uniform, uniform.dtype) for leaf in state)
        return SimState(*(xp.broadcast_to(leaf, (*batch, *leaf.shape)) for leaf in leaves))

    # What follows from it, for NumPy and JAX ------------------------------------------------------------------------

    def apply(self, state: SimState, action: Array) -> SimState:
        """`act` for any action: clipped to the action space."""
        xp = array_namespace(state.qpos)
        return self.act(state, _clip(xp.astype(action, state.qpos.dtype), self.action_space))

    def diverged(self, state: SimState) -> Array:
        xp = array_namespace(state.qpos)
        finite = xp.all(xp.isfinite(state.qpos), axis=-1) & xp.all(xp.isfinite(state.qvel), axis=-1)
        return ~finite | self.lost(state)

    def observe(self, state: SimState) -> Array:
        return _clip(as_float32(self.features(state)), self.observation_space)

    def achieved(self, state: SimState) -> Array:
        return _clip(as_float32(self.reached(state)), self.goals.achieved_space)

    # The task inside JAX --------------------------------------------------------------------------------------------

    @property
    def simulate(self) -> SimulateFn:
        """One state's simulator on this task's backend, for use inside `jax.jit` and `jax.vmap`."""
        if self._simulator is None:
            from gc_envs.manipulation.jax_backends import make_simulator

            self._simulator = make_simulator(self)
        return self._simulator

    @property
    def compiler_options(self) -> dict[str, Any] | None:  # type: ignore[override]
        """What XLA needs to compile MJX for a CPU; None elsewhere."""
        if self.backend != "mjx":
            return None
        from gc_envs.manipulation.jax_backends import compiler_options

        return compiler_options()

    def reset(self, key: Array) -> SimState:
        import jax

        if self.settling == 0 and type(self).usable is PhysicsTask.usable:
            return self.simulate(self._start(key), 0)

        def draw(carry):
            key, draw_key = jax.random.split(carry[0])
            state = self.simulate(self._start(draw_key), 0)
            still = np.zeros(self.action_space.shape, np.float32)
            settled = jax.lax.fori_loop(0, self.settling, lambda _, s: self.step(key, s, still), state)
            return key, settled, self.usable(settled) & ~self.diverged(settled)

        nothing = jax.tree.map(lambda x: x.astype(np.float32), self._start(key))
        nothing = nothing._replace(sensordata=jax.numpy.zeros(self.model.nsensordata))
        return jax.lax.while_loop(lambda carry: ~carry[2], draw, (key, nothing, np.False_))[1]

    def _start(self, key: Array) -> SimState:
        import jax

        return self.start(jax.random.uniform(key, (self.num_start_uniforms,)))

    def step(self, key: Array, state: SimState, action: Array) -> SimState:
        import jax.numpy as jnp

        return self.simulate(self.apply(state, jnp.asarray(action)), self.substeps)

    # The task outside JAX -------------------------------------------------------------------------------------------

    def make_simulator(self, num_envs: int) -> BatchSimulator | None:
        if self.backend != "c":
            return None
        from gc_envs.manipulation.c_backend import MujocoSimulator

        return MujocoSimulator(self, num_envs)

    def render(self, state: SimState, desired_goal: Array | None = None) -> np.ndarray:
        from gc_envs.manipulation.render import draw

        return draw(self, state, desired_goal)


def outside(points: Array, space: tuple[Sequence[float], Sequence[float]]) -> Array:
    """Whether `points` [..., d] lie outside `space`, its least and greatest corners [d]: bool [...]."""
    xp = array_namespace(points)
    low, high = (constant(np.asarray(corner), points, points.dtype) for corner in space)
    return xp.any((points < low) | (points > high), axis=-1)


def _clip(values: Array, space: gymnasium.spaces.Box) -> Array:
    """`values` within the bounds of `space`; NaN stays NaN."""
    xp = array_namespace(values)  # xp.clip takes NumPy ten times as long for a few numbers
    return xp.minimum(xp.maximum(values, constant(space.low, values)), constant(space.high, values))
