"""Frames of the Gridworld."""

import numpy as np

from gc_envs.core.caption import add_caption

FLOOR, WALL, UNREACHABLE = (240, 236, 226), (58, 64, 77), (205, 200, 188)
AGENT, GOAL, REACHED = (43, 108, 196), (240, 152, 38), (58, 170, 108)
GRID = (226, 220, 206)


def render_frame(
    walls: np.ndarray, cells: np.ndarray, position: np.ndarray, goal: np.ndarray | None, name: str = ""
) -> np.ndarray:
    """Return the map with the agent (disc) and the desired goal (ring), uint8 [H, W, 3], about 480 pixels wide.

    Args:
        walls: The map of the walls, bool [size, size].
        cells: The cells that are goals, (row, column), [G, 2].
        position: The cell of the agent, [2].
        goal: The cell of the desired goal, [2], or None.
        name: The name of the desired goal, for the caption.
    """
    from PIL import Image, ImageDraw

    size = len(walls)
    side = max(8, 480 // size)
    image = Image.new("RGB", (side * size,) * 2, FLOOR)
    pen = ImageDraw.Draw(image)

    def box(cell: np.ndarray, margin: float) -> tuple[float, float, float, float]:
        """Return the corners of `cell` in pixels, less `margin` on each side."""
        top, left = cell * side
        return left + margin, top + margin, left + side - 1 - margin, top + side - 1 - margin

    goals = {tuple(cell) for cell in cells}
    for cell in np.ndindex(walls.shape):
        if tuple(cell) not in goals:
            pen.rectangle(box(np.array(cell), 0.5), fill=WALL if walls[cell] else UNREACHABLE)
        else:
            pen.rectangle(box(np.array(cell), 0), outline=GRID)
    pen.ellipse(box(position, side * 0.22), fill=AGENT)
    if goal is None:
        return np.array(image)  # a copy: views of images are read-only
    success = bool((goal == position).all())
    pen.ellipse(box(goal, side * 0.08), outline=REACHED if success else GOAL, width=max(2, side // 10))
    return add_caption(np.asarray(image), f"goal: {name}", success)
