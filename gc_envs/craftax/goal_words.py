"""What the goals of Craftax ask for, in words."""

WHERE = {
    "left": "on the cell to the left of", "right": "on the cell to the right of", "up": "on the cell above",
    "down": "on the cell below",
}  # fmt: skip
SPECIAL = {
    "OUT_OF_BOUNDS": "the world outside of the map",
    "LADDER_DOWN": "a ladder down",
    "LADDER_UP": "a ladder up",
    "LADDER_DOWN_BLOCKED": "a blocked ladder down",
    "ENCHANTMENT_TABLE_FIRE": "an enchantment table of fire",
    "ENCHANTMENT_TABLE_ICE": "an enchantment table of ice",
    "NECROMANCER_VULNERABLE": "the necromancer, vulnerable,",
    "NECROMANCER": "the necromancer",
    "WALL_MOSS": "a mossy wall",
}
# Blocks without a number: "water lies below", not "a water".
SUBSTANCES = ("GRASS", "WATER", "STONE", "COAL", "IRON", "SAND", "LAVA", "FIRE_GRASS", "ICE_GRASS")


def describe(name: str) -> str:
    """Return what the goal called `name` asks for, in words that follow "the goal is to".

    >>> describe("block_map/IRON_down"), describe("inventory/wood_10-14")
    ('have iron on the cell below the player', 'carry 10 to 14 pieces of wood')
    """
    kind, rest = name.split("/")
    if kind in ("block_map", "item_map", "mob_map"):
        thing, direction = rest.rsplit("_", 1)
        return f"have {_thing(thing)} {WHERE[direction]} the player"
    if kind == "inventory":
        resource, count = rest.rsplit("_", 1)
        low, _, high = count.partition("-")
        amount = f"{low} to {high}" if high else f"exactly {low}"
        return f"carry {amount} {_counted(resource, one=count == '1')}"
    if kind == "dungeon_level":
        level = int(rest.removeprefix("dlvl_"))
        return "be on the surface" if level == 0 else f"be on floor {level} below the surface"
    if kind == "intrinsics":
        attribute, points = rest.rsplit("_", 1)
        return f"have {points} points of {attribute}"
    if kind == "enchant":
        piece, element = rest.rsplit("_", 1)
        return f"have the {piece} enchanted with {element}"
    return f"have {_article(rest.replace('_', ' '))}"  # tools


def _thing(name: str) -> str:
    """Return a block, an item or a creature with its article; a number at the end of a name tells kinds apart."""
    if name in SPECIAL:
        return SPECIAL[name]
    words = name.lower().replace("_", " ")
    if words[-1].isdigit():
        words = f"{words[:-1]} (kind {words[-1]})"
    return words if name in SUBSTANCES else _article(words)


def _counted(resource: str, *, one: bool) -> str:
    """Return what `resource` is counted in."""
    if resource in ("wood", "stone", "coal", "iron"):
        return f"{'piece' if one else 'pieces'} of {resource}"
    singular = {"torches": "torch", "arrows": "arrow"}.get(resource, resource)
    if one:
        return singular
    return {"torch": "torches", "ruby": "rubies"}.get(singular, f"{singular}s")


def _article(words: str) -> str:
    """Return `words` with "a" or "an", or as they are where they are plural."""
    if words.endswith(("pants", "boots")):
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
