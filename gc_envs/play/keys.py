"""The effect of every key in every environment: tables that do not depend on a window."""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gymnasium
import numpy as np

from gc_envs.registration import get_row

# Discrete actions in the order of the action space, each with its key (as `pygame.key.name` spells it). The keys of
# Craftax are those of its own play scripts. Arrow keys also stand for left, right, up and down.
_GRIDWORLD = "left:a right:d up:w down:s"
_CRAFTAX_COMMON = (
    "noop:q left:a right:d up:w down:s do:space sleep:tab place_stone:r place_table:t place_furnace:f place_plant:p "
    "make_wood_pickaxe:1 make_stone_pickaxe:2 make_iron_pickaxe:3 "
)
_CRAFTAX_ONLY = (
    "make_wood_sword:5 make_stone_sword:6 make_iron_sword:7 rest:e descend:. ascend:, make_diamond_pickaxe:4 "
    "make_diamond_sword:8 make_iron_armour:y make_diamond_armour:u shoot_arrow:i make_arrow:o cast_fireball:g "
    "cast_iceball:h place_torch:j drink_potion_red:z drink_potion_green:x drink_potion_blue:c drink_potion_pink:v "
    "drink_potion_cyan:b drink_potion_yellow:n read_book:m enchant_sword:k enchant_armour:l make_torch:[ "
    "level_up_dexterity:] level_up_strength:- level_up_intelligence:= enchant_bow:;"
)
_CRAFTAX_CLASSIC = "make_wood_sword:4 make_stone_sword:5 make_iron_sword:6"
ARROWS = {"left": "a", "right": "d", "up": "w", "down": "s"}  # and the letters that do the same
COMMANDS = {"r": "reset", "n": "new goal", "q": "quit"}  # with Ctrl always, alone where the game has no such key
DIGITS = tuple("1234567890")  # in the order of the keyboard
PLAY_HORIZON = 300  # steps of an episode where it takes several presses to do what a policy does in one action
NUMBERED = [key for key in string.digits + string.ascii_lowercase if key not in COMMANDS]


@dataclass(frozen=True)
class Press:
    """The effect of a key on a continuous action: amounts by the index of a number in the action.

    The action of a step is the held action plus `push`, clipped to the action space.
    """

    push: Mapping[int, float] = field(default_factory=dict)  # added for this step alone
    keep: Mapping[int, float] = field(default_factory=dict)  # added to the held action, from now on
    flip: tuple[int, ...] = ()  # numbers of the held action that change their sign


@dataclass(frozen=True)
class Page:
    """The keys that act at the same time."""

    actions: Mapping[str, int | Press]  # key name -> action
    labels: tuple[tuple[str, str], ...]  # (key, its effect), for people
    name: str = ""  # what the keys act on, where there are several pages


@dataclass(frozen=True)
class Keyboard:
    """The way in which an environment is played."""

    pages: Callable[[gymnasium.Space], tuple[Page, ...]]  # for an action space
    held: Mapping[int, float] = field(default_factory=dict)  # held at the start of an episode, by index; 0 elsewhere
    horizon: int | None = None  # steps of an episode where people need more than the task's own


@dataclass(frozen=True)
class Bindings:
    """The effect of every key in one environment."""

    pages: tuple[Page, ...]
    held: Mapping[int, float] = field(default_factory=dict)

    def page(self, key: str, current: int) -> int | None:
        """Return the page that `key` turns to, or None: Tab turns to the next, a digit without other use to its own."""
        if len(self.pages) == 1 or key in self.pages[current].actions:
            return None
        if key == "tab":
            return (current + 1) % len(self.pages)
        turned = DIGITS.index(key) if key in DIGITS else -1
        return turned if 0 <= turned < len(self.pages) else None

    def command(self, key: str, ctrl: bool) -> str | None:
        """Return "reset", "new goal" or "quit", or None for a key of the game or without a meaning."""
        if key == "escape":
            return "quit"
        return COMMANDS.get(key) if ctrl or not self.is_taken(key) else None

    def is_taken(self, key: str) -> bool:
        """Return whether the game uses `key` on any page."""
        return any(key in page.actions for page in self.pages)

    def labels(self, current: int) -> tuple[tuple[str, str], ...]:
        """Return (key, its effect) of all keys while page `current` is open."""
        turn = [("tab", "act on the next")] if len(self.pages) > 1 else []
        digits = [key for key in DIGITS if self.page(key, current) is not None]
        if digits:
            turn += [(f"{digits[0]} .. {digits[-1]}", "act on that one")]
        commands = [(f"ctrl {key}" if self.is_taken(key) else key, name) for key, name in COMMANDS.items()]
        return (*self.pages[current].labels, *turn, *commands)


