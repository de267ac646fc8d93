"""Reports: what is in the file, and what a real browser makes of it."""

import base64
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from gc_envs.cli import main
from gc_envs.suite.report import write_report
from gc_envs.suite.result import MemberResult, SeedResult, SuiteResult, TaskResult, Training, Video
from gc_envs.suite.scores import summarize
from gc_envs.suite.suites import suite_entries

GOALS = [f"inventory/wood_{i}" for i in range(9)] + ["block/TREE_up", "block/WATER_up", "mob/cow's <b>"]
EVIL = """<script>window.evil = 1</script> "O'Brien" <img src=x onerror="window.evil = 2">"""
STOP = "</script><script>window.evil = 3</script> {{ data }}"
ENTRIES = {entry.name: entry for entry in suite_entries("quick-v0")}


def member(name, task, successes, returns=(), curve=None):
    """One training run, of which only the counts matter."""
    entry = ENTRIES[task]
    training = Training("leo", 0, 2_500_000, 5400.0, "gpu: H100", f"gc-envs train leo {entry.env_id}", curve or {})
    total = len(successes) * entry.episodes
    mean = float(np.mean(returns)) if len(returns) else 0.0
    seed = SeedResult(0, sum(successes) / total, 0.5, mean, list(successes), list(returns))
    return MemberResult(name, [seed], training if curve is not None else None)


def done(task, *members, **rest):
    return TaskResult.of(ENTRIES[task], "done", members=list(members), **rest)


def result(agent, tasks, suite="quick-v0"):
    return SuiteResult(
        suite, agent, f"gc-envs evaluate --suite quick-v0 --json '{agent}.json'", {"python": "3.11", "jax": "0.10"},
        "cpu: 2 cores", None, tasks, {"started": "2026-01-02T03:04:05Z", "seconds": {"Gridworld": 61.0}},
    )  # fmt: skip


def gif(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (160, 120), one) for one in (colour, "white", colour)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, loop=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The JSON files of three agents: one good at everything, one whose names are an attack, one that does nothing."""
    folder = tmp_path_factory.mktemp("results")
    gif(folder / "best.videos" / "wood.gif", "green")
    gif(folder / "best.videos" / "cow.gif", "red")
    command = "gc-envs render runs/best --suite quick-v0 --task Gridworld --goal inventory/wood_0 --seed 11"
    videos = [
        Video("best.videos/wood.gif", "best-0", GOALS[0], 11, True, command),
        Video("best.videos/cow.gif", "best-0", GOALS[11], 12, False, command),
        Video("best.videos/missing.gif", "best-0", GOALS[1], 13, False, command),
    ]
    curve = {"step": [0, 1000, 2000], "success": [0.0, 0.5, 1.0]}
    counts = [1] * 9 + [0, 1, 0]
    grid = [member("best-0", "Gridworld", counts, curve=curve), member("best-1", "Gridworld", [1] * 12, curve=curve)]
    best = {
        "Gridworld": done("Gridworld", *grid, goals=GOALS, videos=videos),
        "ContinuousSeek-5": done("ContinuousSeek-5", member("seek", "ContinuousSeek-5", [90], curve=curve)),
        "DriveSeek": done("DriveSeek", member("drive", "DriveSeek", [150], [11.15] * 300, curve={})),
    }
    evil = {
        "Gridworld": done("Gridworld", member(EVIL, "Gridworld", [0] * 11 + [1]), goals=GOALS),
        "ContinuousSeek-5": TaskResult.of(ENTRIES["ContinuousSeek-5"], "failed", error=STOP),
        "BitFlip-20": TaskResult.of(ENTRIES["BitFlip-20"], "cannot"),
    }
    paths = [folder / f"{name}.json" for name in ("best", "evil", "idle")]
    for path, one in zip(paths, [result("best", best), result(EVIL, evil), result("idle", {})], strict=True):
        one.save(path)
    return paths


@pytest.fixture(scope="module")
def page(files, tmp_path_factory):
    return write_report(files, tmp_path_factory.mktemp("report") / "report.html")


def data_of(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1])


def test_the_command_writes_one_file_with_the_scores_of_all_agents(files, tmp_path, capsys):
    out = tmp_path / "new" / "report.html"
    assert main(["report", *map(str, files), "--out", str(out)]) == 0
    assert "report.html (0." in capsys.readouterr().out
    data = data_of(out)
    summary = summarize(result("best", {}))
    assert [agent["name"] for agent in data["agents"]] == ["best", EVIL, "idle"]
    assert data["agents"][2]["summary"]["iqm"] == summary.iqm == 0
    assert data["agents"][0]["counts"] == {"done": 3, "cannot": 0, "failed": 0, "missing": 3}
    assert [task["entry"]["name"] for task in data["tasks"]] == list(ENTRIES)
    random, reference = ENTRIES["DriveSeek"].random_score, ENTRIES["DriveSeek"].reference
    drive = data["tasks"][2]["outcomes"][0]["score"]
    assert drive["score"] == pytest.approx((11.15 - random) / (reference - random))


def test_nothing_outside_the_file_is_named_and_nothing_else_may_run(page):
    text = page.read_text()
    assert not re.search(
        r"""(src|href)=["']?(https?:)?//|@import|url\(""", re.sub(r"<script type=.*?</script>", "", text)
    )
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in text
    assert text.count("<script") == 2


