"""Frames of the Seek tasks, 480 pixels wide."""

import itertools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gc_envs.core.caption import add_caption

PAPER, GRID, AXIS, LABEL = (250, 248, 243), (232, 228, 219), (205, 200, 188), (128, 124, 116)
TRAIL, AGENT = (126, 166, 220), (43, 108, 196)
GOAL, REACHED = (240, 152, 38), (58, 170, 108)
BIT, NO_BIT = (72, 80, 96), (238, 234, 225)
SIDE = 480
PLANE = 1e9  # width of a torus that no one goes around
FINE = 3  # everything is drawn this many times larger and then reduced, which smooths it


class Panel:
    """A square picture of a part of the plane, x to the right and y up. Sizes are in pixels of the finished frame."""

    def __init__(self, side: int, centre: np.ndarray, reach: float, step: float) -> None:
        """Paper `side` pixels wide that shows `centre` [2] +- `reach`, with a line every `step` and the two axes."""
        self.picture = Image.new("RGB", (side * FINE,) * 2, PAPER)
        self.pen = ImageDraw.Draw(self.picture)
        self.centre, self.reach, self.step = centre, reach, step
        self.unit = side / (2 * reach)
        end = side * FINE
        for k, (x, y) in self.ticks():
            colour, width = (GRID, FINE) if k else (AXIS, 2 * FINE)
            self.pen.line((x, 0, x, end), fill=colour, width=width)
            self.pen.line((0, y, end, y), fill=colour, width=width)
        self.pen.rectangle((0, 0, end - 1, end - 1), outline=AXIS, width=FINE)

    def ticks(self) -> list[tuple[int, tuple[float, float]]]:
        """(k, where k * step lies on either axis) for every such line that could be seen."""
        last = math.ceil((np.abs(self.centre).max() + self.reach) / self.step)
        # The axes are drawn last.
        return [(k, self.at(np.full(2, k * self.step))) for k in sorted(range(-last, last + 1), key=abs, reverse=True)]

    def at(self, point: np.ndarray) -> tuple[float, float]:
        """Where `point` [2] lies in the (large) picture."""
        x, y = (np.asarray(point) - self.centre + self.reach) * self.unit * FINE
        return float(x), float(self.picture.height - y)

    def around(self, point: np.ndarray, radius: float) -> tuple[float, float, float, float]:
        """The square of half width `radius` pixels around `point`."""
        x, y = self.at(point)
        return x - radius * FINE, y - radius * FINE, x + radius * FINE, y + radius * FINE

    def trail(self, trail: np.ndarray, width: float = PLANE) -> None:
        """Positions [T + 1, 2] and the lines between them, on a torus of `width`."""
        for start, end in itertools.pairwise(trail):
            wraps = np.abs(end - start) > width / 2
            lap = np.where(wraps, np.sign(end - start) * width, 0)
            for shift in (0 * lap, lap)[: 1 + wraps.any()]:  # out over one edge, and in at the other
                self.pen.line((*self.at(start + shift), *self.at(end - lap + shift)), fill=TRAIL, width=4)
        for position in trail:
            self.pen.ellipse(self.around(position, 2), fill=TRAIL)

    def agent(self, position: np.ndarray, heading: float | None = None, radius: float = 6) -> None:
        """A disc, or an arrow head that points to where the agent is heading (radians)."""
        if heading is None:
            self.pen.ellipse(self.around(position, radius), fill=AGENT, outline=PAPER, width=FINE)
            return
        (x, y), size = self.at(position), 2 * radius * FINE
        corners = [(heading + turn, size * far) for turn, far in ((0, 1), (2.5, 0.9), (math.pi, 0.4), (-2.5, 0.9))]
        shape = [(x + far * math.cos(angle), y - far * math.sin(angle)) for angle, far in corners]
        self.pen.polygon(shape, fill=AGENT, outline=PAPER, width=FINE)


def draw_points(
    trail: np.ndarray, desired: np.ndarray | None, edge: float | None = None, heading: float | None = None
) -> np.ndarray:
    """Goal points as squares, in another colour once visited, the trail and the agent.

    Args:
        trail: positions [T + 1, 2], the present one last.
        desired: a desired goal [n_max * 3] of `PointSetGoals`, or None.
        edge: the world is the torus [-edge, edge)^2; None: an open plane, of which the frame shows what is used.
        heading: of the agent, in radians.
    """
    rows = np.zeros((0, 3)) if desired is None else np.reshape(desired, (-1, 3))
    points = rows[rows[:, 0] > 0.5, 1:]
    margin = 28  # for the numbers on the axes
    centre, reach = (np.zeros(2), edge) if edge is not None else window(np.concatenate([points, trail]))
    step = next(step for step in (2, 5, 10, 20, 50, 100) if 2 * reach / step <= 10)
    panel = Panel(SIDE - margin, centre, reach, step)
    goals, visited = ({tuple(cell) for cell in np.rint(cells).tolist()} for cells in (points, trail))
    for point in goals:  # a square is not quite as large as the set of positions that round to its point
        square = panel.around(np.array(point), max(0.42 * panel.unit, 2))
        panel.pen.rectangle(square, fill=REACHED if point in visited else GOAL)
    panel.trail(trail, width=PLANE if edge is None else 2 * edge)
    panel.agent(trail[-1], heading)

    picture = Image.new("RGB", (SIDE * FINE,) * 2, PAPER)
    picture.paste(panel.picture, (margin * FINE, 0))
    for k, (x, y) in panel.ticks():
        if 10 * FINE < x < panel.picture.width - 10 * FINE:
            write(picture, (x + margin * FINE, (SIDE - 15) * FINE), f"{k * panel.step}", "mm")
        if 6 * FINE < y < panel.picture.height - 6 * FINE:
            write(picture, ((margin - 5) * FINE, y), f"{k * panel.step}", "rm")
    if desired is None:
        return reduced(picture)
    there = tuple(np.rint(trail[-1]).tolist()) in goals
    return add_caption(reduced(picture), f"{len(goals & visited)} of {len(goals)} points visited", there)


