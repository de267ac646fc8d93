"""A small task on which the physics backends are tested: a hand that is dragged by a mocap body pushes a box."""

import gymnasium
import mujoco
import numpy as np
from array_api_compat import array_namespace

from gc_envs.core.arrays import constant
from gc_envs.core.goals import BoxGoals
from gc_envs.manipulation.physics import PhysicsTask
from gc_envs.manipulation.sim_state import SimState

XML = """
<mujoco>
  <option timestep="0.004" integrator="implicitfast" cone="pyramidal" iterations="5" ls_iterations="8"/>
  <worldbody>
    <geom name="floor" type="plane" size="2 2 .1" contype="0" conaffinity="0"/>
    <body name="hand" pos="-.1 0 .03" gravcomp="1">
      <freejoint/><geom name="hand" size=".02" mass=".2" contype="0" conaffinity="0"/><site name="hand"/>
    </body>
    <body name="target" mocap="true" pos="-.1 0 .03"/>
    <body name="box" pos="0 0 .0299">
      <freejoint/><geom name="box" type="box" size=".03 .03 .03" mass=".1" contype="0" conaffinity="0"/>
      <site name="box"/>
    </body>
  </worldbody>
  <contact><pair geom1="floor" geom2="box" condim="3"/><pair geom1="hand" geom2="box" condim="3"/></contact>
  <equality><weld body1="target" body2="hand" solref=".02 1"/></equality>
  <actuator><motor name="twist" site="box" gear="0 0 0 0 0 .01" ctrlrange="-1 1"/></actuator>
  <sensor>
    <framepos objtype="site" objname="hand"/><framepos objtype="site" objname="box"/>
    <framelinvel objtype="site" objname="box"/>
  </sensor>
</mujoco>
"""
REACH = 0.02  # m, that a full action moves the hand along an axis


class ToyPush(PhysicsTask):
    """Action [3]: the hand's displacement in x and y (x 0.02 m), and a torque about the box's z axis.

    Observation [9]: positions of hand and box (m), velocity of the box (m/s). Achieved goal [2]: the box's x and y.
    """

    horizon = 50
    substeps = 10
    num_start_uniforms = 2

    def __init__(self, *, backend: str = "c", threads: int = 1, xml: str = XML) -> None:
        super().__init__(mujoco.MjModel.from_xml_string(xml), backend=backend, threads=threads)
        self.qpos0 = np.array(self.model.qpos0)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-5.0, 5.0, (9,), np.float32)
        self.goals = BoxGoals(np.full(2, -0.2), np.full(2, 0.2), threshold=0.05, distance=planar)

    def initial_state(self, uniform):
        xp = array_namespace(uniform)
        empty = uniform[..., :0]
        box = 0.04 * uniform  # [..., 2]
        base = constant(self.qpos0, uniform, uniform.dtype)
        still = xp.zeros((*uniform.shape[:-1], 12), dtype=uniform.dtype)
        qpos = xp.concat([still[..., :7] + base[:7], base[7:9] + box, still[..., :5] + base[9:]], axis=-1)
        pose = constant(np.array([-0.1, 0, 0.03, 1, 0, 0, 0]), uniform, uniform.dtype) + still[..., :7]
        return SimState(
            qpos, still, still[..., :1], pose[..., None, :3], pose[..., None, 3:], xp.zeros_like(still), empty
        )

    def set_controls(self, state, action):
        xp = array_namespace(state.qpos)
        move = REACH * xp.concat([action[..., :2], 0 * action[..., :1]], axis=-1)
        target = state.sensordata[..., :3] + move
        return state._replace(mocap_pos=target[..., None, :], ctrl=action[..., 2:])

    def raw_observation(self, state):
        return state.sensordata

    def raw_achieved_goal(self, state):
        return state.sensordata[..., 3:5]

    def out_of_workspace(self, state):
        xp = array_namespace(state.qpos)
        return xp.any(xp.abs(state.sensordata[..., 3:5]) > 0.3, axis=-1)


class SettledPush(ToyPush):
    """Settles two steps, and accepts a start only where the box lies in front: half of the samples."""

    settle_steps = 2

    def valid_start(self, state):
        return state.sensordata[..., 4] > 0.02


class NowherePush(ToyPush):
    """Accepts no start at all."""

    start_tries = 7

    def valid_start(self, state):
        return state.sensordata[..., 4] > 9


def planar(achieved, desired):
    xp = array_namespace(achieved, desired)
    return xp.sqrt(xp.sum((achieved - desired) ** 2, axis=-1))