def discrete_pages(table: str) -> Callable[[gymnasium.Space], tuple[Page, ...]]:
    """Return the keys of discrete actions, given as "name:key name:key ..." in the order of the actions."""
    names, keys = zip(*(pair.split(":", 1) for pair in table.split()), strict=True)
    labels = [("arrows", "move (also wasd)")]
    labels += [(key, name.replace("_", " ")) for name, key in zip(names, keys, strict=True) if name not in ARROWS]
    actions = {key: action for action, key in enumerate(keys)} | {arrow: names.index(arrow) for arrow in ARROWS}
    page = Page(actions, tuple(labels))
    return lambda space: (page,)


def numbered_pages(space: gymnasium.Space, effect: str, plural: str) -> tuple[Page, ...]:
    """Return a key for every discrete action, as many on a page as there are digits and free letters.

    Args:
        space: A discrete action space.
        effect: The words for one action, such as "flip bit", which its number follows.
        plural: The words for several.
    """
    assert isinstance(space, gymnasium.spaces.Discrete)
    pages = []
    for first in range(0, int(space.n), len(NUMBERED)):
        keys = dict(zip(NUMBERED, range(first, int(space.n)), strict=False))
        labels = tuple((key, f"{effect} {number}") for key, number in keys.items())
        pages.append(Page(keys, labels, f"{plural} {first} .. {first + len(keys) - 1}"))
    return tuple(pages)


