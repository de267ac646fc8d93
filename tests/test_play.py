"""The play window, headless: SDL's dummy driver and events made by hand."""

import os
from typing import Any

import numpy as np
import pytest

os.environ["SDL_VIDEODRIVER"] = "dummy"
pygame = pytest.importorskip("pygame")

from gc_envs import play as play_module  # noqa: E402  (after the driver is chosen)
from gc_envs.play import COMMANDS, KEYS, REACHED, Game, Window, bindings, play  # noqa: E402

GRID = {"size": 5, "wall_density": 0.0}


def key(name: str, mod: int = 0) -> Any:
    code = getattr(pygame, f"K_{name}" if len(name) == 1 else f"K_{name.upper()}")
    return pygame.event.Event(pygame.KEYDOWN, key=code, mod=mod)


@pytest.fixture(autouse=True)
def _never_wait(monkeypatch):
    monkeypatch.setattr(pygame.event, "wait", lambda: pytest.fail("waits for an event that nobody sends"))


@pytest.fixture
def window():
    yield Window("test", bindings("GC-Gridworld-v0"))
    pygame.quit()


@pytest.fixture(scope="module")
def shared_game():
    game = Game("GC-Gridworld-v0", None, None, GRID)
    game.warm_up()
    return game


@pytest.fixture
def game(shared_game):
    shared_game.goal, shared_game.seed = "position/2-4", 3
    shared_game.reset()
    return shared_game


@pytest.mark.parametrize(
    ("env_id", "package"),
    [("GC-Craftax-v0", "craftax.craftax.constants"), ("GC-Craftax-Classic-v0", "craftax.craftax_classic.constants")],
)
def test_every_craftax_action_has_its_own_key(env_id, package):
    pytest.importorskip("craftax")
    names = [action.name.lower() for action in pytest.importorskip(package).Action]
    assert [pair.split(":", 1)[0] for pair in KEYS[env_id].split()] == names
    actions = bindings(env_id).actions
    assert sorted(set(actions.values())) == list(range(len(names)))
    assert len(actions) == len(names) + 4  # no key twice; arrows besides


@pytest.mark.parametrize("env_id", KEYS)
def test_key_names_are_pygames(env_id, window):
    for name in bindings(env_id).actions:
        assert pygame.key.name(pygame.key.key_code(name)) == name


def test_commands_yield_to_the_games_keys():
    grid, craftax = bindings("GC-Gridworld-v0"), bindings("GC-Craftax-v0")
    for name, command in COMMANDS.items():
        assert grid.command(name, ctrl=False) == grid.command(name, ctrl=True) == command
        assert craftax.command(name, ctrl=False) is None
        assert craftax.command(name, ctrl=True) == command
    assert craftax.command("escape", ctrl=False) == "quit"
    assert ("ctrl r", "reset") in craftax.labels


def test_moves_goals_and_end(window, game):
    assert game.panel()[0] == ("goal: position/2-4", play_module.PENDING)
    for name in ("right", "d"):
        assert window.handle(key(name), game)
    assert game.steps == 2
    assert game.panel()[0] == ("goal: position/2-4  (reached)", REACHED)
    assert game.panel()[3:] == [("  position/2-4", REACHED)]
    window.handle(key("w"), game)
    assert game.reached, "once reached, the goal stays green"
    assert game.panel()[3][0] == "  position/1-4"

    window.handle(key("n"), game)
    assert not game.reached
    assert game.goal not in ("position/2-4", "position/1-4")
    assert game.steps == 3, "a new goal leaves the world as it is"
    target = [int(part) for part in game.goal.split("/")[1].split("-")]
    moves = ["down"] * (target[0] - 1) + ["up"] * (1 - target[0]) + ["left"] * (4 - target[1])
    for name in moves:
        window.handle(key(name), game)
    assert game.reached

    window.handle(key("r"), game)
    assert (game.steps, game.reached) == (0, False)
    assert game.panel()[3][0] == "  position/2-2"
    for leave in (key("q"), key("escape"), pygame.event.Event(pygame.QUIT)):
        assert not window.handle(leave, game)


