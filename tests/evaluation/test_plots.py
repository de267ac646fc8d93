"""Learning curves of several runs over each other."""

import json

import numpy as np
import pytest
from PIL import Image

from gc_envs.cli import main
from gc_envs.evaluation import plots
from gc_envs.evaluation.plots import METRICS, plot_runs
from gc_envs.training.checkpoint import RunError
from gc_envs.training.run_dir import open_run

TINY = "GC-Gridworld-v0"


def run_of(folder, *, seed=0, agent="leo", env_id=TINY, evaluations=((10, 0.1), (20, 0.5)), **config):
    """A run folder with a config.json, two evaluations and two rows of metrics."""
    folder.mkdir()
    contents = {"agent": agent, "env_id": env_id, "env_kwargs": {}, "config": {"seed": seed, **config}, "versions": {}}
    (folder / "config.json").write_text(json.dumps({"format": 2, **contents}))
    lines = "".join(f"{step},{success},0,{-success}\n" for step, success in evaluations)
    (folder / "evaluations.csv").write_text("step,success,success_last,return\n" + lines)
    (folder / "metrics.csv").write_text("step,steps_per_s,running_success\n5,9,nan\n15,9,0.25\n25,9,0.5\n")
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are made."""
    figures, make = [], plots._figure

    def record(count):
        figures.append(make(count))
        return figures[-1]

    monkeypatch.setattr(plots, "_figure", record)
    return figures


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_runs_that_differ_only_in_their_seed_are_one_curve_with_an_interval(tmp_path, drawn):
    runs = [
        run_of(tmp_path / "a", seed=0, learning_rate=0.1, evaluations=((10, 0.1), (20, 0.5), (30, 0.9))),
        run_of(tmp_path / "b", seed=1, learning_rate=0.1, evaluations=((10, 0.3), (20, 0.7))),  # not yet at the end
        run_of(tmp_path / "c", seed=0, learning_rate=0.2, width=8),
        run_of(tmp_path / "d", seed=0, agent="other"),
    ]
    out = plot_runs(runs, tmp_path / "plots" / "curves.png")
    assert Image.open(out).format == "PNG"
    ((figure, (axes,)),) = drawn
    assert legend(figure) == [
        "leo, learning_rate=0.1 (mean of 2 seeds, 95% interval)", "leo, learning_rate=0.2, width=8 (seed 0)",
        "other (seed 0)",
    ]  # fmt: skip
    mean, single, _ = axes.get_lines()
    assert mean.get_xdata().tolist() == [10, 20], "where both seeds have values"
    np.testing.assert_allclose(mean.get_ydata(), [0.2, 0.6])
    np.testing.assert_allclose(single.get_ydata(), [0.1, 0.5])
    (band,) = axes.collections
    half = 12.7062 * np.sqrt(2) * 0.1 / np.sqrt(2)  # the 97.5% point of t with 1 degree of freedom
    (low, high) = (band.get_paths()[0].vertices[:, 1].min(), band.get_paths()[0].vertices[:, 1].max())
    assert (low, high) == (max(0.2 - half, 0), min(0.6 + half, 1)), "and within what a success can be"
    assert len({line.get_color() for line in axes.get_lines()}) == 3


def test_the_interval_is_the_t_interval_of_the_mean(tmp_path, drawn):
    values = (0.45, 0.5, 0.58)
    runs = [run_of(tmp_path / str(i), seed=i, evaluations=((10, x), (20, x))) for i, x in enumerate(values)]
    plot_runs(runs, tmp_path / "a.png")
    ((_, (axes,)),) = drawn
    half = 4.302653 * np.std(values, ddof=1) / np.sqrt(3)
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([heights.min(), heights.max()], [np.mean(values) - half, np.mean(values) + half], 1e-6)


def test_every_environment_has_a_panel_and_a_label_one_colour(tmp_path, drawn):
    runs = [run_of(tmp_path / str(i), env_id=env_id) for i, env_id in enumerate((TINY, "GC-BitFlip-v0"))]
    plot_runs(runs, tmp_path / "a.png")
    ((figure, panels),) = drawn
    assert [axes.get_title() for axes in panels] == [TINY, "GC-BitFlip-v0"]
    assert legend(figure) == ["leo (seed 0)"]
    assert len({axes.get_lines()[0].get_color() for axes in panels}) == 1


@pytest.mark.parametrize(
    ("metric", "steps", "values"),
    [("success", [10, 20], [0.1, 0.5]), ("return", [10, 20], [-0.1, -0.5]), ("running_success", [15, 25], [0.25, 0.5])],
)
def test_every_metric_is_read_from_its_file(tmp_path, drawn, metric, steps, values):
    plot_runs([run_of(tmp_path / "a")], tmp_path / "a.png", metric)
    ((_, (axes,)),) = drawn
    (line,) = axes.get_lines()
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == (steps, values)
    assert axes.get_ylabel() == METRICS[metric].label


def test_the_command_draws_a_real_run(finished_run, tmp_path, capsys):
    assert main(["plot", str(finished_run), "--out", str(tmp_path / "a.png"), "--metric", "running_success"]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'a.png'}\n"
    assert Image.open(tmp_path / "a.png").width > 800


def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, capsys):
    run, again, damaged = (run_of(tmp_path / name, seed=int(name == "damaged")) for name in ("run", "again", "damaged"))
    fresh = run_of(tmp_path / "fresh", evaluations=())
    (damaged / "evaluations.csv").write_text("step,success\n1,x\n")
    for words, message in (
        ([], "no runs to plot; name at least one run folder"),
        ([run, again], f"{run} and {again} are the same run, seed 0; name one of them"),
        ([fresh], f"{fresh}/evaluations.csv has no success yet"),
        ([run, damaged], f"{damaged}/evaluations.csv is damaged: line 2 is not 2 numbers"),
        ([tmp_path], f"{tmp_path} is not a run folder"),
        ([run, "--metric", "loss"], "'loss' is none of"),
    ):
        assert main(["plot", *map(str, words), "--out", str(tmp_path / "a.png")]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(ValueError, match="unknown metric 'loss'; known: success, running_success, return"):
        plot_runs([run], tmp_path / "a.png", "loss")
    with pytest.raises(RunError):
        open_run(tmp_path)
