"""The Panda tasks as rows of a table: what distinguishes one from another. Units: m, kg."""

from dataclasses import dataclass

ITEM_START_BOX = ((0.45, -0.15), (0.75, 0.15))  # x, y of an item's centre at the start


@dataclass(frozen=True)
class Item:
    """The object to be moved."""

    shape: str  # "box" with the half sizes `size`, or "puck" with the radius size[0] and the half height size[2]
    size: tuple[float, float, float]
    mass: float
    friction: float  # of its sliding on the table

    @property
    def rest_height(self) -> float:
        """The height of its centre when it lies on the table."""
        return self.size[2]


@dataclass(frozen=True)
class PandaVariant:
    """One Panda task. Boxes are (low, high) corners in the frame of the robot's base."""

    item: Item | None  # None: the end-effector itself is to be moved
    gripper: bool  # whether the policy moves the fingers; if not, they are always closed
    goal_box: tuple[tuple[float, float, float], tuple[float, float, float]]
    start_box: tuple[tuple[float, float], tuple[float, float]] | None = None  # x, y of the item's centre
    on_table: float = 0.0  # the share of goals that lie at the goal box's lowest height


VARIANTS = {
    "reach": PandaVariant(None, False, ((0.49, -0.15, 0.05), (0.79, 0.15, 0.35))),  # 0.15 m about the start
    "push": PandaVariant(
        Item("box", (0.02, 0.02, 0.02), mass=1.0, friction=0.5), False,
        ((0.45, -0.15, 0.02), (0.75, 0.15, 0.02)), ITEM_START_BOX,
    ),
    "slide": PandaVariant(
        Item("puck", (0.03, 0.03, 0.02), mass=1.0, friction=0.1), False,
        ((0.85, -0.15, 0.02), (1.15, 0.15, 0.02)), ITEM_START_BOX,
    ),
    "pick_and_place": PandaVariant(
        Item("box", (0.02, 0.02, 0.02), mass=0.1, friction=1.0), True,
        ((0.45, -0.15, 0.02), (0.75, 0.15, 0.22)), ITEM_START_BOX, on_table=0.3,
    ),
}  # fmt: skip
