"""A task of a user's own, by every name that it can be given: an id, "module:id", "module:class", or the task."""

import json
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from test_readme import DOCS, blocks

import gc_envs
from gc_envs.agents import load_agent
from gc_envs.agents.leo import LEOConfig
from gc_envs.cli import main
from gc_envs.core.task import Task
from gc_envs.evaluation.video import record_episodes
from gc_envs.gridworld.task import GridworldTask
from gc_envs.registration import REGISTRY, get_row, make_task
from gc_envs.training.train import train_run

CLASS, ID = "own_corridor:Corridor", "own_corridor:OwnCorridor-v0"
SETTINGS = {"total_steps": 256, "num_envs": 4, "rollout_steps": 8, "minibatch_size": 16, "width": 8, "depth": 1}
FLAGS = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the page's file as own_corridor.py, from which Python can import."""
    folder = tmp_path_factory.mktemp("own")
    text = next(block.text for block in blocks(DOCS / "own_environment.md") if block.file == "my_module.py")
    text = text.replace("my_module", "own_corridor").replace('"Corridor-v0"', '"OwnCorridor-v0"')
    (folder / "own_corridor.py").write_text(text)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def corridor(folder):
    import own_corridor

    return own_corridor.Corridor


@pytest.fixture(scope="module")
def run(folder):
    """The folder of a run that the command line has trained on `CLASS`, to be read only."""
    path = folder / "run"
    flags = ["--env-kwargs", "length=4", "horizon=9", "--run-dir", str(path), "--evaluations", "1"]
    assert main(["train", "leo", CLASS, *FLAGS, *flags]) == 0
    return path


def right(observation):
    return np.ones(len(observation["observation"]), int)


def left(observation):
    return np.zeros(len(observation["observation"]), int)


def test_a_registered_id_makes_environments(folder):
    env, envs = gymnasium.make(ID, horizon=3), gymnasium.make_vec(ID, num_envs=3, on_success="continue")
    assert env.unwrapped.goals.names[-1] == "cell/6"
    assert env.unwrapped.horizon == 3
    assert envs.on_success.value == "continue"
    observation, info = envs.reset(seed=0, options={"goal": "cell/6"})
    assert info["goal"].tolist() == [6, 6, 6]
    assert observation["achieved_goal"].shape == (3, 7)
    assert make_task("OwnCorridor-v0").length == make_task(ID).length == 7
    assert get_row(ID) is get_row("OwnCorridor-v0") is REGISTRY["OwnCorridor-v0"]


def test_a_spec_makes_the_environment_in_another_process(folder):
    assert gymnasium.make(ID).spec.kwargs["env_id"] == ID
    again = gymnasium.make(pickle.loads(pickle.dumps(gymnasium.make(ID).spec)))
    assert again.unwrapped.goals.num_goals == 7
    envs = gymnasium.make_vec(ID, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"})
    observation, _ = envs.reset(seed=0)
    assert observation["achieved_goal"].shape == (2, 7)
    envs.close()


def test_evaluations_are_the_same_by_every_name(corridor):
    by_class = gc_envs.evaluate(right, CLASS, env_kwargs={"length": 7})
    assert by_class["env_id"] == CLASS
    assert by_class["per_goal"]["cell/6"] == 1
    assert set(by_class["per_goal"].values()) == {0, 1}
    for name in (ID, corridor(7)):
        result = gc_envs.evaluate(right, name)
        assert result["per_goal"] == by_class["per_goal"]
        assert result["max_steps"] == 20
    assert len(record_episodes(right, corridor(4), ["cell/3"], max_steps=2)) == 1


def test_eval_steps_of_a_registered_id(corridor):
    gc_envs.register("OwnShort-v0", corridor, kwargs={"length": 7}, eval_steps=2)
    assert gc_envs.evaluate(right, "OwnShort-v0")["max_steps"] == 2
    assert gc_envs.evaluate(right, "OwnShort-v0", env_kwargs={"horizon": 4})["max_steps"] == 4


def test_the_horizon_of_a_given_task_is_changed_in_a_copy(corridor):
    task = corridor(4)
    assert make_task(task, horizon=3, on_success="continue", goals=["cell/1"]).horizon == 3
    assert (task.horizon, task.on_success, task.goals.num_goals) == (20, "terminate", 4)
    with pytest.raises(TypeError, match="own_corridor:Corridor is given as a task, which takes no 'length'"):
        make_task(task, length=3)


def test_a_run_on_a_class_is_used_by_all_commands(run, capsys, tmp_path):
    config = json.loads((run / "config.json").read_text())
    assert config["env_id"] == CLASS
    assert config["env_kwargs"] == {"length": 4, "horizon": 9}
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json", str(tmp_path / "a.json")]) == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert (result["env_id"], result["max_steps"], list(result["per_goal"])) == (
        CLASS, 9, ["cell/0", "cell/1", "cell/2", "cell/3"],
    )  # fmt: skip
    assert main(["evaluate", str(run), "--env-kwargs", "horizon=2", "--json", str(tmp_path / "a.json")]) == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert (result["max_steps"], result["env_kwargs"]) == (2, {"length": 4, "horizon": 2})
    assert main(["render", str(run), "--goal", "cell/3", "--out", str(tmp_path / "a.gif")]) == 0
    assert (tmp_path / "a.gif").exists()
    assert load_agent(run).learner.env.horizon == 9
    assert gc_envs.evaluate(load_agent(run), CLASS)["max_steps"] == 9