def test_nothing_moves_after_the_end():
    game = Game("GC-Gridworld-v0", None, 0, GRID | {"horizon": 2})
    for _ in range(3):
        game.step(0)
    assert game.panel()[1][0] == "step 2 of 2: out of time"
    game.reset()
    assert game.panel()[1][0] == "step 0 of 2"


def test_warm_up_leaves_no_trace(game):
    game.step(1)
    game.warm_up()
    again = Game("GC-Gridworld-v0", "position/2-4", 3, GRID)
    again.step(1)
    for action in (2, 0, 3):
        game.step(action)
        again.step(action)
    assert game.panel() == again.panel()


def test_draw(window, game):
    window.draw(game)
    before = pygame.surfarray.array3d(window.surface)
    window.handle(key("right"), game)
    after = pygame.surfarray.array3d(window.surface)
    frame_width = game.env.render().shape[1]
    assert (before[:frame_width] != after[:frame_width]).any()
    assert (before[frame_width:] != after[frame_width:]).any()
    if folder := os.environ.get("GC_ENVS_SCREENSHOTS"):
        pygame.image.save(window.surface, f"{folder}/play.png")


def test_play_from_start_to_quit(monkeypatch):
    script = [key("right"), key("right"), pygame.event.Event(pygame.WINDOWEXPOSED), key("escape")]
    said, drawn = [], []
    monkeypatch.setattr(pygame.event, "wait", lambda: script.pop(0))
    monkeypatch.setattr(Window, "say", lambda self, text: said.append(text))
    monkeypatch.setattr(Window, "draw", lambda self, game: drawn.append(game.panel()))
    play("GC-Gridworld-v0", goal="position/2-4", seed=0, env_kwargs=GRID)
    assert said[0].startswith("compiling ...")
    assert [panel[1][0].split()[1] for panel in drawn] == ["0", "1", "2", "2"]
    assert drawn[-1][0] == ("goal: position/2-4  (reached)", REACHED)
    assert not pygame.display.get_init()


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match="unknown environment id"):
        play("GC-Gridwold-v0")
    monkeypatch.delitem(KEYS, "GC-Gridworld-v0")
    with pytest.raises(ValueError, match="no key bindings; play takes: GC-Craftax-v0"):
        play("GC-Gridworld-v0")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="unknown goal 'position/9-9'"):
        play("GC-Gridworld-v0", goal="position/9-9", env_kwargs=GRID)
    monkeypatch.setitem(__import__("sys").modules, "pygame", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "gc_envs\[play\]"'):
        play("GC-Gridworld-v0")


def test_no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(ValueError, match="play cannot open a window here"):
        play("GC-Gridworld-v0", env_kwargs=GRID)


def test_no_screen(monkeypatch):
    """SDL falls back on a driver without a screen; nobody would ever see that window."""
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    with pytest.raises(ValueError, match="play cannot open a window here: no display found"):
        play("GC-Gridworld-v0", env_kwargs=GRID)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ["GC-Craftax-v0", "GC-Craftax-Classic-v0"])
def test_craftax(env_id):
    pytest.importorskip("craftax")
    keys = bindings(env_id)
    window, game = Window(env_id, keys), Game(env_id, None, 0, {})
    game.warm_up()
    frame = np.asarray(game.env.render())
    for name in ("d", "space", "s", "n"):
        assert window.handle(key(name), game)
    assert window.handle(key("n", pygame.KMOD_LCTRL), game)
    assert not np.array_equal(frame, game.env.render())
    if folder := os.environ.get("GC_ENVS_SCREENSHOTS"):
        pygame.image.save(window.surface, f"{folder}/play-{env_id}.png")
    pygame.quit()