def test_only_gifs_beside_the_result_are_taken_and_only_until_they_are_too_large(files, tmp_path):
    (tmp_path / "secret.gif").write_bytes(b"GIF89a secret")
    folder = tmp_path / "inner"
    shutil.copytree(files[0].parent, folder)
    (folder / "best.videos" / "text.gif").write_text("no GIF")
    stored = json.loads((folder / "best.json").read_text())
    videos = stored["tasks"]["Gridworld"]["videos"]
    videos += [{**videos[0], "file": file} for file in ("../secret.gif", "best.videos/text.gif", str(folder))]
    (folder / "best.json").write_text(json.dumps(stored))
    clips = data_of(write_report([folder / "best.json"], tmp_path / "a.html"))["tasks"][0]["clips"]
    sources = {clip["video"]["file"]: clip["source"] for clip in clips}
    assert {file for file, source in sources.items() if source} == {"best.videos/wood.gif", "best.videos/cow.gif"}
    start = "data:image/gif;base64,"
    assert (
        base64.b64decode(sources["best.videos/cow.gif"].removeprefix(start))
        == (folder / "best.videos" / "cow.gif").read_bytes()
    )
    size = (folder / "best.videos" / "wood.gif").stat().st_size
    clips = data_of(write_report([folder / "best.json"], tmp_path / "b.html", max_video_bytes=size))["tasks"][0][
        "clips"
    ]
    assert sum(clip["source"] is not None for clip in clips) == 1


