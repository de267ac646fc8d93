"""Frames of the Gridworld."""

from typing import TYPE_CHECKING

import numpy as np

from gc_envs.core.caption import add_caption

if TYPE_CHECKING:
    from gc_envs.gridworld.task import GridworldTask

FLOOR, WALL, UNREACHABLE = (240, 236, 226), (58, 64, 77), (205, 200, 188)
AGENT, GOAL, REACHED = (43, 108, 196), (240, 152, 38), (58, 170, 108)
GRID = (226, 220, 206)


def draw(task: "GridworldTask", position: np.ndarray, goal: int | None) -> np.ndarray:
    """Draw the map with the agent (disc) and the desired goal (ring), uint8 [H, W, 3], about 480 pixels wide.

    Args:
        task: The task whose map is drawn.
        position: The cell of the agent, (row, column), [2].
        goal: The index of the desired goal, or None.
    """
    from PIL import Image, ImageDraw

    side = max(8, 480 // task.size)
    image = Image.new("RGB", (side * task.size,) * 2, FLOOR)
    pen = ImageDraw.Draw(image)

    def box(cell: np.ndarray, margin: float) -> tuple[float, float, float, float]:
        """Return the corners of `cell` in pixels, less `margin` on each side."""
        top, left = cell * side
        return left + margin, top + margin, left + side - 1 - margin, top + side - 1 - margin

    goals = {tuple(cell) for cell in task.cells}
    for cell in np.ndindex(task.walls.shape):
        if tuple(cell) not in goals:
            pen.rectangle(box(np.array(cell), 0.5), fill=WALL if task.walls[cell] else UNREACHABLE)
        else:
            pen.rectangle(box(np.array(cell), 0), outline=GRID)
    pen.ellipse(box(position, side * 0.22), fill=AGENT)
    if goal is None:
        return np.asarray(image)
    success = bool((task.cells[goal] == position).all())
    pen.ellipse(box(task.cells[goal], side * 0.08), outline=REACHED if success else GOAL, width=max(2, side // 10))
    return add_caption(np.asarray(image), f"goal: {task.goals.names[goal]}", success)
