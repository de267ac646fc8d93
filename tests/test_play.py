"""The play window without a display: SDL's dummy driver and events made by the tests."""

import importlib.util
import os
import re
from typing import Any

import gymnasium
import numpy as np
import pytest

os.environ["SDL_VIDEODRIVER"] = "dummy"
pygame = pytest.importorskip("pygame")

from gc_envs.cli import main  # noqa: E402
from gc_envs.play import play  # noqa: E402  (after the driver is chosen)
from gc_envs.play.game import FAINT, PENDING, REACHED, TEXT, Game  # noqa: E402
from gc_envs.play.keys import COMMANDS, KEYS, Press, action_of, bindings  # noqa: E402
from gc_envs.play.window import Window  # noqa: E402
from gc_envs.registration import get_row, make_task  # noqa: E402

GRID = {"size": 5, "wall_density": 0.0}


def key(name: str, mod: int = 0) -> Any:
    code = getattr(pygame, "K_" + (name if len(name) == 1 else name.replace(" ", "").upper()))
    return pygame.event.Event(pygame.KEYDOWN, key=code, mod=mod)


def keys_of(env_id: str, **kwargs: Any) -> Any:
    return bindings(env_id, make_task(env_id, **kwargs).action_space)


def skip_unless_installed(env_id: str) -> None:
    needed = get_row(env_id).requires
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{env_id} needs {needed}")


@pytest.fixture(autouse=True)
def _never_wait(monkeypatch):
    monkeypatch.setattr(pygame.event, "wait", lambda timeout: pytest.fail("waits for an event that nobody sends"))


@pytest.fixture
def window():
    yield Window("test")
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
    (page,) = bindings(env_id, gymnasium.spaces.Discrete(len(names))).pages
    assert sorted(set(page.actions.values())) == list(range(len(names)))
    assert len(page.actions) == len(names) + 4  # no key twice; arrows besides
    told = {label: names[page.actions[key]] for key, label in page.labels if key in page.actions}
    assert [label.replace(" ", "_") for label in told] == list(told.values())
    assert {key: names[page.actions[key]] for key in "adws"} == {"a": "left", "d": "right", "w": "up", "s": "down"}


@pytest.mark.parametrize("env_id", KEYS)
def test_key_names_are_pygames(env_id, window):
    skip_unless_installed(env_id)
    for page in keys_of(env_id).pages:
        for name in page.actions:
            assert pygame.key.name(pygame.key.key_code(name)) == name


def test_commands_yield_to_the_games_keys():
    grid = bindings("GC-Gridworld-v0", gymnasium.spaces.Discrete(4))
    craftax = bindings("GC-Craftax-v0", gymnasium.spaces.Discrete(43))
    for name, command in COMMANDS.items():
        assert grid.command(name, ctrl=False) == grid.command(name, ctrl=True) == command
        assert craftax.command(name, ctrl=False) is None
        assert craftax.command(name, ctrl=True) == command
    assert craftax.command("escape", ctrl=False) == "quit"
    assert ("ctrl r", "reset") in craftax.labels(0)


def test_moves_goals_and_end(window, game):
    assert game.panel()[0] == ("goal: position/2-4", PENDING)
    assert game.panel()[1] == ("Stand in row 2, column 4, counted from 0 at the top left.", TEXT)
    for name in ("right", "d"):
        assert window.handle(key(name), game)
    assert game.steps == 2
    assert game.panel()[0] == ("goal: position/2-4  (reached)", REACHED)
    assert game.panel()[4:] == [("  position/2-4", REACHED)]
    window.handle(key("w"), game)
    assert game.reached, "once reached, the goal stays green"
    assert game.panel()[4][0] == "  position/1-4"

    window.handle(key("n"), game)
    assert not game.reached
    assert game.goal not in ("position/2-4", "position/1-4")
    assert game.steps == 3, "a new goal leaves the state as it is"
    target = [int(part) for part in game.goal.split("/")[1].split("-")]
    moves = ["down"] * (target[0] - 1) + ["up"] * (1 - target[0]) + ["left"] * (4 - target[1])
    for name in moves:
        window.handle(key(name), game)
    assert game.reached

    window.handle(key("r"), game)
    assert (game.steps, game.reached) == (0, False)
    assert game.panel()[4][0] == "  position/2-2"
    for leave in (key("q"), key("escape"), pygame.event.Event(pygame.QUIT)):
        assert not window.handle(leave, game)


