"""The section of a report about benchmarks: its data, files that are refused, and what a real browser makes of it."""

import base64
import dataclasses
import json
import re
import shutil

import pytest
from hand_made import suite_result
from PIL import Image

from gc_envs.cli import main
from gc_envs.cli.benchmark import BENCHMARKS
from gc_envs.suite.report import write_report
from gc_envs.suite.report.measurements import MAX_FIGURE_BYTES, load_measurement
from gc_envs.suite.result import Video

EVIL = """<script>window.evil = 1</script> "O'Brien" <img src=x onerror="window.evil = 2">"""
EVIL_FILE = """<img src=x onerror='window.evil = 3'>{{ data }}.json"""
STOP = "</script><script>window.evil = 4</script>"
RESULT = {
    "schema": 1, "name": "speed", "command": "gc-envs benchmark speed -- --json speed.json",
    "versions": {"python": "3.11", "jax": "0.10"}, "device": "cpu: 2 cores", "settings": {},
    "metrics": [
        {"name": "speed_of_it", "value": 1.5, "target": 1.25, "method": "leo", "rank": 2, "low": 1.0, "high": 2.0},
        {"name": "speed_of_it", "value": -151.43118, "target": 250, "seeds": [0.12345, 3], "published": None},
        {"name": "bytes_per_step", "value": 6939.0, "target": 8192, "exact": True},
        {"name": "seconds_to_paint", "value": 2.5, "target": 2.0},
        {"name": "steps", "value": 422875, "target": None, "low": 1e-7},
    ],
    "rows": [{"speed": float("nan")}],
}  # fmt: skip


def save(path, **changed):
    path.write_text(json.dumps({**RESULT, **changed}))
    return path


