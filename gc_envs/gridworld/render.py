"""Frames of the Gridworld."""

from typing import TYPE_CHECKING

import numpy as np

from gc_envs.core.caption import add_caption

if TYPE_CHECKING:
    from gc_envs.gridworld.task import GridworldTask

FLOOR, WALL, CUT_OFF = (240, 236, 226), (58, 64, 77), (205, 200, 188)
AGENT, GOAL, REACHED = (43, 108, 196), (240, 152, 38), (58, 170, 108)


def draw(task: "GridworldTask", position: np.ndarray, goal: int | None) -> np.ndarray:
    """The map with the agent (disc) and the commanded goal (ring): uint8 [H, W, 3], about 480 pixels wide."""
    from PIL import Image, ImageDraw

    side = max(8, 480 // task.size)
    image = Image.new("RGB", (side * task.size,) * 2, FLOOR)
    pen = ImageDraw.Draw(image)

    def box(cell: np.ndarray, margin: float) -> tuple[float, float, float, float]:
        top, left = cell * side
        return left + margin, top + margin, left + side - 1 - margin, top + side - 1 - margin

    goals = {tuple(cell) for cell in task.cells}
    for cell in np.ndindex(task.walls.shape):
        if tuple(cell) not in goals:
            pen.rectangle(box(np.array(cell), 0.5), fill=WALL if task.walls[cell] else CUT_OFF)
        else:
            pen.rectangle(box(np.array(cell), 0), outline=(226, 220, 206))
    pen.ellipse(box(position, side * 0.22), fill=AGENT)
    if goal is None:
        return np.asarray(image)
    reached = bool((task.cells[goal] == position).all())
    pen.ellipse(box(task.cells[goal], side * 0.08), outline=REACHED if reached else GOAL, width=max(2, side // 10))
    return add_caption(np.asarray(image), f"goal: {task.goals.names[goal]}", reached)