def test_results_of_two_suites_are_refused_in_one_line(files, tmp_path, capsys):
    other = dataclasses.replace(result("other", {}), suite="standard-v0")
    other.save(tmp_path / "other.json")
    assert main(["report", str(files[0]), str(tmp_path / "other.json"), "--out", str(tmp_path / "x.html")]) == 2
    error = (
        "error: best was scored on quick-v0 and other on standard-v0; a report has results of one suite and version\n"
    )
    assert capsys.readouterr().err == error
    assert not (tmp_path / "x.html").exists()
    with pytest.raises(ValueError, match="needs at least one result"):
        write_report([], tmp_path / "x.html")
    assert main(["report", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_long_learning_curves_are_thinned_and_keep_their_end(tmp_path):
    curve = {"step": list(range(1001)), "success": [step / 1000 for step in range(1001)]}
    tasks = {"BitFlip-20": done("BitFlip-20", member("long", "BitFlip-20", [100], curve=curve))}
    outcomes = data_of(write_report([result("a", tasks)], tmp_path / "x.html"))["tasks"][4]["outcomes"]
    steps, values = outcomes[0]["members"][0]["training"]["curve"].values()
    assert len(steps) == 200
    assert (steps[0], steps[-1]) == (0, 1000)
    assert values == [step / 1000 for step in steps]


def test_agents_of_the_same_name_are_told_apart(tmp_path):
    twins = [result("twin", {}), result("twin", {})]
    assert [one["name"] for one in data_of(write_report(twins, tmp_path / "x.html"))["agents"]] == ["twin", "twin (2)"]


NAMES = ".board tbody th .agent span"


def test_the_leaderboard_is_sorted_by_its_headings_with_the_mouse_and_the_keyboard(browser):
    from selenium.webdriver import Keys

    browser.open()
    assert browser.texts(NAMES) == ["best", EVIL, "idle"]
    heads = browser.all(".board thead th")
    assert heads[1].get_attribute("aria-sort") == "descending"
    heads[1].find_element("tag name", "button").click()
    assert browser.texts(NAMES)[-1] == "best"
    assert heads[1].get_attribute("aria-sort") == "ascending"
    browser.run("arguments[0].focus()", heads[0].find_element("tag name", "button"))
    browser.press(Keys.ENTER)
    assert browser.texts(NAMES) == [EVIL, "best", "idle"]  # "<" comes before letters
    assert [head.get_attribute("aria-sort") for head in heads[:2]] == ["ascending", None]
    browser.press(Keys.ENTER)
    assert browser.texts(NAMES) == ["idle", "best", EVIL]
    heads[4].find_element("tag name", "button").click()
    assert browser.texts(NAMES)[0] == "best"  # steps of training that are not known come last
    assert "10 M" in browser.texts(".board tbody tr")[0]


def test_names_and_errors_of_strangers_are_only_text(browser):
    browser.open(hash="#ContinuousSeek-5")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.run("return window.evil") is None
    assert browser.all("img[src=x]") == browser.all("#report script") == []
    assert browser.texts(".agent span").count(EVIL) > 3
    assert f"failed: {STOP}" in browser.texts("#ContinuousSeek-5 .badge.failed")
    assert browser.driver.title == f"quick-v0: best, {EVIL}, idle".replace("  ", " ")


def test_holes_and_published_values_are_marked(browser):
    browser.open()
    (plot,) = [one for one in browser.all("#scores figure") if one.text.startswith("ContinuousSeek-5")]
    assert "failed: </script><script>" in plot.text
    assert "not evaluated" in plot.text
    assert "HER 0.98" in plot.text
    marks = plot.find_elements("css selector", "line.published")
    bounds = plot.find_elements("css selector", "line.bound")
    zero, one = (float(bound.get_attribute("x1")) for bound in bounds)
    at = sorted((float(mark.get_attribute("x1")) - zero) / (one - zero) for mark in marks)
    entry = ENTRIES["ContinuousSeek-5"]
    assert at == pytest.approx(sorted(entry.score(published.value) for published in entry.published), abs=1e-6)
    browser.hover(plot.find_element("css selector", "text.published"))
    assert "arXiv 2208.13298: 12,000 steps" in browser.one("#tip").text
    browser.hover(plot.find_element("css selector", ".lane .mark"))
    assert browser.one("#tip").text.startswith("best: score 0.90 (95% 0.8")
    assert "cannot do this task" in browser.one("#scores").text


def test_from_a_task_to_a_goal_to_its_episodes(browser):
    from selenium.webdriver import Keys

    browser.open()
    summary = browser.one("#Gridworld summary")
    browser.run("arguments[0].focus()", summary)
    browser.press(Keys.ENTER)
    cells = browser.wait("#Gridworld .cell")
    assert len(cells) == 12
    assert browser.texts("#Gridworld .group h6 span:first-child") == ["inventory", "block", "mob"]
    assert browser.texts("#Gridworld .group h6 span:last-child")[1] == "2 of 2 reached, mean 0.75"
    assert [cell.get_attribute("style") for cell in cells[9:11]] == ["--share: 50%;", "--share: 100%;"]

    browser.hover(cells[0])
    assert browser.one("#tip").text == "inventory/wood_0\nbest: 2 of 2 episodes; seed 0"
    browser.run("arguments[0].focus()", cells[0])
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert browser.run("return document.activeElement.dataset.goal") == "block/WATER_up"
    assert browser.one("#tip").text.startswith("block/WATER_up")
    browser.press(Keys.HOME, Keys.ENTER)

    details = browser.one("#Gridworld aside")
    assert details.find_element("tag name", "h5").text == "inventory/wood_0"
    assert browser.texts("#Gridworld aside tbody td") == ["2 of 2", "0 of 1"]
    assert browser.run("return location.hash") == "#Gridworld/inventory/wood_0"
    image = details.find_element("tag name", "img")
    assert browser.run("return arguments[0].naturalWidth", image) == 160
    assert "--goal inventory/wood_0 --seed 11" in details.text
    browser.open(hash="#Gridworld/mob/cow's <b>")
    assert browser.one("#Gridworld aside h5").text == "mob/cow's <b>"
    browser.one("#Gridworld aside .more summary").click()
    (seed,) = np.random.SeedSequence(0).generate_state(12)[11:]
    assert f"--task Gridworld --goal 'mob/cow'\\''s <b>' --seed {seed}" in browser.one("#Gridworld aside .more").text


def visible(browser):
    return [cell.get_attribute("data-goal") for cell in browser.all("#Gridworld .cell") if cell.is_displayed()]


def test_goals_are_filtered_sorted_and_shown_of_each_agent(browser):
    browser.open(hash="#Gridworld")
    field = browser.one("#Gridworld input[type=search]")
    field.send_keys("UP blo")
    assert visible(browser) == ["block/TREE_up", "block/WATER_up"]
    assert browser.one("#Gridworld output").text == "2 of 12 goals"
    browser.choose("#Gridworld-order", "most successful first")
    assert visible(browser) == ["block/WATER_up", "block/TREE_up"]
    browser.choose("#Gridworld-order", "by name")
    assert visible(browser) == ["block/TREE_up", "block/WATER_up"]
    field.clear()
    field.send_keys("wood")
    assert len(visible(browser)) == 9
    agent = browser.one("#Gridworld-agent")
    assert [option.text for option in agent.find_elements("tag name", "option")] == ["best", EVIL, "all, side by side"]
    browser.choose("#Gridworld-agent", "all, side by side")
    assert len(visible(browser)) == 18
    browser.one("#Gridworld-named").click()
    assert browser.all("#Gridworld .cell")[0].text == "wood_0"
    assert len(browser.all('#Gridworld .cell[tabindex="0"]')) == 2  # a stop of the Tab key for each picture


def test_colours_are_those_of_the_system_until_the_reader_chooses(browser):
    def paper():
        return browser.run("return getComputedStyle(document.body).backgroundColor")

    browser.open(prefers_color_scheme="dark")
    assert paper() == "rgb(20, 23, 27)"
    browser.one("button.theme").click()
    assert paper() == "rgb(255, 255, 255)"
    assert browser.one("button.theme").get_attribute("aria-label") == "Switch to dark colours"
    browser.open(prefers_color_scheme="light")
    assert paper() == "rgb(255, 255, 255)"


def test_a_phone_shows_everything_without_moving_sideways(browser):
    browser.open(width=390)
    browser.run("document.querySelectorAll('summary').forEach((one) => one.click())")
    browser.wait("#Gridworld .cell")[0].click()
    browser.choose("#Gridworld-agent", "all, side by side")
    assert browser.run("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    assert browser.run("return [...document.querySelectorAll('.cell')].every((one) => one.offsetWidth >= 12)")


def test_videos_stand_still_for_readers_who_want_that(browser):
    browser.open(hash="#Gridworld", prefers_reduced_motion="reduce")
    film = browser.one("#Gridworld .film")
    image, canvas = (film.find_element("css selector", name) for name in ("img", "canvas"))
    assert not image.is_displayed()
    assert canvas.is_displayed()
    film.find_element("css selector", "button").click()
    assert image.is_displayed()
    browser.open(hash="#Gridworld")
    assert browser.one("#Gridworld .film img").is_displayed()
    assert browser.texts("#Gridworld .nofilm") == ["This video is not in the report."]


def test_everything_is_open_and_light_on_paper(browser):
    browser.open(prefers_color_scheme="dark")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert all(one.get_attribute("open") for one in browser.all("details.card"))
    assert browser.run("return [...document.querySelectorAll('.drawing')].every((one) => one.firstChild)")
    assert browser.run("return document.documentElement.dataset.theme") == "light"
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("return document.documentElement.dataset.theme") == "dark"


def test_learning_curves_are_drawn_where_there_are_any(browser):
    browser.open()
    assert browser.texts("#curves figcaption a") == ["Gridworld", "ContinuousSeek-5"]
    (path,) = [one.get_attribute("d") for one in browser.all("#curves figure:last-child .curve:not(.hit)")]
    points = [tuple(map(float, point.split())) for point in path[1:].split("L")]
    assert len(points) == 3
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1])
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0])