def draw_pairs(trail: np.ndarray, desired: np.ndarray | None, size: float, threshold: float) -> np.ndarray:
    """A position in [-size, size]^d, two coordinates to a panel; an odd last one is alone on a line.

    Args:
        trail: positions [T + 1, d], the present one last.
        desired: the goal [d], or None: a square, `threshold` to each side, in a frame that makes it easy to find.
        size: of the box.
        threshold: how near the goal must be, along every axis.
    """
    dim = trail.shape[1]
    count = -(-dim // 2)
    columns = math.ceil(math.sqrt(count))
    gap, title = 4, 16
    side = (SIDE + gap) // columns - gap
    picture = Image.new("RGB", (SIDE * FINE, -(-count // columns) * (title + side) * FINE), GRID)
    paths = np.pad(trail, ((0, 0), (0, dim % 2))).reshape(len(trail), count, 2)
    goals = None if desired is None else np.pad(desired, (0, dim % 2)).reshape(count, 2)
    for k in range(count):
        inset = max(10, side / 32)  # of the box in its panel, so that an agent at the border is seen whole
        panel = Panel(side, np.zeros(2), size * side / (side - 2 * inset), step=size)
        if goals is not None:
            colour = REACHED if np.abs(paths[-1, k] - goals[k]).max() <= threshold else GOAL
            panel.pen.rectangle(panel.around(goals[k], max(8, side / 40)), outline=colour, width=3 * FINE)
            panel.pen.rectangle(panel.around(goals[k], threshold * panel.unit), fill=colour)
        panel.trail(paths[:, k])
        panel.agent(paths[-1, k], radius=max(4.5, side / 80))
        left, top = k % columns * (side + gap) * FINE, k // columns * (title + side) * FINE
        picture.paste(panel.picture, (left, top + title * FINE))
        names = [f"x{i + 1}" for i in (2 * k, 2 * k + 1) if i < dim]
        write(picture, (left + 6 * FINE, top + title // 2 * FINE), ", ".join(names), "lm")
    if desired is None:
        return reduced(picture)
    distance = float(np.abs(trail[-1] - desired).max())
    return add_caption(reduced(picture), f"max distance {distance:.2f}", distance <= threshold)


def draw_bits(bits: np.ndarray, goal: np.ndarray | None) -> np.ndarray:
    """Bits [d] as cells, dark where set, numbered, above those of the `goal` [d]; a frame marks where they differ."""
    lines = max(1, round(math.sqrt(len(bits) / 3)))
    columns = -(-len(bits) // lines)
    margin, names, gap = 18, 40, 24
    cell = min(64, (SIDE - 2 * margin - names) // columns)
    rows = {"now": bits} if goal is None else {"now": bits, "goal": goal}
    line = cell * len(rows) + gap
    picture = Image.new("RGB", (SIDE * FINE, (2 * margin + lines * line - gap) * FINE), PAPER)
    pen = ImageDraw.Draw(picture)

    def place(i: int) -> tuple[int, int]:
        """Left and top of bit i."""
        return margin + names + i % columns * cell, margin + i // columns * line

    def rectangle(left: int, top: int, height: int, **style) -> None:
        pen.rectangle([n * FINE for n in (left + 1, top + 1, left + cell - 1, top + height - 1)], **style)

    for number, (name, values) in enumerate(rows.items()):
        for i, value in enumerate(values):
            left, top = place(i)
            rectangle(left, top + number * cell, cell, fill=BIT if value else NO_BIT)
            if number == 0 and cell >= 16:
                write(picture, ((left + cell / 2) * FINE, (top - 8) * FINE), f"{i}", "mm")
            if i % columns == 0:
                write(picture, (margin * FINE, (top + (number + 0.5) * cell) * FINE), name, "lm")
    if goal is None:
        return reduced(picture)
    wrong = np.flatnonzero(bits != goal)
    for i in wrong.tolist():
        rectangle(*place(i), 2 * cell, outline=GOAL, width=3 * FINE)
    return add_caption(reduced(picture), f"{len(wrong)} of {len(bits)} bits differ", len(wrong) == 0)


def window(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [2] and half width of a square that shows `points` [n, 2] and some room around them."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, max(6.0, float((high - low).max()) / 2 + 2)


def write(picture: Image.Image, place: tuple[float, float], text: str, anchor: str) -> None:
    """Small letters at `place`, in pixels of the large picture."""
    font = ImageFont.load_default(12 * FINE)
    ImageDraw.Draw(picture).text(place, text, fill=LABEL, font=font, anchor=anchor)


def reduced(picture: Image.Image) -> np.ndarray:
    """The picture at its final size: uint8 [H, W, 3]."""
    return np.asarray(picture.reduce(FINE))
