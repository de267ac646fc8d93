"""The two games, one row each, and the Craftax functions of each row. Importing this file imports no JAX."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

# As seen from the player, in (row, column); the order is Craftax's own and that of the goal names.
DIRECTIONS: tuple[tuple[str, tuple[int, int]], ...] = (
    ("left", (0, -1)),
    ("right", (0, 1)),
    ("up", (-1, 0)),
    ("down", (1, 0)),
)
NO_TIME_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class MobGroup:
    """The slots of one class of mobs in Craftax's state."""

    field: str  # name of the field of EnvState
    slots: int
    first_type: int  # mob type of the group's type_id 0
    num_types: int


@dataclass(frozen=True)
class Game:
    """The Craftax functions and parameters of one variant, imported on first use."""

    generate: Callable[..., Any]  # (key, params, static_params) -> EnvState
    step: Callable[..., Any]  # (key, state, action, params, static_params) -> (EnvState, reward)
    is_terminal: Callable[[Any], Any]  # state -> bool [], death and victory only
    render_symbolic: Callable[[Any], Any]  # state -> float32 [N]
    renderer: Any  # module holding make_craftax_pixel_renderer
    constants: Any  # module holding BlockType, ItemType, Action and the textures
    state_type: type
    params: Any
    static_params: Any

    @property
    def blocks(self) -> type[Enum]:
        """The blocks of the map, by id."""
        return self.constants.BlockType

    @property
    def items(self) -> type[Enum]:
        """The items of the map, by id; Craftax only."""
        return self.constants.ItemType


@dataclass(frozen=True)
class Variant:
    """One of the two games. H x W is the view of the player, T the number of mob types, M the number of mob slots."""

    name: str
    horizon: int
    num_actions: int
    view: tuple[int, int]  # H, W
    num_blocks: int
    num_items: int  # 0 where the game has no item map
    mobs: tuple[MobGroup, ...]
    has_levels: bool  # state arrays carry a leading level axis, and cells may be dark
    agent_block_pixels: int
    inventory_rows: int  # rows of blocks below the map in Craftax's own frame
    package: str
    state_module: str
    world_module: str

    @property
    def num_cells(self) -> int:
        """The number of cells, H * W; as a cell index it means "not visible"."""
        return self.view[0] * self.view[1]

    @property
    def num_mob_slots(self) -> int:
        """The number of mob slots, M."""
        return sum(group.slots for group in self.mobs)

    @property
    def num_mob_types(self) -> int:
        """The number of mob types, T."""
        return max(group.first_type + group.num_types for group in self.mobs)

    @property
    def game(self) -> Game:
        """Craftax's own functions for this row; the first use imports JAX and Craftax."""
        return _load(self)


FULL = Variant(
    name="full",
    horizon=100_000,
    num_actions=43,
    view=(9, 11),
    num_blocks=37,
    num_items=5,
    mobs=(
        MobGroup("melee_mobs", 3, 0, 8),
        MobGroup("passive_mobs", 3, 8, 8),
        MobGroup("ranged_mobs", 2, 16, 8),
        MobGroup("mob_projectiles", 3, 24, 8),
        MobGroup("player_projectiles", 3, 32, 8),
    ),
    has_levels=True,
    agent_block_pixels=10,
    inventory_rows=4,
    package="craftax.craftax",
    state_module="craftax_state",
    world_module="world_gen.world_gen",
)
CLASSIC = Variant(
    name="classic",
    horizon=10_000,
    num_actions=17,
    view=(7, 9),
    num_blocks=17,
    num_items=0,
    mobs=(
        MobGroup("zombies", 3, 0, 1),
        MobGroup("cows", 3, 1, 1),
        MobGroup("skeletons", 2, 2, 1),
        MobGroup("arrows", 3, 3, 1),
    ),
    has_levels=False,
    agent_block_pixels=7,
    inventory_rows=2,
    package="craftax.craftax_classic",
    state_module="envs.craftax_state",
    world_module="world_gen",
)
VARIANTS: dict[str, Variant] = {row.name: row for row in (FULL, CLASSIC)}


def get_variant(name: str) -> Variant:
    """Return the row called `name`.

    Raises:
        ValueError: If there is no such row.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown Craftax variant {name!r}; known: {', '.join(VARIANTS)}")
    return VARIANTS[name]


@functools.cache
def _load(variant: Variant) -> Game:
    import jax

    def module(name: str) -> Any:
        # Craftax computes tables at import; if that happened first inside a jit, they would be leaked tracers.
        with jax.ensure_compile_time_eval():
            return importlib.import_module(f"{variant.package}.{name}")

    logic, states, constants, renderer = map(module, ("game_logic", variant.state_module, "constants", "renderer"))
    # Running out of time is truncation, which the episode decides, so Craftax's own limit is put out of reach.
    params = states.EnvParams(max_timesteps=NO_TIME_LIMIT)
    static_params = states.StaticEnvParams()
    terminal_args = (params, static_params) if variant.has_levels else (params,)
    return Game(
        generate=module(variant.world_module).generate_world,
        step=logic.craftax_step,
        is_terminal=lambda state: logic.is_game_over(state, *terminal_args),
        render_symbolic=renderer.render_craftax_symbolic,
        renderer=renderer,
        constants=constants,
        state_type=states.EnvState,
        params=params,
        static_params=static_params,
    )