def any_pages(space: gymnasium.Space) -> tuple[Page, ...]:
    """Return the keys of a task that has no row in `KEYS`; ValueError where its actions are not of a known kind."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return numbered_pages(space, "action", "actions")
    if isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1:
        return pair_pages(space)
    raise ValueError(f"play has keys for discrete actions and for vectors of numbers, not for {space}")


def moves(**presses: Press) -> dict[str, int | Press]:
    """Return presses by arrow ("left", "right", "up", "down") and by the letter that does the same."""
    return {key: press for arrow, press in presses.items() for key in (arrow, ARROWS[arrow])}


MOVE = ("arrows", "move (also wasd)")
FINE = (("shift", "a third as far"), ("alt", "a tenth as far"))
STAY = {"space": Press()}


def pair_pages(space: gymnasium.Space) -> tuple[Page, ...]:
    """Return arrows for two coordinates at a time."""
    assert space.shape is not None
    labels = (MOVE, *FINE, ("space", "stay"))
    pages = []
    for x in range(0, space.shape[0], 2):
        name, actions = f"x{x + 1}", moves(left=Press({x: -1}), right=Press({x: 1})) | STAY
        if x + 1 < space.shape[0]:
            name, actions = f"{name}, x{x + 2}", actions | moves(down=Press({x + 1: -1}), up=Press({x + 1: 1}))
        pages.append(Page(actions, labels, name))
    return tuple(pages)


def panda_pages(space: gymnasium.Space) -> tuple[Page, ...]:
    """Return arrows as the camera in front of the robot sees the table; the space bar moves the gripper if it can."""
    actions = moves(left=Press({1: -1}), right=Press({1: 1}), up=Press({0: -1}), down=Press({0: 1}))
    actions |= {"e": Press({2: 1}), "page up": Press({2: 1}), "q": Press({2: -1}), "page down": Press({2: -1})}
    labels = (MOVE, ("e, page up", "up"), ("q, page down", "down"), *FINE)
    if space.shape == (4,):
        return (Page(actions | {"space": Press(flip=(3,))}, (*labels, ("space", "open or close the gripper"))),)
    return (Page(actions | STAY, (*labels, ("space", "stay"))),)


def hand_pages(space: gymnasium.Space) -> tuple[Page, ...]:
    """Return a page for every finger. Each press moves its joints by an eighth of their range, and they stay there."""
    pages = []
    for name, left, bend, lift in _FINGERS:
        actions = {
            **moves(left=Press(keep={left: 0.25}), right=Press(keep={left: -0.25})),
            **moves(down=Press(keep={i: n / 4 for i, n in bend.items()})),
            **moves(up=Press(keep={i: -n / 4 for i, n in bend.items()})),
            **STAY,
        }
        labels = [("left, right", "sideways (also a, d)"), ("down, up", "bend, stretch (also s, w)")]
        if lift is not None:
            actions |= {"page up": Press(keep={lift: 0.25}), "page down": Press(keep={lift: -0.25})}
            labels.append(("page up, down", "towards the palm and back" if name != "thumb" else "lift, lower"))
        pages.append(Page(actions, (*labels, *FINE, ("space", "stay")), name))
    return tuple(pages)


# Name, and by index in the action: moving left, bending (with its sign), and what the page keys move.
_FINGERS: tuple[tuple[str, int, dict[int, int], int | None], ...] = (
    ("wrist", 0, {1: -1}, None),
    ("forefinger", 2, {3: 1, 4: 1}, None),
    ("middle finger", 5, {6: 1, 7: 1}, None),
    ("ring finger", 8, {9: 1, 10: 1}, None),
    ("little finger", 12, {13: 1, 14: 1}, 11),
    ("thumb", 15, {18: -1, 19: -1}, 16),
)
_REACH_START = (  # the action that leaves the hand of HandReach in its start pose
    0.03, -0.36, 0.41, -0.59, -0.09, 0.0, -0.6, -0.02, 0.0, -0.53, -0.09,
    -0.87, -0.39, -0.49, -0.06, 0.0, -0.1, -0.07, 0.0, -0.01,
)  # fmt: skip
_DRIVE = Page(
    moves(left=Press(push={0: 1}), right=Press(push={0: -1}), up=Press()),
    (("left, right", "turn (also a, d)"), ("up", "straight on (also w)"), *FINE),
)

KEYS = {
    "GC-Gridworld-v0": Keyboard(discrete_pages(_GRIDWORLD)),
    "GC-Craftax-v0": Keyboard(discrete_pages(_CRAFTAX_COMMON + _CRAFTAX_ONLY)),
    "GC-Craftax-Classic-v0": Keyboard(discrete_pages(_CRAFTAX_COMMON + _CRAFTAX_CLASSIC)),
    "GC-ContinuousSeek-v0": Keyboard(pair_pages, horizon=PLAY_HORIZON),
    "GC-DriveSeek-v0": Keyboard(lambda space: (_DRIVE,)),
    "GC-NoisySeek-v0": Keyboard(pair_pages),
    "GC-BitFlip-v0": Keyboard(lambda space: numbered_pages(space, "flip bit", "bits")),
    **{
        f"GC-Panda{name}{reward}-v0": Keyboard(panda_pages, {3: 1.0} if name == "PickAndPlace" else {}, PLAY_HORIZON)
        for name in ("Reach", "Push", "Slide", "PickAndPlace")
        for reward in ("", "Dense")
    },
    "GC-HandReach-v0": Keyboard(hand_pages, dict(enumerate(_REACH_START)), PLAY_HORIZON),
    "GC-HandManipulateBlock-v0": Keyboard(hand_pages, horizon=PLAY_HORIZON),
}


def bindings(env_id: str, space: gymnasium.Space) -> Bindings:
    """Return the keys of `env_id`, whose action space is `space`.

    >>> bindings("GC-Gridworld-v0", gymnasium.spaces.Discrete(4)).pages[0].actions["up"]
    2
    """
    keyboard = get_keyboard(env_id)
    return Bindings(keyboard.pages(space), keyboard.held)


def get_keyboard(env_id: str) -> Keyboard:
    """Return the keys of `env_id`, general ones for a user's task; ValueError if it cannot be played."""
    row = get_row(env_id)
    if row.family == "own":
        return Keyboard(any_pages)
    if row.id not in KEYS:
        raise ValueError(f"{row.id} has no key bindings; play takes: {', '.join(KEYS)}")
    return KEYS[row.id]


def action_of(press: int | Press, held: np.ndarray, space: gymnasium.Space, scale: float = 1.0) -> np.ndarray:
    """Return the action of a key and update the held action in place.

    Args:
        press: A discrete action, or the effect of the key on a continuous one.
        held: The held action [A], which is changed by what the key keeps or flips.
        space: The action space.
        scale: A factor on the amounts of the press.
    """
    if not isinstance(press, Press):
        return np.asarray(press)
    assert isinstance(space, gymnasium.spaces.Box)
    held[list(press.flip)] *= -1
    for index, amount in press.keep.items():
        held[index] += scale * amount
    np.clip(held, space.low, space.high, out=held)
    action = held.copy()
    for index, amount in press.push.items():
        action[index] += scale * amount
    return np.clip(action, space.low, space.high)