def test_nothing_moves_after_the_end():
    game = Game("GC-Gridworld-v0", None, 0, GRID | {"horizon": 2})
    for _ in range(3):
        game.step(0)
    assert game.panel()[2][0] == "step 2 of 2: out of time"
    game.reset()
    assert game.panel()[2][0] == "step 0 of 2"


def test_warm_up_leaves_no_trace(game):
    game.step(1)
    game.warm_up()
    again = Game("GC-Gridworld-v0", "position/2-4", 3, GRID)
    again.step(1)
    for action in (2, 0, 3):
        game.step(action)
        again.step(action)
    assert game.panel() == again.panel()


def test_pairs_of_coordinates_by_tab_and_digits(window):
    game = Game("GC-ContinuousSeek-v0", None, 0, {})
    start = game.panel()
    for name, mod in (("right", 0), ("up", 0), ("tab", 0), ("a", 0), ("up", pygame.KMOD_LSHIFT), ("3", 0), ("down", 0)):
        assert window.handle(key(name, mod), game)
    assert game.steps == 4, "a key that turns the page, or has no meaning, is no step"
    np.testing.assert_allclose(game.observation["observation"], [1, 1, -1, 1 / 3, 0])
    assert ("keys act on: x5", TEXT) in game.panel()
    window.handle(key("left", pygame.KMOD_LALT), game)
    window.handle(key("tab"), game)
    window.handle(key("space"), game)
    np.testing.assert_allclose(game.observation["observation"], [1, 1, -1, 1 / 3, -0.1], rtol=1e-6)
    assert ("keys act on: x1, x2", TEXT) in game.panel()
    assert game.steps == 6
    said = " ".join(line for line, colour in start if colour == PENDING)
    numbers = said.removeprefix("goal: be within 0.1 of (").removesuffix(") along every axis")
    goal = [float(x) for x in numbers.split(", ")]
    np.testing.assert_allclose(goal, game.observation["desired_goal"], atol=5e-3)
    window.handle(key("n"), game)
    assert game.observation["desired_goal"] in game.env.goals.anchors
    window.handle(key("r"), game)
    assert not game.observation["observation"].any()
    assert game.observation["desired_goal"] in game.env.goals.anchors


def test_a_long_goal_is_wrapped():
    game = Game("GC-ContinuousSeek-v0", None, 0, {"dim": 20})
    assert sum(colour == PENDING for _, colour in game.panel()) >= 3
    assert max(len(line) for line, _ in game.panel()) <= 60


def test_points_are_shown_once_with_their_unit_and_no_line_leaves_the_panel():
    skip_unless_installed("GC-HandReach-v0")
    for env_id in ("GC-PandaPush-v0", "GC-HandReach-v0"):
        game = Game(env_id, None, 0, {"backend": "c"})
        panel = game.panel()
        assert sum("goal: " in line for line, _ in panel) == 1
        assert not any(line[0] == "(" for line, _ in panel)
        assert max(len(line) for line, _ in panel) <= 60
        if env_id == "GC-PandaPush-v0":
            assert re.fullmatch(r"goal: bring the cube within 5 cm of \(0\.\d+, -?0\.\d+, 0\.02\) m", panel[0][0])
            assert panel[1] == ("step 0 of 300", FAINT)
        else:
            assert any(line.endswith(" ...") for line, _ in panel), "fifteen numbers do not fit"


