"""Every command of `gc-envs`, and one clear line with exit code 2 for what cannot be done."""

import inspect
import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext

import docstring_parser
import pytest
from tiny_run import contents, flip

import gc_envs
from gc_envs.agents import LEARNERS, get_learner
from gc_envs.agents.presets import preset
from gc_envs.cli import COMMANDS, errors, main
from gc_envs.cli.env_kwargs import parse_env_kwargs
from gc_envs.cli.words import summary
from gc_envs.core.episode import OnSuccess
from gc_envs.core.task import Task
from gc_envs.registration import ROWS
from gc_envs.training.checkpoint import list_checkpoints
from gc_envs.training.options import TrainOptions

HEAVY = {"jax", "torch", "mujoco", "flax", "optax", "craftax", "matplotlib", "rich", "PIL"}


def test_list_names_every_id(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(row.id in out and row.summary in out for row in ROWS)


def test_goals_are_listed_in_order(capsys, grid_task):
    assert main(["goals", "GC-Gridworld-v0", "--env-kwargs", "size=5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [[str(i), name] for i, name in enumerate(grid_task.goals.names)]


def test_evaluate_prints_a_table_and_writes_json(finished_run, tmp_path, capsys):
    path = tmp_path / "deep" / "result.json"
    assert main(["evaluate", str(finished_run), "--json", str(path), "--episodes-per-goal", "2"]) == 0
    result = json.loads(path.read_text())
    assert {"env_id", "success", "success_last", "ci95", "per_goal", "return", "episodes", "max_steps"} <= set(result)
    assert f"success {result['success']:.3f}" in capsys.readouterr().out
    goal = next(iter(result["per_goal"]))
    assert main(["evaluate", str(finished_run), "--json", str(path), "--goal", goal, "--max-steps", "3"]) == 0
    result = json.loads(path.read_text())
    assert list(result["per_goal"]) == [goal]
    assert result["max_steps"] == 3


def test_render_writes_a_video_that_says_what_it_shows(run_copy, tmp_path, capsys):
    from PIL import Image

    goals = ["position/4-1", "position/2-1"]
    assert main(["render", str(run_copy), "--goal", *goals, "--max-steps", "5", "--seed", "3"]) == 0
    path = run_copy / "position_4-1+position_2-1-seed3.gif"
    assert str(path) in capsys.readouterr().out
    with Image.open(path) as video:
        assert video.n_frames > 2
        comment = video.info["comment"].decode()
    assert all(part in comment for part in (*goals, "3", "GC-Gridworld-v0"))
    assert (
        main(["render", str(run_copy), "--goal", goals[0], "--max-steps", "2", "--out", str(tmp_path / "x.gif")]) == 0
    )
    assert (tmp_path / "x.gif").exists()


def test_a_preset_sets_defaults_and_flags_override_it(tmp_path, monkeypatch):
    from gc_envs.training import train

    seen = []
    monkeypatch.setattr(train, "train_run", lambda agent, env_id, config, **kwargs: seen.append((config, kwargs)))
    for flag in (["--preset", "paper"], ["--preset=paper"]):
        assert main(["train", "leo", "GC-Craftax-v0", *flag, "--width", "64"]) == 0
        config, _ = seen.pop()
        assert (config.num_envs, config.total_steps, config.width) == (1024, 1_000_000_000, 64)
    flags = ["--run-dir", str(tmp_path), "--resume", "--evaluations", "7", "--env-kwargs", "size=7", "map_seed=2"]
    assert main(["train", "leo", "GC-Gridworld-v0", *flags]) == 0
    config, kwargs = seen.pop()
    assert config.width == preset("leo", "default", "GC-Gridworld-v0")["width"]
    assert kwargs["env_kwargs"] == {"size": 7, "map_seed": 2}
    assert kwargs["resume"]
    assert kwargs["run_dir"] == tmp_path
    assert kwargs["options"].evaluations == 7


@pytest.mark.parametrize(
    "argv",
    [
        [], ["list"], ["goals"], ["train"], ["evaluate"], ["render"], ["play"], ["benchmark"],
        ["train", "leo", "GC-Gridworld-v0"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_has_help(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    assert "usage" in out
    if len(argv) == 3:
        assert "--learning-rate" in out
        assert "--env-kwargs" in out


def is_sentence(text):
    return len(text.split()) > 2 and text[0].isupper() and text.endswith(".")


def sentences(documented):
    """What is said about each argument of a function, or about each field of a dataclass, by name."""
    kinds = documented.__mro__[-2::-1] if isinstance(documented, type) else [documented]
    entries = [entry for kind in kinds for entry in docstring_parser.parse_from_object(kind).params]
    said = {entry.arg_name: entry.description for entry in entries}
    return {name: " ".join(said.get(name, "").split()) for name in inspect.signature(documented).parameters}


@pytest.fixture
def shown(capsys, monkeypatch):
    """A function that returns the help of a command without boxes and line breaks."""
    monkeypatch.setenv("COLUMNS", "100")  # so that tyro does not put boxes side by side

    def show(*argv):
        with pytest.raises(SystemExit) as stop:
            main([*argv, "--help"])
        assert stop.value.code == 0
        return " ".join(re.sub("[│╭╮╰╯─•]", " ", capsys.readouterr().out).split())

    return show


def test_every_command_says_in_a_sentence_what_it_does(shown):
    text = shown()
    for name, command in COMMANDS.items():
        assert is_sentence(summary(inspect.getdoc(command)))
        assert f"{name} {summary(inspect.getdoc(command))}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_says_in_a_sentence_what_it_does(name, shown):
    text = shown(name)
    said = sentences(COMMANDS[name])
    if name == "benchmark":
        del said["arguments"]  # they stand after "--"
    if name == "train":
        said |= sentences(TrainOptions)
    assert [argument for argument, sentence in said.items() if not is_sentence(sentence)] == []
    assert [argument for argument, sentence in said.items() if sentence not in text] == []


@pytest.mark.parametrize("agent", LEARNERS)
def test_every_setting_of_every_agent_says_in_a_sentence_what_it_does(agent, shown):
    if "sb3" in LEARNERS[agent].path:
        pytest.importorskip("sb3_contrib")
    said = sentences(get_learner(agent).config_class)
    text = shown("train", agent, "GC-Gridworld-v0")
    assert [setting for setting, sentence in said.items() if not is_sentence(sentence)] == []
    assert [setting for setting, sentence in said.items() if sentence not in text] == []


def test_help_of_train_names_what_to_give(shown):
    for words in ([], ["leo"], ["leo", "GC-Gridworld-v0"]):
        text = shown("train", *words)
        assert "AGENT Train this agent." in text
        assert "ID Train on this id;" in text


def test_help_says_how_to_see_the_version_and_which_agents_there_are(shown):
    assert "`gc-envs --version` shows the version." in shown()
    assert f"Agents: {', '.join(LEARNERS)}." in shown("train")


def test_tyro_has_the_private_hook_that_makes_errors_one_line():
    assert errors.on_parse_error is not nullcontext


def test_without_the_hook_tyro_shows_its_own_errors(capsys, monkeypatch):
    monkeypatch.setattr(errors, "on_parse_error", nullcontext)
    with pytest.raises(SystemExit) as stop:
        main(["goals"])
    assert stop.value.code == 2
    assert "Missing from gc-envs goals" in capsys.readouterr().err


def test_an_event_that_has_changed_is_left_to_tyro():
    assert errors.raise_error(list, type("MissingArgs", (), {})()) is None
    assert errors.raise_error(list, type("NewKindOfError", (), {})()) is None


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gc-envs {gc_envs.__version__}\n"


@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"], ["--version"], ["benchmark"]], ids=" ".join)
def test_help_loads_nothing_heavy(argv):
    """Then it takes little more than the time in which Gymnasium is imported."""
    program = f"""import sys
from gc_envs.cli import main
try:
    main({argv})
except SystemExit:
    pass
print(sorted({HEAVY} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


TRAIN = ["train", "leo", "GC-Gridworld-v0", "--total-steps", "64"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["goals", "GC-Gridwold-v0"], "unknown environment id 'GC-Gridwold-v0'; nearest: GC-Gridworld-v0"),
        (["train", "leo", "GC-Gridwold-v0"], "nearest: GC-Gridworld-v0"),
        (["train", "pqr", "GC-Gridworld-v0"], "unknown agent 'pqr'; known: leo"),
        ([*TRAIN, "--preset", "tiny"], "no preset 'tiny' for GC-Gridworld-v0; presets of leo: best, default, paper"),
        ([*TRAIN, "--env-kwargs", "sise=5"], "takes no 'sise=5'"),
        ([*TRAIN, "--env-kwargs", "size"], "write NAME=VALUE"),
        ([*TRAIN, "--env-kwargs", "size=big"], "size: 'big' is not an integer"),
        ([*TRAIN, "--env-kwargs", "size=2"], "size must be at least 3"),
        ([*TRAIN, "--env-kwargs", "goals=position/99-99"], "unknown goal"),
        ([*TRAIN, "--env-kwargs", "horizon=2.5"], "horizon: '2.5' is not an integer"),
        ([*TRAIN, "--env-kwargs", "horizon=0"], "horizon must be an integer of at least 1, got 0"),
        ([*TRAIN, "--env-kwargs", "on_success=end"], "on_success"),
        ([*TRAIN, "--env-kwargs", "on_success=continue"], "leo trains with on_success='resample', not 'continue'"),
        (["goals", "GC-Gridworld-v0", "--env-kwargs", "horizon=x"], "horizon: 'x' is not an integer"),
        (
            ["evaluate", "{run}", "--env-kwargs", "on_success=end"],
            "on_success='end' is not one of ['terminate', ",
        ),
        (["render", "{run}", "--env-kwargs", "sise=3"], "takes no 'sise=3'; write NAME=VALUE with NAME one of size"),
        (["play", "GC-Gridworld-v0", "--env-kwargs", "horizon=x"], "horizon: 'x' is not an integer"),
        ([*TRAIN, "--num-envs", "0"], "num_envs must be at least 1"),
        ([*TRAIN, "--minibatch-size", "500"], "minibatch_size=500 does not divide"),
        ([*TRAIN, "--total-steps", "0"], "total_steps must be at least 1"),
        ([*TRAIN, "--learning-rate", "nan"], "learning_rate must lie in 0..inf, got nan"),
        ([*TRAIN, "--gamma", "2"], "gamma must lie in 0..1, got 2.0"),
        ([*TRAIN, "--epsilon-end", "-0.1"], "epsilon_end must lie in 0..1, got -0.1"),
        ([*TRAIN, "--seed", "-1"], "seed must lie in 0..9223372036854775807, got -1"),
        ([*TRAIN, "--eval-episodes", "0"], "no episodes to evaluate"),
        (["evaluate", "{run}", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["render", "{run}", "--seed", "-1"], "seed must be at least 0, got -1"),
        (["render", "{run}", "--fps", "0", "--max-steps", "1"], "fps must be at least 1, got 0"),
        (["render", "{run}", "--max-steps", "0"], "horizon must be an integer of at least 1, got 0"),
        (["goals", "GC-Craftax-v0", "--env-kwargs", "observation=sounds"], "unknown Craftax observation 'sounds'"),
        (
            ["train", "leo", "GC-Craftax-Classic-v0", "--env-kwargs", "observation=pixels"],
            "this learner reads vectors of numbers or categories; CraftaxTask has images of (63, 63, 3): choose",
        ),
        (["evaluate", "{empty}"], "is not a run folder"),
        (["evaluate", "{missing}"], "is not a run folder"),
        (["render", "{missing}", "--goal", "position/0-0"], "is not a run folder"),
        (["evaluate", "{run}", "--goal", "position/0-99"], "unknown goal 'position/0-99'"),
        (["evaluate", "{run}", "--env-id", "GC-Gridwold-v0"], "unknown environment id"),
        (["evaluate", "{run}", "--episodes-per-goal", "0"], "at least 1"),
        (["evaluate", "{run}", "--max-steps", "1", "--json", "{empty}"], "Is a directory"),
        (["render", "{run}", "--goal", "position/0-99"], "unknown goal 'position/0-99'"),
        (["play", "GC-Gridwold-v0"], "unknown environment id"),
        (["benchmark", "nothing"], "unknown benchmark 'nothing'"),
        ([], "no command; known: list, goals, train"),
        (["lsit"], "unknown command 'lsit'; known: list, goals, train"),
        (["--verison"], "unrecognized arguments: --verison; did you mean --version?"),
        (["list", "--colour"], "unrecognized arguments: --colour"),
        (["goals", "nothing_here:Task"], "run from the folder that has nothing_here.py, or install it"),
        (["goals", ":"], "unknown environment id ':'"),
        (["goals", "os:path"], "has no task and registers no id that is called 'path'; it has: none"),
        (["play", "GC-Gridworld-v0", "--gaol", "x"], "unrecognized arguments: --gaol x; did you mean --goal?"),
        (["evaluate", "{run}", "--max-steps", "x"], "error: --max-steps: 'x' is not an integer; add --help"),
        (["render", "{run}", "--fps", "1.5"], "--fps: '1.5' is not an integer"),
        (["goals"], "arguments are required: ID; add --help to see what there is"),
        (["render"], "required: RUN"),
        (["evaluate", "{run}", "--seed", "half"], "--seed: 'half' is not an integer; add --help"),
        (["train"], "arguments are required: AGENT, ID; add --help to see what there is"),
        (["train", "leo"], "arguments are required: ID; add --help to see what there is"),
        ([*TRAIN, "--leraning-rate", "1"], "unrecognized arguments: --leraning-rate 1; did you mean --learning-rate?"),
        ([*TRAIN, "--evalautions", "1"], "did you mean --evaluations?"),
        ([*TRAIN, "--env-kwarg", "size=5"], "did you mean --env-kwargs?"),
        ([*TRAIN, "--learning-rate", "x"], "--learning-rate: 'x' is not a number"),
        ([*TRAIN, "--width"], "--width: a value is missing"),
        ([*TRAIN, "--width", "wide"], "--width: 'wide' is not an integer"),
        ([*TRAIN, "--evaluations", "1.5"], "--evaluations: '1.5' is not an integer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_line_and_exit_code_2(argv, message, finished_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"run": finished_run, "empty": tmp_path / "empty", "missing": tmp_path / "missing"}
    before = contents(finished_run)
    assert main([arg.format(**places) if "{" in arg else arg for arg in argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert contents(finished_run) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


@pytest.mark.parametrize("damaged", ["config.json", "state.safetensors", "meta.json", "format", "checkpoints"])
@pytest.mark.parametrize("command", ["evaluate", "render"])
def test_damaged_runs_are_refused_in_one_line(run_copy, capsys, damaged, command):
    checkpoints = list_checkpoints(run_copy / "checkpoints")
    if damaged == "format":
        path = run_copy / "config.json"
        path.write_text(path.read_text().replace('"format": 2', '"format": 77'))
    elif damaged == "checkpoints":
        (run_copy / "checkpoints").rename(run_copy / "elsewhere")
    else:
        for path in [run_copy] if damaged == "config.json" else checkpoints:
            file = path / damaged
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = contents(run_copy)
    assert main([command, str(run_copy), *(["--goal", "position/4-1"] if command == "render" else [])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
    assert {"format": "format 77", "checkpoints": "no checkpoint"}.get(damaged, "is damaged") in error
    assert contents(run_copy) == before


@pytest.mark.parametrize("command", ["evaluate", "render"])
def test_an_agent_whose_last_checkpoint_is_damaged_is_that_of_the_one_before(run_copy, capsys, command):
    before, newest = list_checkpoints(run_copy / "checkpoints")
    flip(newest / "state.safetensors", 0.7)
    flags = ["--goal", "position/4-1", "--out", str(run_copy / "a.gif")] if command == "render" else ["--seed", "3"]
    assert main([command, str(run_copy), *flags]) == 0
    error = capsys.readouterr().err
    assert f"{newest} is damaged" in error
    assert f"using {before.name}, the checkpoint of step 1,216" in error
    assert newest.exists(), "reading a run changes nothing in it"


def test_env_kwargs_are_typed_by_the_task():
    parsed = parse_env_kwargs("GC-Gridworld-v0", ["size=7", "wall_density=0.1", "goals=position/3-3,position/2-1"])
    assert parsed == {"size": 7, "wall_density": 0.1, "goals": ["position/3-3", "position/2-1"]}


def test_env_kwargs_that_every_environment_takes():
    parsed = parse_env_kwargs("GC-PandaPush-v0", ["horizon=7", "on_success=resample", "backend=c", "goals=0,3"])
    assert parsed == {"horizon": 7, "on_success": "resample", "backend": "c", "goals": [0, 3]}


class Arguments(Task):
    """A task whose arguments are declared in every way there is."""

    def __init__(self, count=3, share=0.5, fast=False, path: "Nowhere | None" = None, size: "int | None" = None, *rest):  # noqa: F821
        pass


class TwoTypes(Task):
    """A task with an argument of two types."""

    def __init__(self, size: "int | None" = None, name: str = "", **others):
        pass


def test_env_kwargs_of_users_are_typed_by_annotations_or_defaults():
    words = ["count=4", "share=1", "fast=true", "path=a b", "size=None"]
    parsed = parse_env_kwargs(f"{__name__}:Arguments", words)
    assert parsed == {"count": 4, "share": 1.0, "fast": True, "path": "a b", "size": None}
    parsed = parse_env_kwargs(f"{__name__}:TwoTypes", ["size=5", "name=5"])
    assert parsed == {"size": 5, "name": "5"}
    for words, message in (
        (["count=4.5"], "count: '4.5' is not an integer"),
        (["share=half"], "share: 'half' is not a number"),
        (["fast=1"], "fast: '1' is not true or false"),
        (["rest=1"], "takes no 'rest=1'; write NAME=VALUE with NAME one of count, share, fast, path, size, goals"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_env_kwargs(f"{__name__}:Arguments", words)


def test_the_horizon_and_what_success_does_reach_training_and_evaluation(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    from gc_envs.sb3.learner import SB3Learner

    made = []
    build = SB3Learner.build
    monkeypatch.setattr(SB3Learner, "build", lambda *args: made.append(build(*args)) or made[-1])
    flags = ["--total-steps", "60", "--learning-starts", "20", "--width", "8", "--evaluations", "1"]
    words = ["--env-kwargs", "dim=2", "horizon=6", "on_success=terminate", "--run-dir", str(tmp_path / "run")]
    assert main(["train", "her-ddpg", "GC-ContinuousSeek-v0", *flags, *words]) == 0
    assert (made[0][1].horizon, made[0][1].on_success) == (6, OnSuccess.TERMINATE)
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert result["max_steps"] == 6
    assert result["env_kwargs"] == {"dim": 2, "horizon": 6, "on_success": "terminate"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--gamma", "1.5"], "gamma must lie in 0..1, got 1.5"),
        (["--tau", "nan"], "tau must lie in 0..1, got nan"),
        (["--learning-rate", "-1"], "learning_rate must lie in 0..inf, got -1.0"),
        (["--action-noise", "-1"], "action_noise must lie in 0..inf, got -1.0"),
        (["--seed", "-1"], "seed must lie in 0..9223372036854775807, got -1"),
        (["--device", "gpu"], "device='gpu' is none of auto, cpu, cuda and cuda:N"),
    ],
)
def test_settings_of_stable_baselines3_out_of_range(flags, message, tmp_path, capsys, monkeypatch):
    pytest.importorskip("sb3_contrib")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "her-ddpg", "GC-ContinuousSeek-v0", *flags]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_goals_given_as_env_kwargs_are_all_there_is(tmp_path):
    folder = tmp_path / "run"
    flags = ["--env-kwargs", "size=5", "goals=position/4-1,position/2-1"]
    settings = ["--num-envs", "4", "--rollout-steps", "8", "--minibatch-size", "16", "--width", "16", "--depth", "1"]
    assert main([*TRAIN, *settings, *flags, "--run-dir", str(folder), "--evaluations", "1"]) == 0
    assert list(json.loads((folder / "evaluation.json").read_text())["per_goal"]) == ["position/4-1", "position/2-1"]
    assert main([*TRAIN, *settings, *flags, "--run-dir", str(folder), "--evaluations", "1", "--resume"]) == 0


def test_the_command_and_the_module_are_the_same_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gc_envs.cli", "goals", "GC-Nothing-v0"], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown environment id")
