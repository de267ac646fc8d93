"""How the Panda's table looks in pictures. Nothing here collides or weighs anything."""

from pathlib import Path

import mujoco

from gc_envs.manipulation.assets import robotics_assets
from gc_envs.manipulation.panda_model import Row
from gc_envs.manipulation.scene import add_scene

SHOWN, COVERED = 2, 3  # geom groups; MuJoCo draws the first by default and not the second
MESHES = {"link0": "link0"} | {f"link{n}": f"link{n}" for n in range(1, 8)}
MESHES |= {"hand": "hand", "left": "finger", "right": "finger"}  # body: mesh


def add_visuals(spec: mujoco.MjSpec, row: Row) -> None:
    """Light, a table with the goal box marked on it, and the robot's meshes where gymnasium-robotics is installed.

    The shapes that the meshes cover go to group 3; without the meshes it is these shapes that are drawn.
    """
    spec.stat.center, spec.stat.extent = [0.5, 0, 0.3], 1.5
    x = 0.1 + row.goal_box[1][0] / 2  # between the robot and the farthest goals
    add_scene(spec, eye=(x + 1.4, -0.6, 1.0), at=(x, 0, 0.24), fovy=37)
    spec.geom("table").material, spec.geom("table").group = "floor", SHOWN
    _marks(spec, row)
    folder = mesh_folder()
    if folder is not None:
        _cover(spec, folder)


def mesh_folder() -> Path | None:
    """Where an installed gymnasium-robotics keeps the Panda's visual meshes; None without."""
    assets = robotics_assets()
    if assets is None:
        return None
    folder = assets / "kitchen_franka/franka_assets/meshes/visual"
    return folder if all((folder / f"{mesh}.stl").is_file() for mesh in MESHES.values()) else None


def _cover(spec: mujoco.MjSpec, folder: Path) -> None:
    """Lay the meshes of `folder` over the robot's bodies."""
    for mesh in sorted(set(MESHES.values())):
        spec.add_mesh(name=mesh, file=str(folder / f"{mesh}.stl"), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    spec.add_material(name="shell", rgba=[0.93, 0.94, 0.95, 1], specular=0.4, shininess=0.4)
    spec.add_material(name="metal", rgba=[0.3, 0.31, 0.34, 1], specular=0.5, shininess=0.5)
    for name, mesh in MESHES.items():
        body = spec.body(name)
        for geom in body.geoms:
            geom.group = COVERED
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh, mass=0, contype=0, conaffinity=0, group=SHOWN,
            material="metal" if mesh in ("finger", "link7") else "shell",
        )  # fmt: skip


def _marks(spec: mujoco.MjSpec, row: Row) -> None:
    """The outline of the goal box, drawn on the table."""
    (x0, y0, _), (x1, y1, _) = row.goal_box
    for x, y, long, wide in (
        (x0, (y0 + y1) / 2, 0.002, (y1 - y0) / 2),
        (x1, (y0 + y1) / 2, 0.002, (y1 - y0) / 2),
        ((x0 + x1) / 2, y0, (x1 - x0) / 2, 0.002),
        ((x0 + x1) / 2, y1, (x1 - x0) / 2, 0.002),
    ):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=[x, y, 0], size=[long, wide, 0.0005], rgba=[0.55, 0.53, 0.5, 1],
            contype=0, conaffinity=0, group=SHOWN,
        )  # fmt: skip