def test_left_turns_left_and_points_are_counted(window):
    game = Game("GC-DriveSeek-v0", None, 3, {})
    game.goal = [[1, 0], [2, 0], [9, 9]]
    game.reset()
    for name, mod in (("up", 0), ("up", 0), ("left", 0), ("d", pygame.KMOD_LSHIFT)):
        window.handle(key(name, mod), game)
        if game.steps == 2:
            assert game.panel()[0] == ("goal: be at any of 3 points, which pays 1 on every step", REACHED)
            assert game.panel()[1] == ("(reached)", REACHED)
            assert [line for line, _ in game.panel()[3:]] == ["goals that hold now (1):", "  (2, 0)"]
    np.testing.assert_allclose(game.observation["observation"][2:], [np.cos(1 / 3), np.sin(1 / 3)], rtol=1e-5)
    place = game.observation["observation"].copy()
    window.handle(key("n"), game)
    assert game.goal.shape == game.env.goals.desired_space.shape
    assert not game.panel()[0][0].startswith("goal: be at any of 3 points")
    window.handle(key("up"), game)
    moved = game.observation["observation"][:2] - place[:2]
    np.testing.assert_allclose(moved, place[2:], rtol=1e-4)
    np.testing.assert_array_equal(game.observation["desired_goal"], game.goal)


def test_noise_comes_on_top_of_a_move(window):
    game = Game("GC-NoisySeek-v0", None, 0, {})
    state = game.env.get_state()
    places = {}
    for name in ("space", "left", "w"):
        game.env.set_state(state)
        window.handle(key(name), game)
        places[name] = game.observation["observation"]
    np.testing.assert_allclose(places["left"] - places["space"], [-1, 0], atol=1e-6)
    np.testing.assert_allclose(places["w"] - places["space"], [0, 1], atol=1e-6)


def test_every_bit_has_a_key(window):
    game = Game("GC-BitFlip-v0", None, 0, {"bits": 40})
    start = game.observation["observation"].copy()
    for name in ("0", "9", "a", "tab", "0", "6"):
        window.handle(key(name), game)
    assert np.flatnonzero(game.observation["observation"] != start).tolist() == [0, 9, 10, 33, 39]
    for bits in (1, 33, 34, 100):
        pages = keys_of("GC-BitFlip-v0", bits=bits).pages
        assert [bit for page in pages for bit in page.actions.values()] == list(range(bits))
        assert not any(command in page.actions for page in pages for command in COMMANDS)


def test_what_is_held_stays_and_flips():
    space, held = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32), np.float32([0, 0, 1])
    assert action_of(Press(push={0: -1}), held, space, scale=0.5).tolist() == [-0.5, 0, 1]
    assert action_of(Press(flip=(2,)), held, space).tolist() == [0, 0, -1]
    assert action_of(Press(keep={1: 0.75}), held, space).tolist() == [0, 0.75, -1]
    assert action_of(Press(keep={1: 0.75}), held, space).tolist() == [0, 1, -1]
    assert action_of(Press(push={1: 1, 0: 1}), held, space).tolist() == [1, 1, -1]
    assert held.tolist() == [0, 1, -1]


@pytest.mark.parametrize("env_id", ["GC-PandaReach-v0", "GC-PandaPickAndPlaceDense-v0"])
def test_a_panda_follows_the_keys_as_its_camera_sees_it(env_id, window, monkeypatch):
    skip_unless_installed(env_id)
    monkeypatch.setattr(Window, "draw", lambda self, game: None)  # frames: tests/manipulation/test_render.py
    game = Game(env_id, None, 0, {"backend": "c"})
    for names, axis, sign in (
        (("page up", "e"), 2, 1),
        (("left", "a"), 1, -1),
        (("right", "d"), 1, 1),
        (("up", "w"), 0, -1),
        (("down", "s"), 0, 1),
        (("page down", "q"), 2, -1),
    ):
        before = game.observation["observation"][:3].copy()
        for name in names:
            window.handle(key(name), game)
        window.handle(key("space"), game)
        window.handle(key("space"), game)  # a displacement is begun in one step, not finished
        moved = game.observation["observation"][:3] - before
        assert np.abs(moved).argmax() == axis
        assert moved[axis] * sign > 0.02
    assert game.steps == 6 * 4