def draw(path, size=(900, 500)):
    Image.new("RGBA", size, (255, 255, 255, 0)).save(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A suite result, and the results of two benchmarks: one with a figure, one whose names are an attack."""
    folder = tmp_path_factory.mktemp("measurements")
    suite_result({}, "leo").save(folder / "leo.json")
    draw(folder / "the_speed-of_it.png")
    evil = {"name": EVIL, "value": 1.0, "target": None, EVIL: STOP, "__proto__": EVIL}
    rest = {"name": EVIL, "command": STOP, "device": EVIL, "versions": {EVIL: STOP}, "notes": EVIL}
    save(folder / EVIL_FILE, metrics=[evil], **rest)
    (folder / EVIL_FILE).with_suffix(".png").write_text(EVIL)
    return folder / "leo.json", save(folder / "the_speed-of_it.json"), folder / EVIL_FILE


@pytest.fixture(scope="module")
def page(files, tmp_path_factory):
    return write_report(files[:1], tmp_path_factory.mktemp("report") / "report.html", benchmarks=files[1:])


def data_of(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1])


def test_the_command_adds_figures_and_metrics(files, tmp_path):
    out = tmp_path / "report.html"
    assert main(["report", str(files[0]), "--benchmarks", str(files[1]), str(files[2]), "--out", str(out)]) == 0
    first, second = data_of(out)["measurements"]
    assert first["title"] == "The speed of it"
    picture = base64.b64decode(first["figure"].removeprefix("data:image/png;base64,"))
    assert picture == files[1].with_suffix(".png").read_bytes()
    assert (first["command"], first["device"], first["versions"]) == (
        RESULT["command"], "cpu: 2 cores", RESULT["versions"],
    )  # fmt: skip
    metrics = first["metrics"]
    assert [one["name"] for one in metrics[1:]] == ["speed of it", "bytes per step", "seconds to paint", "steps"]
    assert [one["of"] for one in metrics[:3]] == [
        {"method": "leo", "rank": 2}, {"seeds": [0.12345, 3]}, {"exact": "true"},
    ]  # fmt: skip
    assert [one["interval"] for one in metrics] == [[1, 2], None, None, None, None]
    assert [one["at_most"] for one in metrics] == [False, False, True, True, False]
    assert [one["reached"] for one in metrics] == [True, False, True, False, None]
    assert second["figure"] is None
    assert second["figure_note"].endswith("{{ data }}.png is not shown: it is no PNG file of its folder.")


def test_a_report_without_benchmarks_has_nothing_of_them(files, tmp_path):
    plain = write_report(files[:1], tmp_path / "x.html")
    assert data_of(plain)["measurements"] == []
    assert plain.read_text().count("measurement") == 1


def test_values_that_are_no_numbers_are_not_known(tmp_path):
    numbers = [{"name": "a", "value": float("nan"), "target": 1.0, "of": float("inf")}, {"name": "b", "value": 10**300}]
    first, second = load_measurement(save(tmp_path / "x.json", metrics=numbers)).metrics
    assert (first.value, first.reached, first.of) == (None, None, {"of": "Infinity"})
    assert second.value == 1e300


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ("{", "Expecting property name"),
        ("\x89PNG", "Expecting value"),
        ("[]", "Expected `object`, got `array`"),
        ("[" * 100_000, "recursion"),
        (json.dumps({"schema": 1, "name": "x"}), "missing required field `command`"),
        (json.dumps({**RESULT, "metrics": [{"name": "x", "value": "1"}]}), "Expected `float`, got `str`"),
        (json.dumps({**RESULT, "metrics": [[]]}), "`$.metrics[0]`"),
        (json.dumps({**RESULT, "schema": 2}), "its schema is 2, and this version reads up to 1"),
        (json.dumps(dataclasses.asdict(suite_result({}))), "it is the result of an agent on a suite"),
    ],
    ids=["cut off", "no JSON", "list", "deep", "no command", "text for a value", "list for a metric", "newer", "suite"],
)
def test_other_files_are_refused_in_one_line_that_names_them(contents, reason, files, tmp_path, capsys):
    (tmp_path / "other.json").write_text(contents)
    words = ["--benchmarks", str(files[1]), str(tmp_path / "other.json")]
    assert main(["report", str(files[0]), *words, "--out", str(tmp_path / "x.html")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'other.json'} cannot be shown as a result of `gc-envs benchmark`: ")
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x.html").exists()


def test_a_missing_file_is_named(files, tmp_path, capsys):
    assert main(["report", str(files[0]), "--benchmarks", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


def test_only_png_files_of_the_same_folder_are_taken_and_none_that_is_too_large(files, tmp_path):
    figure = (tmp_path / "inner" / "x.png").resolve()
    figure.parent.mkdir()
    result = save(figure.with_suffix(".json"))
    assert (load_measurement(result).figure, load_measurement(result).figure_note) == (None, None)
    signature = files[1].with_suffix(".png").read_bytes()[:8]
    figure.write_bytes(signature + b" " * (MAX_FIGURE_BYTES - 8))
    assert load_measurement(result).figure is not None
    figure.write_bytes(signature + b" " * (MAX_FIGURE_BYTES - 7))
    assert load_measurement(result).figure is None
    assert load_measurement(result).figure_note == "x.png is not shown: it is larger than 2 MB."
    figure.write_bytes(b"GIF89a" + signature)
    assert load_measurement(result).figure_note == "x.png is not shown: it is no PNG file of its folder."
    figure.unlink()
    figure.symlink_to(shutil.copy(files[1].with_suffix(".png"), tmp_path / "secret.png"))
    assert load_measurement(result).figure is None


def test_figures_leave_less_room_for_videos(files, tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + b" " * 1000)
    one = suite_result({"Gridworld": 0.5})
    video = Video("a.gif", "run-0", "position/0", 0, True, "gc-envs render")
    one.tasks["Gridworld"].videos.append(video)
    one.save(tmp_path / "one.json")
    room = 1006 + files[1].with_suffix(".png").stat().st_size

    def is_shown(benchmarks, bytes_):
        path = write_report([tmp_path / "one.json"], tmp_path / "x.html", benchmarks=benchmarks, max_video_bytes=bytes_)
        (task,) = [task for task in data_of(path)["tasks"] if task["clips"]]
        return task["clips"][0]["source"] is not None

    assert is_shown([], 1006)
    assert not is_shown(files[1:2], room - 50)
    assert is_shown(files[1:2], room + 50)


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="benchmarks come with a clone")
def test_targets_of_committed_results_are_upper_bounds_where_small_is_good():
    results = [load_measurement(path) for path in sorted((BENCHMARKS / "results").glob("**/*.json"))]
    assert len(results) > 20
    bounded = [metric for one in results for metric in one.metrics if metric.target is not None]
    upper = {"all goals cost", "update time", "megabytes", "seconds to paint", "bytes per transition"}
    assert {metric.name for metric in bounded if metric.at_most} == upper
    assert {metric.name for metric in bounded if not metric.at_most} >= {"speedup", "times fetch push", "success"}


def test_a_benchmark_has_its_figure_its_metrics_and_what_repeats_it(browser):
    browser.open(hash="#measurements")
    assert browser.texts(".measurement h3") == ["The speed of it", EVIL_FILE.removesuffix(".json")]
    assert browser.one("nav a:last-child").text == "Measurements"
    first = browser.one(".measurement")
    image = first.find_element("tag name", "img")
    assert browser.run("return [arguments[0].naturalWidth, arguments[0].alt]", image) == [
        900, "Figure of the results of The speed of it",
    ]  # fmt: skip
    rows = [[cell.text for cell in row.find_elements("css selector", "th, td")] for row in browser.all("article tr")]
    assert rows[:6] == [
        ["Metric", "Value", "Interval", "Target"],
        ["speed of it\nmethod leo, rank 2", "1.5", "1 to 2", "at least 1.25 reached"],
        ["speed of it\nseeds 0.1235, 3", "\N{MINUS SIGN}151.4", "", "at least 250 not reached"],
        ["bytes per step\nexact true", "6,939", "", "at most 8,192 reached"],
        ["seconds to paint", "2.5", "", "at most 2 not reached"],
        ["steps", "422,875", "", ""],
    ]
    assert rows[6] == ["Metric", "Value"]  # no column without contents
    assert first.find_element("css selector", ".command code").text == RESULT["command"]
    assert [one.text for one in first.find_elements("tag name", "dd")] == ["cpu: 2 cores", "python 3.11, jax 0.10"]


def test_names_in_benchmarks_are_only_text(browser):
    browser.open()
    assert browser.run("return window.evil") is None
    assert browser.all("img[src=x]") == browser.all("#report script") == []
    evil = browser.all(".measurement")[1].text
    assert evil.count("window.evil = 1") == 6  # the metric, two of its entries, the remark, the device, the version
    assert evil.count(STOP) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_on_white_in_both_colour_schemes_and_fit_a_phone(scheme, browser):
    browser.open(width=390, prefers_color_scheme=scheme)
    figure = browser.one(".measurement figure")
    assert browser.run("return getComputedStyle(arguments[0]).backgroundColor", figure) == "rgb(255, 255, 255)"
    box = figure.find_element("tag name", "img").rect
    assert box["width"] < 390
    assert box["width"] / box["height"] == pytest.approx(900 / 500, rel=0.02)
    assert browser.run("return document.documentElement.scrollWidth") == 390
