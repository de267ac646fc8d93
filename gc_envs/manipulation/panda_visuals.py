"""The appearance of the Panda and its table in frames. Nothing here collides or has mass."""

from pathlib import Path

import mujoco

from gc_envs.manipulation.assets import robotics_assets
from gc_envs.manipulation.panda_variants import PandaVariant
from gc_envs.manipulation.scene import add_scene

SHOWN, HIDDEN = 2, 3  # geom groups; by default MuJoCo renders the first and not the second
MESHES = {"link0": "link0"} | {f"link{n}": f"link{n}" for n in range(1, 8)}
MESHES |= {"hand": "hand", "left": "finger", "right": "finger"}  # body: mesh


def add_visuals(spec: mujoco.MjSpec, variant: PandaVariant) -> None:
    """Add light, the goal box's outline on the table and, if gymnasium-robotics is installed, the robot's meshes.

    The shapes that the meshes cover go to geom group 3, which is not rendered. Without the meshes they are rendered.
    """
    spec.stat.center, spec.stat.extent = [0.5, 0, 0.3], 1.5
    x = 0.1 + variant.goal_box[1][0] / 2  # between the robot and the farthest goals
    add_scene(spec, camera_position=(x + 1.4, -0.6, 1.0), look_at=(x, 0, 0.24), fovy=37)
    spec.geom("table").material, spec.geom("table").group = "floor", SHOWN
    _add_goal_box_outline(spec, variant)
    folder = mesh_folder()
    if folder is not None:
        _add_meshes(spec, folder)


def mesh_folder() -> Path | None:
    """Return the folder of the Panda's visual meshes in an installed gymnasium-robotics, or None."""
    assets = robotics_assets()
    if assets is None:
        return None
    folder = assets / "kitchen_franka/franka_assets/meshes/visual"
    return folder if all((folder / f"{mesh}.stl").is_file() for mesh in MESHES.values()) else None


def _add_meshes(spec: mujoco.MjSpec, folder: Path) -> None:
    """Add the meshes of `folder` to the robot's bodies, and hide the shapes that they cover."""
    for mesh in sorted(set(MESHES.values())):
        spec.add_mesh(name=mesh, file=str(folder / f"{mesh}.stl"), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    spec.add_material(name="shell", rgba=[0.93, 0.94, 0.95, 1], specular=0.4, shininess=0.4)
    spec.add_material(name="metal", rgba=[0.3, 0.31, 0.34, 1], specular=0.5, shininess=0.5)
    for name, mesh in MESHES.items():
        body = spec.body(name)
        for geom in body.geoms:
            geom.group = HIDDEN
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh, mass=0, contype=0, conaffinity=0, group=SHOWN,
            material="metal" if mesh in ("finger", "link7") else "shell",
        )  # fmt: skip


def _add_goal_box_outline(spec: mujoco.MjSpec, variant: PandaVariant) -> None:
    """Add the outline of the goal box on the table."""
    (x0, y0, _), (x1, y1, _) = variant.goal_box
    for x, y, half_x, half_y in (
        (x0, (y0 + y1) / 2, 0.002, (y1 - y0) / 2),
        (x1, (y0 + y1) / 2, 0.002, (y1 - y0) / 2),
        ((x0 + x1) / 2, y0, (x1 - x0) / 2, 0.002),
        ((x0 + x1) / 2, y1, (x1 - x0) / 2, 0.002),
    ):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, y, 0], size=[half_x, half_y, 0.0005], rgba=[0.55, 0.53, 0.5, 1],
            contype=0, conaffinity=0, group=SHOWN,
        )  # fmt: skip