def test_the_space_bar_opens_and_closes_the_gripper(window, monkeypatch):
    skip_unless_installed("GC-PandaPickAndPlace-v0")
    monkeypatch.setattr(Window, "draw", lambda self, game: None)
    game = Game("GC-PandaPickAndPlace-v0", None, 0, {"backend": "c"})
    widths = []
    for name in ("e", "space", "w", "w", "space", "w", "w"):
        window.handle(key(name), game)
        widths.append(float(game.observation["observation"][6]))
    assert widths[3] < widths[0] - 0.01
    assert widths[6] > widths[3] + 0.01
    assert game.held.tolist() == [0, 0, 0, 1]


def test_fingers_stay_where_they_are_sent(window, monkeypatch):
    skip_unless_installed("GC-HandReach-v0")
    monkeypatch.setattr(Window, "draw", lambda self, game: None)
    game = Game("GC-HandReach-v0", None, 0, {"backend": "c"})
    start = game.observation["achieved_goal"].reshape(5, 3).copy()
    game.press("space")
    assert np.abs(game.observation["achieved_goal"].reshape(5, 3) - start).max() < 0.02, "the hand stays as it starts"
    for name in ("3", *6 * ["down"], *10 * ["space"]):
        window.handle(key(name), game)
    assert ("keys act on: middle finger", TEXT) in game.panel()
    moved = np.linalg.norm(game.observation["achieved_goal"].reshape(5, 3) - start, axis=1)
    assert moved.argmax() == 1
    assert moved[1] > 0.05
    assert game.held[[6, 7]].tolist() == pytest.approx([0.9, 1.0])
    pages = keys_of("GC-HandReach-v0").pages
    assert [page.name for page in pages] == [
        "wrist", "forefinger", "middle finger", "ring finger", "little finger", "thumb"
    ]  # fmt: skip


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


def test_a_window_of_another_size_shows_the_same_larger(game):
    pictures = {}
    for scale in (1, 2):
        window = Window("test", scale)
        window.draw(game)
        picture = pygame.transform.smoothscale(window.surface, (960, 510))
        pictures[scale] = pygame.surfarray.array3d(picture).astype(int)
        assert window.surface.get_size() == (960 * scale, 510 * scale)
    assert np.abs(pictures[1] - pictures[2]).mean() < 6  # of 255
    window.surface = pygame.display.set_mode((480, 400), pygame.RESIZABLE)  # as a player may
    window.handle(pygame.event.Event(pygame.WINDOWRESIZED), game)
    assert window.scale == 0.5
    pygame.quit()