def test_a_run_names_the_module_that_registers_its_id(folder, tmp_path):
    make_task(ID)
    train_run("leo", "OwnCorridor-v0", LEOConfig(**SETTINGS), run_dir=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["env_id"] == ID
    assert load_agent(tmp_path / "run").run.env_id == ID
    train_run("leo", ID, LEOConfig(**SETTINGS), run_dir=tmp_path / "run", resume=True)  # under its other name


def test_default_run_folders_have_plain_names(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "leo", CLASS, *FLAGS, "--evaluations", "1"]) == 0
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name.startswith("leo-own_corridor-Corridor-2")


def test_a_run_folder_needs_a_name(corridor, tmp_path):
    with pytest.raises(ValueError, match=r"^a run folder has to name how its task is made: give 'module:class', not"):
        train_run("leo", corridor(), LEOConfig(**SETTINGS), run_dir=tmp_path / "run")


def test_a_task_without_frames_is_trained_all_the_same(corridor, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(corridor, "render", Task.render)
    train_run("leo", CLASS, LEOConfig(**SETTINGS), run_dir=tmp_path / "run")
    assert "no video: Corridor renders no frames" in capsys.readouterr().err
    assert (tmp_path / "run" / "learning_curve.png").exists()
    assert main(["render", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == "error: Corridor renders no frames\n"


def test_it_is_played(folder, monkeypatch):
    pytest.importorskip("pygame")
    from gc_envs.play.game import Game

    game = Game(CLASS, "cell/3", 0, {"length": 4})
    assert [page.labels for page in game.keys.pages] == [(("0", "action 0"), ("1", "action 1"))]
    game.warm_up()
    for _ in range(3):
        game.press("1")
    assert game.reached
    assert game.panel()[0][0] == "goal: cell/3  (reached)"


def test_continuous_actions_are_played_with_arrows():
    from gc_envs.play.keys import any_pages

    pages = any_pages(gymnasium.spaces.Box(-1, 1, (3,), np.float32))
    assert [page.name for page in pages] == ["x1, x2", "x3"]
    with pytest.raises(ValueError, match="play has keys for discrete actions and for vectors of numbers, not for Mult"):
        any_pages(gymnasium.spaces.MultiDiscrete([2, 2]))


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("My", "'My' is no id: write NAME-vN or FOLDER/NAME-vN, such as My-v0"),
        ("own_corridor:My-v0", "is no id"),
        ("My v0", "is no id"),
        ("GC-Gridworld-v0", "GC-Gridworld-v0 is already registered, for gc_envs.gridworld.task:GridworldTask"),
        ("CartPole-v1", "CartPole-v1 is already registered, for gymnasium"),
    ],
)
def test_an_id_that_is_malformed_or_taken_is_refused(env_id, message):
    before = dict(REGISTRY)
    with pytest.raises(ValueError, match=message):
        gc_envs.register(env_id, GridworldTask)
    assert before == REGISTRY


def test_an_id_goes_on_belonging_to_its_task(corridor):
    gc_envs.register("OwnTwice-v0", corridor, kwargs={"length": 4})
    gc_envs.register("OwnTwice-v0", corridor, kwargs={"length": 5})  # a cell of a notebook, run again
    assert gymnasium.make("OwnTwice-v0").unwrapped.goals.num_goals == 5
    with pytest.raises(ValueError, match="OwnTwice-v0 is already registered, for own_corridor:Corridor; choose"):
        gc_envs.register("OwnTwice-v0", GridworldTask)


@pytest.mark.parametrize("task", [int, 3, Task])
def test_what_is_no_task_is_not_registered(task):
    with pytest.raises(TypeError, match="task must be a subclass of gc_envs.core.task.Task or 'module:class', got"):
        gc_envs.register("OwnNothing-v0", task)
    with pytest.raises(ValueError, match="task='own_corridor' is neither a class nor written 'module:class'"):
        gc_envs.register("OwnNothing-v0", "own_corridor")
    assert "OwnNothing-v0" not in REGISTRY


@pytest.mark.parametrize(
    ("env_id", "kind", "message"),
    [
        ("own_nothing:Task", ModuleNotFoundError, "run from the folder that has own_nothing.py, or install it"),
        ("own_corridor.py:Corridor", ModuleNotFoundError, "has own_corridor.py, or install it; write it without .py"),
        ("own_corridor:Coridor", ValueError, r"called 'Coridor'; it has: OwnCorridor-v0, .*Corridor"),
        ("own_corridor:FiniteGoals", ValueError, r"own_corridor.py\) has no task and registers no id"),
        ("own_broken:Task", ImportError, "'own_broken:Task' needs own_broken, whose import fails: ZeroDivisionError"),
        ("OwnUnknown-v0", ValueError, "an id or a task of your own is written module:name"),
        (GridworldTask, TypeError, "an environment is an id, 'module:class' or a Task, got <class"),
        (None, TypeError, "an environment is an id, 'module:class' or a Task, got None"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_one_line_that_says_what_to_do(folder, env_id, kind, message):
    (folder / "own_broken.py").write_text("1 / 0\n")
    for function in (get_row, make_task, lambda name: gc_envs.evaluate(right, name)):
        with pytest.raises(kind, match=message) as error:
            function(env_id)
        assert "\n" not in str(error.value)


def test_a_task_that_lacks_something_is_refused(corridor, monkeypatch):
    monkeypatch.delattr(corridor, "horizon")
    with pytest.raises(TypeError, match="Corridor: the task has no horizon; every task sets goals, observation_space"):
        make_task(CLASS)
    monkeypatch.undo()
    gc_envs.register("OwnInt-v0", "builtins:int")
    with pytest.raises(TypeError, match="OwnInt-v0: builtins:int is no subclass of gc_envs.core.task.Task"):
        gymnasium.make("OwnInt-v0")


def test_the_command_line_imports_from_the_current_folder_and_says_so(folder, run, tmp_path):
    """In processes of their own, because this one has the module already."""

    def gc_envs_command(*words, cwd):
        return subprocess.run(
            [sys.executable, "-c", "import sys; from gc_envs.cli import main; sys.exit(main())", *words],
            capture_output=True, text=True, cwd=cwd, check=False,
        )  # fmt: skip

    assert gc_envs_command("goals", ID, cwd=folder).stdout.splitlines()[-1] == "   6  cell/6"
    elsewhere = gc_envs_command("evaluate", str(run), cwd=tmp_path)
    assert elsewhere.returncode == 2
    assert elsewhere.stderr == (
        "error: 'own_corridor:Corridor' needs a module 'own_corridor', which is not found: run from the folder that "
        "has own_corridor.py, or install it\n"
    )
