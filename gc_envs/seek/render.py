"""Frames of the Seek tasks, 480 pixels wide.

The tasks' states hold no past positions, so whoever renders hands on the earlier states of the episode. T is the number
of earlier positions that a frame shows, d the number of coordinates.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gc_envs.core.caption import add_caption

PAPER, GRID, AXIS, LABEL = (250, 248, 243), (232, 228, 219), (205, 200, 188), (128, 124, 116)
PATH, AGENT = (126, 166, 220), (43, 108, 196)
GOAL, REACHED = (240, 152, 38), (58, 170, 108)
BIT, NO_BIT = (72, 80, 96), (238, 234, 225)
SIDE = 480  # width of a frame in pixels
PLANE = 1e9  # the width of a torus so large that no path goes around it
SCALE = 3  # everything is drawn this many times larger and then reduced, which smooths it


def path_of(state: Any, history: Sequence[Any], length: int) -> np.ndarray:
    """Return the positions [T + 1, d] of the last `length` states of `history` (T or fewer) and of `state`."""
    return np.stack([np.asarray(one.position) for one in (*history[max(0, len(history) - length) :], state)])


class Panel:
    """A square picture of a part of the plane, x to the right and y up. Sizes are in pixels of the finished frame."""

    def __init__(self, side: int, centre: np.ndarray, reach: float, step: float) -> None:
        """Draw paper `side` pixels wide that shows `centre` [2] +- `reach`, a line every `step` and the two axes."""
        self.picture = Image.new("RGB", (side * SCALE,) * 2, PAPER)
        self.pen = ImageDraw.Draw(self.picture)
        self.centre, self.reach, self.step = centre, reach, step
        self.unit = side / (2 * reach)
        end = side * SCALE
        for k, (x, y) in self.ticks():
            colour, width = (GRID, SCALE) if k else (AXIS, 2 * SCALE)
            self.pen.line((x, 0, x, end), fill=colour, width=width)
            self.pen.line((0, y, end, y), fill=colour, width=width)
        self.pen.rectangle((0, 0, end - 1, end - 1), outline=AXIS, width=SCALE)

    def ticks(self) -> list[tuple[int, tuple[float, float]]]:
        """Return (k, where k * step lies on either axis) for every such line that could be seen."""
        last = math.ceil((np.abs(self.centre).max() + self.reach) / self.step)
        # The axes are drawn last.
        return [(k, self.at(np.full(2, k * self.step))) for k in sorted(range(-last, last + 1), key=abs, reverse=True)]

    def at(self, point: np.ndarray) -> tuple[float, float]:
        """Return where `point` [2] lies in the enlarged picture."""
        x, y = (np.asarray(point) - self.centre + self.reach) * self.unit * SCALE
        return float(x), float(self.picture.height - y)

    def around(self, point: np.ndarray, radius: float) -> tuple[float, float, float, float]:
        """Return the corners of the square of half width `radius` pixels around `point` [2]."""
        x, y = self.at(point)
        return x - radius * SCALE, y - radius * SCALE, x + radius * SCALE, y + radius * SCALE

    def draw_path(self, path: np.ndarray, width: float = PLANE) -> None:
        """Draw positions [T + 1, 2] and the lines between them, on a torus of `width`."""
        for start, end in itertools.pairwise(path):
            wraps = np.abs(end - start) > width / 2
            lap = np.where(wraps, np.sign(end - start) * width, 0)
            for shift in (0 * lap, lap)[: 1 + wraps.any()]:  # out over one edge, and in at the other
                self.pen.line((*self.at(start + shift), *self.at(end - lap + shift)), fill=PATH, width=4)
        for position in path:
            self.pen.ellipse(self.around(position, 2), fill=PATH)

    def draw_agent(self, position: np.ndarray, heading: float | None = None, radius: float = 6) -> None:
        """Draw a disc, or with a `heading` (radians) an arrow head that points that way."""
        if heading is None:
            self.pen.ellipse(self.around(position, radius), fill=AGENT, outline=PAPER, width=SCALE)
            return
        (x, y), size = self.at(position), 2 * radius * SCALE
        corners = [(heading + turn, size * far) for turn, far in ((0, 1), (2.5, 0.9), (math.pi, 0.4), (-2.5, 0.9))]
        shape = [(x + far * math.cos(angle), y - far * math.sin(angle)) for angle, far in corners]
        self.pen.polygon(shape, fill=AGENT, outline=PAPER, width=SCALE)


def draw_points(
    path: np.ndarray, desired: np.ndarray | None, edge: float | None = None, heading: float | None = None
) -> np.ndarray:
    """Draw goal points as squares, in another colour once visited, the path and the agent.

    Args:
        path: The positions [T + 1, 2], the current one last.
        desired: A desired goal [n_max * 3] of `PointSetGoals`, or None.
        edge: Half the width of the torus [-edge, edge)^2, or None for an open plane, of which the frame shows only the
            part that is used.
        heading: The direction of the agent in radians, or None for an agent without one.

    Returns:
        A frame, uint8 [H, W, 3].
    """
    rows = np.zeros((0, 3)) if desired is None else np.reshape(desired, (-1, 3))
    points = rows[rows[:, 0] > 0.5, 1:]
    margin = 28  # for the numbers on the axes
    centre, reach = (np.zeros(2), edge) if edge is not None else window(np.concatenate([points, path]))
    step = next(step for step in (2, 5, 10, 20, 50, 100) if 2 * reach / step <= 10)
    panel = Panel(SIDE - margin, centre, reach, step)
    goals, visited = ({tuple(cell) for cell in np.rint(cells).tolist()} for cells in (points, path))
    for point in goals:  # a square is not quite as large as the set of positions that round to its point
        square = panel.around(np.array(point), max(0.42 * panel.unit, 2))
        panel.pen.rectangle(square, fill=REACHED if point in visited else GOAL)
    panel.draw_path(path, width=PLANE if edge is None else 2 * edge)
    panel.draw_agent(path[-1], heading)

    picture = Image.new("RGB", (SIDE * SCALE,) * 2, PAPER)
    picture.paste(panel.picture, (margin * SCALE, 0))
    for k, (x, y) in panel.ticks():
        if 10 * SCALE < x < panel.picture.width - 10 * SCALE:
            write(picture, (x + margin * SCALE, (SIDE - 15) * SCALE), f"{k * panel.step}", "mm")
        if 6 * SCALE < y < panel.picture.height - 6 * SCALE:
            write(picture, ((margin - 5) * SCALE, y), f"{k * panel.step}", "rm")
    if desired is None:
        return reduced(picture)
    success = tuple(np.rint(path[-1]).tolist()) in goals
    return add_caption(reduced(picture), f"{len(goals & visited)} of {len(goals)} points visited", success)


def draw_pairs(path: np.ndarray, desired: np.ndarray | None, size: float, threshold: float) -> np.ndarray:
    """Draw a position in [-size, size]^d, two coordinates to a panel; an odd last one is alone on a line.

    Args:
        path: The positions [T + 1, d], the current one last.
        desired: The goal [d], drawn as a square with `threshold` to each side and a frame that makes it easy to find,
            or None.
        size: Half the width of the box.
        threshold: The distance along every axis within which the goal is reached.

    Returns:
        A frame, uint8 [H, W, 3].
    """
    dim = path.shape[1]
    count = -(-dim // 2)
    columns = math.ceil(math.sqrt(count))
    gap, title = 4, 16
    side = (SIDE + gap) // columns - gap
    picture = Image.new("RGB", (SIDE * SCALE, -(-count // columns) * (title + side) * SCALE), GRID)
    paths = np.pad(path, ((0, 0), (0, dim % 2))).reshape(len(path), count, 2)
    goals = None if desired is None else np.pad(desired, (0, dim % 2)).reshape(count, 2)
    for k in range(count):
        inset = max(10, side / 32)  # of the box in its panel, so that an agent at the border is seen whole
        panel = Panel(side, np.zeros(2), size * side / (side - 2 * inset), step=size)
        if goals is not None:
            colour = REACHED if np.abs(paths[-1, k] - goals[k]).max() <= threshold else GOAL
            panel.pen.rectangle(panel.around(goals[k], max(8, side / 40)), outline=colour, width=3 * SCALE)
            panel.pen.rectangle(panel.around(goals[k], threshold * panel.unit), fill=colour)
        panel.draw_path(paths[:, k])
        panel.draw_agent(paths[-1, k], radius=max(4.5, side / 80))
        left, top = k % columns * (side + gap) * SCALE, k // columns * (title + side) * SCALE
        picture.paste(panel.picture, (left, top + title * SCALE))
        names = [f"x{i + 1}" for i in (2 * k, 2 * k + 1) if i < dim]
        write(picture, (left + 6 * SCALE, top + title // 2 * SCALE), ", ".join(names), "lm")
    if desired is None:
        return reduced(picture)
    distance = float(np.abs(path[-1] - desired).max())
    return add_caption(reduced(picture), f"max distance {distance:.2f}", distance <= threshold)


def draw_bits(bits: np.ndarray, goal: np.ndarray | None) -> np.ndarray:
    """Draw numbered bits as cells above those of the goal; a frame marks where they differ.

    Args:
        bits: The current bits, bool [d]; cells are dark where a bit is set.
        goal: The bits of the goal, bool [d], or None.

    Returns:
        A frame, uint8 [H, W, 3].
    """
    lines = max(1, round(math.sqrt(len(bits) / 3)))
    columns = -(-len(bits) // lines)
    margin, names, gap = 18, 40, 24
    cell = min(64, (SIDE - 2 * margin - names) // columns)
    rows = {"now": bits} if goal is None else {"now": bits, "goal": goal}
    line = cell * len(rows) + gap
    picture = Image.new("RGB", (SIDE * SCALE, (2 * margin + lines * line - gap) * SCALE), PAPER)
    pen = ImageDraw.Draw(picture)

    def place(i: int) -> tuple[int, int]:
        """Return left and top of bit i."""
        return margin + names + i % columns * cell, margin + i // columns * line

    def rectangle(left: int, top: int, height: int, **style) -> None:
        pen.rectangle([n * SCALE for n in (left + 1, top + 1, left + cell - 1, top + height - 1)], **style)

    for number, (name, values) in enumerate(rows.items()):
        for i, value in enumerate(values):
            left, top = place(i)
            rectangle(left, top + number * cell, cell, fill=BIT if value else NO_BIT)
            if number == 0 and cell >= 16:
                write(picture, ((left + cell / 2) * SCALE, (top - 8) * SCALE), f"{i}", "mm")
            if i % columns == 0:
                write(picture, (margin * SCALE, (top + (number + 0.5) * cell) * SCALE), name, "lm")
    if goal is None:
        return reduced(picture)
    different = np.flatnonzero(bits != goal)
    for i in different.tolist():
        rectangle(*place(i), 2 * cell, outline=GOAL, width=3 * SCALE)
    return add_caption(reduced(picture), f"{len(different)} of {len(bits)} bits differ", len(different) == 0)


def window(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return centre [2] and half width of a square that shows `points` [n, 2] with a margin around them."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, max(6.0, float((high - low).max()) / 2 + 2)


def write(picture: Image.Image, place: tuple[float, float], text: str, anchor: str) -> None:
    """Write small letters at `place`, in pixels of the enlarged picture."""
    font = ImageFont.load_default(12 * SCALE)
    ImageDraw.Draw(picture).text(place, text, fill=LABEL, font=font, anchor=anchor)


def reduced(picture: Image.Image) -> np.ndarray:
    """Return the picture at its final size, uint8 [H, W, 3]."""
    return np.array(picture.reduce(SCALE))  # a copy: views of images are read-only
