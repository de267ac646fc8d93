"""The benchmarks and their committed results: one command line, one layout."""

import ast
import dataclasses
import importlib
import json
import shlex
import subprocess
import sys

import jax
import pytest

from gc_envs.cli import main
from gc_envs.cli.benchmark import BENCHMARKS, benchmark_scripts
from gc_envs.cli.words import summary

SCRIPTS = benchmark_scripts()
RESULTS = sorted((BENCHMARKS / "results").glob("**/*.json"))
KEYS = ["schema", "name", "command", "versions", "device", "settings", "metrics", "rows"]

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="benchmarks come with a clone")


@pytest.fixture
def in_benchmarks(monkeypatch):
    """Modules of the benchmarks folder, importable by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def is_sentence(text):
    return len(text.split()) > 2 and text[0].isupper() and text.endswith(".")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_belong_to_a_script_and_have_one_layout(path):
    result = json.loads(path.read_text())
    assert [key for key in result if key not in ("ratio", "notes")] == KEYS
    assert result["schema"] == 1
    assert result["name"] in SCRIPTS
    assert result["command"]
    assert all(isinstance(version, str) for version in result["versions"].values())
    for metric in result["metrics"]:
        assert list(metric)[:3] == ["name", "value", "target"]
        assert metric["name"].isidentifier()
        assert isinstance(metric["value"], float | int)
        assert metric["target"] is None or isinstance(metric["target"], float | int)
    assert result["rows"]
    assert all(key.isidentifier() for row in result["rows"] for key in row)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_say_in_sentences_what_they_and_their_arguments_do(name):
    tree = ast.parse(SCRIPTS[name].read_text())
    assert is_sentence(summary(ast.get_docstring(tree)))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            (text,) = (word.value for word in call.keywords if word.arg == "help")
            assert is_sentence(ast.literal_eval(text).split(" (default: ")[0])


def test_without_a_name_all_benchmarks_are_listed(capsys):
    assert main(["benchmark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCRIPTS)
    assert all(is_sentence(line.split(maxsplit=1)[1]) for line in lines)


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["reengage", "--", "--help"], 0, "Train this many seeds"),
        (["reengage", "--", "seek6"], 2, "argument comparison: invalid choice: 'seek6'"),
        (["reengage", "--", "--seed=3"], 2, "unrecognized arguments: --seed=3"),
        (["train_speed"], 2, "--checkout and --authors-python are needed"),
        (["devices"], 2, "there is one device"),
        (["purejaxgcrl"], 2, "--checkout is needed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_after_two_dashes_are_those_of_the_script(argv, code, text):
    command = [sys.executable, "-m", "gc_envs.cli", "benchmark", *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert text in (done.stderr if code else done.stdout)
    if code:
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_result_is_written_as_it_is_printed(in_benchmarks, tmp_path, monkeypatch, capsys):
    common = in_benchmarks("_common")
    monkeypatch.setattr(sys, "argv", [str(BENCHMARKS / "craftax_step.py"), "--json", str(tmp_path / "new" / "x.json")])
    args = common.Parser("A description.").parse_args()
    common.finish(args, metrics=[common.metric("speed", 2.0, 1.5, backend="c")], rows=[{"a": 1}], settings={"n": 3})
    result = json.loads((tmp_path / "new" / "x.json").read_text())
    assert list(result) == KEYS
    assert result["name"] == "craftax_step"
    assert result["command"] == "gc-envs benchmark craftax_step -- --json x.json"
    assert result["metrics"] == [{"name": "speed", "value": 2.0, "target": 1.5, "backend": "c"}]
    assert json.loads(capsys.readouterr().out) == {key: value for key, value in result.items() if key != "rows"}


@pytest.mark.parametrize("path", [path for path in RESULTS if path.with_suffix(".png").exists()], ids=lambda p: p.stem)
def test_figures_are_drawn_from_results_alone(path, in_benchmarks, tmp_path):
    result = json.loads(path.read_text())
    if result["name"] == "multi_reengage":
        pytest.importorskip("stable_baselines3")
    module = in_benchmarks(result["name"])
    draw = getattr(module, "draw", None) or in_benchmarks("_runs").draw
    draw(result, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@pytest.fixture
def config(monkeypatch):
    """A function that returns the environment, its arguments and the settings of a `gc-envs train` command."""
    from gc_envs.training import train

    seen = []
    monkeypatch.setattr(
        train, "train_run",
        lambda agent, env_id, config, *, env_kwargs, **_: seen.append((env_id, env_kwargs, config)),
    )  # fmt: skip

    def parse(command):
        assert main(shlex.split(command)[1:]) == 0
        return seen.pop()

    return parse


@pytest.mark.parametrize(
    "path", [path for path in RESULTS if '"name": "reengage"' in path.read_text()], ids=lambda p: p.stem
)
def test_the_presets_are_the_settings_that_the_results_were_made_with(path, in_benchmarks, config, tmp_path):
    pytest.importorskip("sb3_contrib")
    result = json.loads(path.read_text())
    runs = in_benchmarks("_runs")
    comparison = in_benchmarks("reengage").COMPARISONS[result["settings"]["comparison"]]
    for row in result["rows"]:
        command = runs.command(comparison, row["agent"], 0, tmp_path)
        assert config(shlex.join(command)) == config(row["command"])


@pytest.fixture(scope="module")
def classic_observation():
    """Shapes of the observations of 64 environments of Classic."""
    from gc_envs import make_task
    from gc_envs.agents.collect import init_actors, observe, training_env

    env = training_env(make_task("GC-Craftax-Classic-v0", observation="compact"))
    return jax.eval_shape(lambda key: observe(env, init_actors(env, key, 64)), jax.random.key(0))


@pytest.mark.parametrize("method", ["leo", "ppo", "pqn", "pqn-her", "dual-leo-pqn", "dual-leo-ppo"])
def test_multiplications_of_learning_are_three_per_weight_that_a_sample_needs(
    method, in_benchmarks, classic_observation
):
    train_speed = in_benchmarks("train_speed")
    learner = in_benchmarks("_published").published_learner(method, "GC-Craftax-Classic-v0", width=8)
    config = learner.config
    epochs = {name: getattr(config, name) for name in ("epochs", "teacher_epochs") if hasattr(config, name)}
    needed = 0
    for path, kernel in jax.tree.leaves_with_path(
        jax.eval_shape(learner.init_train, jax.random.key(0), classic_observation)
    ):
        name = jax.tree_util.keystr(path)
        if "params" in name and "kernel" in name and "conv" not in name:
            passes = epochs["teacher_epochs" if ".teacher" in name and "teacher_epochs" in epochs else "epochs"]
            needed += 3 * passes * kernel.size // (learner.num_actions if kernel.ndim == 3 else 1)
    samples = learner.samples_per_update / learner.steps_per_update
    count, sizes = train_speed.MULTIPLY_ADDS[method], train_speed.sizes(learner)
    without = count(dataclasses.replace(config, **dict.fromkeys(epochs, 0)), sizes)
    assert count(config, sizes) - without == pytest.approx(needed * samples)


@pytest.mark.parametrize("task", ["gridworld", "classic"])
def test_each_row_of_half_the_steps_undoes_one_change(task, in_benchmarks):
    half, published_learner = in_benchmarks("half_the_steps"), in_benchmarks("_published").published_learner
    published = vars(published_learner("leo", half.TASKS[task], total_steps=4096).config)
    rows = half.variants(task, published)
    assert rows["published"] == published
    assert {settings["total_steps"] for settings in rows.values()} == {4096}
    differing = {name for name, value in rows["best"].items() if value != published[name]} - {"success_forgetting"}
    undone = []
    for name in rows.keys() - {"published", "best"}:
        changed = {key for key, value in rows[name].items() if value != rows["best"][key]} - {"success_forgetting"}
        assert changed
        assert all(rows[name][key] == published[key] for key in changed)
        undone += changed
    assert sorted(undone) == sorted(differing)
    for settings in rows.values():  # as much is forgotten in each environment step
        per_step = settings["success_forgetting"] ** (1 / settings["rollout_steps"])
        assert per_step == pytest.approx(published["success_forgetting"] ** (1 / published["rollout_steps"]))


def test_intervals_share_one_deviation(in_benchmarks):
    intervals = in_benchmarks("method_success").intervals
    (mean, half), (other, same) = intervals([[0.1, 0.3], [0.5, 0.5]])
    assert (mean, other) == (pytest.approx(0.2), 0.5)
    assert half == same == pytest.approx(4.302653 * 0.1 / 2**0.5, rel=1e-6)  # t of 2 degrees, squares of 0.02 / 2
    assert str(intervals([[0.1]])[0][1]) == "nan"