def test_an_interrupt_in_the_terminal_ends_the_game_quietly(monkeypatch, capsys):
    def interrupt(timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(pygame.event, "wait", interrupt)
    assert main(["play", "GC-Gridworld-v0", "--env-kwargs", "size=5", "--scale", "1.5"]) == 130
    assert capsys.readouterr().err == ""
    assert not pygame.display.get_init()


def test_waiting_for_keys_leaves_room_for_interrupts(monkeypatch):
    waits = []
    monkeypatch.setattr(pygame.event, "wait", lambda timeout: waits.append(timeout) or key("escape"))
    play("GC-Gridworld-v0", env_kwargs=GRID)
    assert 0 < waits[0] <= 200  # ms; without a limit, Python sees Ctrl+C with the next key only


def test_windows_are_drawn_without_opengl_which_would_end_that_of_mujocos_frames(monkeypatch):
    monkeypatch.delenv("SDL_FRAMEBUFFER_ACCELERATION", raising=False)
    Window("test")
    assert os.environ["SDL_FRAMEBUFFER_ACCELERATION"] == "0"
    pygame.quit()


@pytest.mark.parametrize(
    ("env_id", "goal", "words"),
    [
        ("GC-Gridworld-v0", "position/0-2", "stand in row 0, column 2, counted from 0 at the top left"),
        ("GC-BitFlip-v0", [1, 0] * 10, "have the bits 10101010101010101010"),
        ("GC-ContinuousSeek-v0", [0, 1, 2, 3, 4], "be within 0.1 of (0, 1, 2, 3, 4) along every axis"),
        ("GC-DriveSeek-v0", [[1, 2]], "be at the one point, which pays 1 on every step"),
        ("GC-PandaPush-v0", [0.5, 0.1, 0.02], "bring the cube within 5 cm of (0.5, 0.1, 0.02) m"),
        ("GC-Craftax-v0", "block_map/IRON_down", "have iron on the cell below the player"),
        ("GC-Craftax-v0", "inventory/arrows_1", "carry exactly 1 arrow"),
        ("GC-Craftax-v0", "inventory/ruby_2", "carry exactly 2 rubies"),
        ("GC-Craftax-v0", "inventory/coal_10-14", "carry 10 to 14 pieces of coal"),
        ("GC-Craftax-v0", "mob_map/orc_mage_left", "have an orc mage on the cell to the left of the player"),
        ("GC-Craftax-v0", "item_map/LADDER_DOWN_up", "have a ladder down on the cell above the player"),
        ("GC-Craftax-v0", "tools/iron_boots", "have iron boots"),
        ("GC-Craftax-v0", "enchant/sword_ice", "have the sword enchanted with ice"),
        ("GC-Craftax-v0", "dungeon_level/dlvl_3", "be on floor 3 below the surface"),
        ("GC-Craftax-v0", "intrinsics/strength_4", "have 4 points of strength"),
    ],
)
def test_goals_are_explained_in_words(env_id, goal, words):
    skip_unless_installed(env_id)
    task = make_task(env_id)
    assert task.describe_goal(task.goals.encode(goal)) == words


@pytest.mark.parametrize("env_id", ["GC-Craftax-v0", "GC-Craftax-Classic-v0", "GC-Gridworld-v0"])
def test_no_two_goals_are_explained_alike(env_id):
    skip_unless_installed(env_id)
    task = make_task(env_id)
    words = [task.describe_goal(task.goals.encode(name)) for name in task.goals.names]
    assert len(set(words)) == len(words)
    some = make_task(env_id, goals=task.goals.names[3:5])
    assert some.describe_goal(some.goals.encode(1)) == words[4]


def test_play_from_start_to_quit(monkeypatch):
    script = [key("right"), key("right"), pygame.event.Event(pygame.WINDOWEXPOSED), key("escape")]
    messages, panels = [], []
    monkeypatch.setattr(pygame.event, "wait", lambda timeout: script.pop(0))
    monkeypatch.setattr(Window, "show_message", lambda self, text: messages.append(text))
    monkeypatch.setattr(Window, "draw", lambda self, game: panels.append(game.panel()))
    play("GC-Gridworld-v0", goal="position/2-4", seed=0, env_kwargs=GRID)
    assert messages[0].startswith("compiling ...")
    assert [panel[2][0].split()[1] for panel in panels] == ["0", "1", "2", "2"]
    assert panels[-1][0] == ("goal: position/2-4  (reached)", REACHED)
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
    window, game = Window(env_id), Game(env_id, None, 0, {})
    game.warm_up()
    frame = np.asarray(game.env.render())
    for name in ("d", "space", "s", "n"):
        assert window.handle(key(name), game)
    assert window.handle(key("n", pygame.KMOD_LCTRL), game)
    assert not np.array_equal(frame, game.env.render())
    if folder := os.environ.get("GC_ENVS_SCREENSHOTS"):
        pygame.image.save(window.surface, f"{folder}/play-{env_id}.png")
    pygame.quit()
