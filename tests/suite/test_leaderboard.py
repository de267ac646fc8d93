"""`gc-envs compare` and `gc-envs leaderboard`: order, tables, and one clear line for what is refused."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from hand_made import all_rates, entry_named, member, rate_member, suite_result, training

from gc_envs.cli import main
from gc_envs.registration import make_task
from gc_envs.suite import leaderboard_check
from gc_envs.suite.leaderboard import build_page, escape, format_count, format_seconds, rank_results
from gc_envs.suite.leaderboard_check import check_file, check_weights, same_probability
from gc_envs.suite.result import SuiteResultError, load_suite_result
from gc_envs.suite.scores import probability_of_improvement, summarize
from gc_envs.suite.suites import SUITES

ROOT = Path(__file__).resolve().parent.parent.parent
CANNOT = {"PandaReach": "cannot"}


@pytest.fixture
def folder(tmp_path):
    """The folder of a leaderboard with one result."""
    save(checked("leo"), tmp_path / "quick-v0")
    return tmp_path / "quick-v0"


def checked(agent, rate=0.5, **rest):
    """Return a result that the check accepts."""
    result = suite_result(all_rates(rate), agent, trained=training(2_000_000, 7200.0), statuses=CANNOT, **rest)
    goals = list(make_task("GC-Gridworld-v0").goals.names)
    return with_task(result, "Gridworld", goals=goals)


def with_task(result, name, **changes):
    return dataclasses.replace(result, tasks=result.tasks | {name: dataclasses.replace(result.tasks[name], **changes)})


def save(result, folder):
    path = folder / f"{result.agent}.json"
    result.save(path)
    return path


def edit(path, change):
    """Change the contents of a JSON file."""
    contents = json.loads(path.read_text())
    change(contents)
    path.write_text(json.dumps(contents))


def error_of(capsys, *words):
    """Return the one line that a command ends with."""
    assert main(list(map(str, words))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# --- gc-envs compare


def test_the_order_is_by_interquartile_mean_and_what_is_incomplete_stands_last(tmp_path):
    results = {
        "low": suite_result(all_rates(0.2), "low"),
        "high": suite_result(all_rates(0.8), "high"),
        "cannot": suite_result(all_rates(0.5), "cannot", statuses=CANNOT),
        "failed": suite_result(all_rates(0.9), "failed", statuses={"PandaReach": "failed"}),
    }
    standings = rank_results({Path(name): result for name, result in results.items()})
    assert [(one.rank, one.result.agent) for one in standings] == [
        (1, "high"), (2, "cannot"), (3, "low"), (None, "failed"),
    ]  # fmt: skip
    assert [one.tasks for one in standings][1::2] == ["5 done, 1 cannot", "5 done, 1 failed"]


def test_compare_prints_a_leaderboard_of_at_most_100_columns(tmp_path, capsys):
    device = "cuda: NVIDIA H100 80GB HBM3; 16 cores of AMD EPYC"
    statuses = {"PandaReach": "failed", "BitFlip-20": "cannot"}
    rates = all_rates(0.8)
    del rates["Gridworld"]
    paths = [
        save(
            suite_result(all_rates(0.5), "an-agent-with-quite-a-long-name", trained=training(device=device)), tmp_path
        ),
        save(suite_result(rates, "her", trained=training(1_250_000, 5400.0), statuses=statuses), tmp_path),
        *(save(suite_result(all_rates(0.1 * index), f"other-{index}"), tmp_path) for index in range(4)),
    ]
    assert main(["compare", *map(str, paths)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "quick-v0" in out
    lines = out.splitlines()
    first = next(index for index, line in enumerate(lines) if "3 done" in line)
    end = next(index for index in range(first, len(lines)) if not lines[index].strip())
    tasks = slice(lines[first].index("3 done"), lines[first].index("3.75M"))
    assert " ".join(" ".join(line[tasks] for line in lines[first:end]).split()) == (
        "3 done, 1 cannot, 1 failed, 1 missing"
    )
    assert "her is incomplete: PandaReach failed: it broke" in out
    assert "her is incomplete: Gridworld: missing" in out
    assert re.search(r"^ 1 .*an-agent-with", out, re.MULTILINE)
    assert re.search(r"^ - .*her", out, re.MULTILINE)
    assert re.search(r"^ BitFlip-20 .*cannot", out, re.MULTILINE)
    assert "Probability" not in out


def test_compare_shows_the_numbers_of_one_agent_alone(tmp_path, capsys):
    result = suite_result(all_rates(0.5), "leo", trained=training(1_250_000, 5400.0))
    assert main(["compare", str(save(result, tmp_path))]) == 0
    out, summary = capsys.readouterr().out, summarize(result)
    low, high = summary.iqm_ci
    row = re.search(r"^ 1 .*$", out, re.MULTILINE)[0]
    steps = format_count(6 * 1_250_000)
    for number in (f"{summary.iqm:.2f} [{low:.2f}, {high:.2f}]", "6 done", steps, "9 h", "cpu: 2 cores"):
        assert number in row
    low, high = summary.tasks["DriveSeek"].ci
    assert re.search(rf"^ DriveSeek +0.50 \[{low:.2f}, {high:.2f}\]", out, re.MULTILINE)


def test_compare_writes_its_numbers_and_compares_two(tmp_path, capsys):
    a, b = suite_result(all_rates(0.3), "a"), suite_result(all_rates(0.6), "b")
    file = tmp_path / "new" / "out.json"
    assert main(["compare", str(save(a, tmp_path)), str(save(b, tmp_path)), "--json", str(file)]) == 0
    assert "Probability that b scores higher than a on a task: 1.00 [1.00, 1.00]" in capsys.readouterr().out
    contents = json.loads(file.read_text())
    assert contents["suite"] == "quick-v0"
    assert [(one["rank"], one["agent"]) for one in contents["agents"]] == [(1, "b"), (2, "a")]
    assert contents["agents"][1]["summary"]["iqm"] == summarize(a).iqm
    assert contents["agents"][1]["file"] == str(tmp_path / "a.json")
    found = probability_of_improvement(b, a)
    assert contents["probability_of_improvement"]["tasks"] == found.tasks
    assert contents["probability_of_improvement"]["ci"] == list(found.ci)


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", "[link=http://a.b]c[/link]", ":smile:", "a\x1b[31mred\x07"])
def test_names_of_agents_are_shown_as_they_are(name, tmp_path, capsys):
    results = [suite_result(all_rates(0.3), name, statuses={"PandaReach": "failed"}), suite_result(all_rates(0.5), "b")]
    paths = [str(tmp_path / f"{index}.json") for index in range(2)]
    for path, result in zip(paths, results, strict=True):
        result.save(path)
    assert main(["compare", *paths]) == 0
    out = capsys.readouterr().out
    shown = "".join(letter for letter in name if letter.isprintable())
    assert f"{shown} is incomplete" in out
    assert shown in out.split("is incomplete")[0].replace("\n", "")
    assert "\x1b" not in out
    assert "\x07" not in out


def test_compare_refuses_in_one_line(tmp_path, capsys):
    leo = save(suite_result(all_rates(0.5), "leo"), tmp_path)
    standard = tmp_path / "standard.json"
    suite_result({}, "her", "standard-v0").save(standard)
    line = error_of(capsys, "compare", leo, standard)
    assert f"{leo} is a result of quick-v0, and {standard} of standard-v0" in line
    again = shutil.copy(leo, tmp_path / "again.json")
    assert f"{leo} and {again} both name their agent 'leo': change \"agent\"" in error_of(capsys, "compare", leo, again)
    assert "both name their agent" in error_of(capsys, "compare", leo, leo)
    assert f"{tmp_path / 'no.json'}: there is no such file" in error_of(capsys, "compare", leo, tmp_path / "no.json")
    assert f"{tmp_path}: there is no such file" in error_of(capsys, "compare", tmp_path)
    assert "no result is named" in error_of(capsys, "compare")
    text = leo.read_text()
    for damaged in ("", "{", text[:1000], text.replace('"agent"', '"angent"'), "[1]", "\x00"):
        leo.write_text(damaged)
        assert f"{leo} is no result of `gc-envs evaluate --suite`" in error_of(capsys, "compare", leo)
    leo.write_text(text.replace('"schema": 1', '"schema": 9'))
    assert "its schema is 9, and this version reads up to 1; upgrade gc_envs" in error_of(capsys, "compare", leo)


@pytest.mark.parametrize(
    ("number", "shown"), [(None, "-"), (0, "0"), (999, "999"), (1500, "1.5k"), (123_456, "123k"), (2_000_000, "2M"),
                          (999_600, "1M"), (12_300_000_000, "12.3G")],
)  # fmt: skip
def test_steps_are_short(number, shown):
    assert format_count(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.4, "0.4 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (9000, "2.5 h"),
        (3_700_000, "1030 h"),
    ],
)
def test_times_are_short(seconds, shown):
    assert format_seconds(seconds) == shown


# --- gc-envs leaderboard build


def test_the_page_is_a_table_in_order_of_rank(folder, capsys):
    save(checked("her", 0.8), folder)
    assert main(["leaderboard", "build", str(folder)]) == 0
    assert "was out of date" in capsys.readouterr().out
    page = (folder / "README.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| 1 ", "| 2 "))]
    assert ["[her](her.json)" in rows[0], "[leo](leo.json)" in rows[1]] == [True, True]
    summary = summarize(load_suite_result(folder / "her.json"))
    low, high = summary.iqm_ci
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    assert cells[2] == f"{summary.iqm:.2f} [{low:.2f}, {high:.2f}]"
    assert cells[4:] == ["5 done, 1 cannot", "10M", "10 h", "cpu: 2 cores", "0000000000"]
    assert re.search(r"^\| task \| her \| leo \|$", page, re.MULTILINE)
    assert re.search(r"^\| PandaReach \| cannot \| cannot \|$", page, re.MULTILINE)
    assert len({line.count("|") for line in page.splitlines() if line.startswith("|")}) == 2
    before = (folder / "README.md").stat().st_mtime_ns
    assert main(["leaderboard", "build", str(folder)]) == 0
    assert "is up to date" in capsys.readouterr().out
    assert (folder / "README.md").stat().st_mtime_ns == before


def test_the_page_shows_words_of_a_file_as_they_are():
    result = suite_result(all_rates(0.5), "leo", trained=training(device="a | [b](http://c) <img src=x> `d`\n# e"))
    page = build_page("quick-v0", rank_results({Path("leo.json"): result}))
    assert r"a \| \[b\]\(http://c\) \<img src=x\> \`d\` \# e" in page
    assert escape("a_b*c") == r"a\_b\*c"


def test_the_committed_pages_are_those_of_the_committed_results():
    for folder in sorted((ROOT / "leaderboard").glob("*-v*")):
        leaderboard_check.check_page(folder)


def test_a_page_that_is_out_of_date_is_refused(folder, capsys):
    assert "README.md is out of date: run gc-envs leaderboard build" in error_of(capsys, "leaderboard", "check", folder)
    assert main(["leaderboard", "build", str(folder)]) == 0
    assert main(["leaderboard", "check", str(folder)]) == 0
    assert "leo.json: accepted" in capsys.readouterr().out
    save(checked("her"), folder)
    assert "out of date" in error_of(capsys, "leaderboard", "check", folder)


# --- gc-envs leaderboard check


def test_every_refused_file_has_a_line(folder, capsys):
    save(checked("her"), folder)
    suite_result(all_rates(0.5), "other").save(folder / "mine.json")
    (folder / "broken.json").write_text("{")
    assert main(["leaderboard", "check", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert [line.split(":")[0].split(" ")[0] for line in out.splitlines()] == [
        "refused", str(folder / "her.json"), str(folder / "leo.json"), "refused",
    ]  # fmt: skip
    assert "2 of 4 results are refused: broken.json, mine.json" in err


def test_a_folder_is_called_as_a_suite(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "quick-v0", tmp_path / "quick"):
        assert "is no folder of results with the name of a suite: standard-v0" in error_of(
            capsys, "leaderboard", "check", folder
        )


def refused(path):
    with pytest.raises(SuiteResultError) as error:
        check_file(path)
    return str(error.value)


def test_an_accepted_file_is_read(folder):
    assert check_file(folder / "leo.json") == load_suite_result(folder / "leo.json")


def test_another_suite_is_refused(folder):
    path = folder / "her.json"
    suite_result({}, "her", "standard-v0").save(path)
    assert f"{path}: it is a result of standard-v0, not of quick-v0" in refused(path)
    edit(path, lambda contents: contents.update(suite="quick-v9"))
    assert "unknown suite 'quick-v9'" in refused(path)


@pytest.mark.parametrize("agent", ["other", "le o", "../leo", "[leo](x)", "", ".leo", "leo\n"])
def test_a_file_that_is_not_called_as_its_agent_is_refused(agent, folder):
    path = folder / "leo.json"
    edit(path, lambda contents: contents.update(agent=agent))
    assert f"its agent is called {agent!r}" in refused(path)


@pytest.mark.parametrize("stem", ["le o", "[leo](x)", "-leo"])
def test_a_name_that_is_no_plain_word_is_refused(stem, folder):
    checked(stem).save(folder / f"{stem}.json")
    assert "letters, digits and ._+- alone" in refused(folder / f"{stem}.json")


def test_incomplete_results_are_refused(folder):
    rates = all_rates(0.5)
    del rates["DriveSeek"]
    path = save(suite_result(rates, "her", statuses={"BitFlip-20": "failed"}), folder)
    assert "it is incomplete: failed: BitFlip-20" in refused(path)
    path = save(suite_result(rates, "her"), folder)
    assert "it is incomplete: missing: DriveSeek" in refused(path)


def test_other_goals_are_refused(folder):
    path = save(suite_result(all_rates(0.5), "her"), folder)
    assert "Gridworld: its goals are not those of GC-Gridworld-v0" in refused(path)
    few = dataclasses.replace(checked("her"))
    one = member(entry_named("Gridworld"), [[1]])
    path = save(with_task(few, "Gridworld", goals=["position/0-2"], members=[one]), folder)
    assert "Gridworld: its goals are not those of GC-Gridworld-v0" in refused(path)
    named = with_task(checked("her"), "BitFlip-20", goals=["one"])
    assert "BitFlip-20: its goals are not those" in refused(save(named, folder))


def change_seed(name, **changes):
    """Return a function that changes the first seed of the only member of a task."""

    def change(contents):
        contents["tasks"][name]["members"][0]["seeds"][0].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_seed("BitFlip-20", successes=[101]), "successes of seed 0 are not 1 counts up to 100"),
        (change_seed("BitFlip-20", successes=[-1]), "successes of seed 0 are not 1 counts up to 100"),
        (change_seed("BitFlip-20", successes=[40]), "success of seed 0 is not that of its counts"),
        (change_seed("BitFlip-20", success=0.9), "success of seed 0 is not that of its counts"),
        (change_seed("BitFlip-20", success_last=0.9), "success_last of seed 0 is 0.9, and success 0.5"),
        (change_seed("BitFlip-20", success_last=-0.1), "success_last of seed 0 is -0.1"),
        (change_seed("BitFlip-20", seed=7), "seeds are [7], not [0]"),
        (change_seed("DriveSeek", mean_return=30.0), "mean_return of seed 0 is not that of its returns"),
        (change_seed("DriveSeek", returns=[30.0]), "seed 0 has 1 returns"),
        (lambda contents: contents["tasks"]["BitFlip-20"].update(episodes=10), "episodes is 10, in quick-v0 it is 100"),
        (
            lambda contents: contents["tasks"]["BitFlip-20"].update(max_steps=40),
            "max_steps is 40, in quick-v0 it is 20",
        ),
        (lambda contents: contents["tasks"]["BitFlip-20"]["members"][0]["training"].update(steps=-1), "for -1 steps"),
        (lambda contents: contents.update(schema=2), "its schema is 2"),
    ],
)
def test_impossible_numbers_are_refused(change, message, folder):
    edit(folder / "leo.json", change)
    assert message in refused(folder / "leo.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda summary: summary.update(iqm=0.9), "a summary in which iqm is 0.9, and 0."),
        (lambda summary: summary.update(mean=0.9), "mean is 0.9"),
        (lambda summary: summary.update(iqm_ci=[0.5, 0.9]), "iqm_ci.0 is 0.5"),
        (lambda summary: summary["mean_ci"].__setitem__(1, 0.99), "mean_ci.1 is 0.99"),
        (lambda summary: summary["tasks"]["DriveSeek"].update(score=1.0), "tasks.DriveSeek.score is 1.0"),
        (lambda summary: summary["tasks"]["DriveSeek"].update(ci=[0.4, 1.0]), "tasks.DriveSeek.ci.0 is 0.4"),
        (lambda summary: summary["tasks"]["PandaReach"].update(status="done"), "tasks.PandaReach.status is done"),
        (lambda summary: summary["tasks"].pop("DriveSeek"), "tasks.DriveSeek.status is None"),
        (lambda summary: summary.update(training_steps=5), "training_steps is 5, and 10000000"),
    ],
)
def test_scores_that_are_not_those_of_the_counts_are_refused(change, message, folder):
    edit(folder / "leo.json", lambda contents: change(contents["summary"]))
    assert message in refused(folder / "leo.json")


def test_a_file_without_scores_is_refused(folder):
    edit(folder / "leo.json", lambda contents: contents.update(summary=None))
    assert "it has no summary" in refused(folder / "leo.json")


def test_intervals_of_other_random_numbers_are_accepted(folder):
    path = folder / "leo.json"
    low, high = load_suite_result(path).summary.iqm_ci
    edit(path, lambda contents: contents["summary"].update(iqm_ci=[low + 0.05 * (high - low), high]))
    check_file(path)
    edit(path, lambda contents: contents["summary"].update(iqm_ci=[low + 0.15 * (high - low), high]))
    assert "iqm_ci.0" in refused(path)


# --- weights


def test_successes_are_compared_by_fishers_test():
    standard, quick = entry_named("BitFlip-20", "standard-v0"), entry_named("BitFlip-20")
    task = suite_result({"BitFlip-20": 0.5}, suite="standard-v0").tasks["BitFlip-20"]

    def probability(before, now):
        return same_probability(task, rate_member(standard, before), rate_member(quick, now))

    assert probability(0.5, 0.5) == probability(1.0, 1.0) == probability(0.0, 0.0) == 1.0
    assert probability(0.5, 0.6) > 0.05  # 150 of 300 and 60 of 100: 1.7 standard deviations
    assert 1e-4 < probability(0.5, 0.7) < 1e-3  # 3.5 standard deviations
    assert probability(1.0, 0.9) < 1e-5


def test_returns_are_compared_by_welchs_test(monkeypatch):
    quick = dataclasses.replace(entry_named("DriveSeek"), episodes=100)
    standard = dataclasses.replace(quick, seeds=(0, 1, 2))
    monkeypatch.setitem(SUITES, "one-v0", (standard,))
    task = suite_result({"DriveSeek": 10.0}, suite="one-v0").tasks["DriveSeek"]

    def probability(before, now):
        return same_probability(task, rate_member(standard, before), rate_member(quick, now))

    assert probability(10.0, 10.0) == pytest.approx(1.0)
    assert probability(10.0, 10.1) > 0.05  # the standard deviation of the difference is 0.067
    assert probability(10.0, 10.3) < 1e-4
    constant = [member(entry, [[0]] * len(entry.seeds), returns=[[value] * 100] * len(entry.seeds))
                for entry, value in ((standard, 3.0), (quick, 3.0), (quick, 2.0))]  # fmt: skip
    assert same_probability(task, constant[0], constant[1]) == 1.0
    assert same_probability(task, constant[0], constant[2]) == 0.0


@pytest.fixture
def evaluated(monkeypatch):
    """What stands in for the second evaluation: the calls, and the result that they return."""
    calls = []

    def evaluate(words, suite, *, agent, tasks):
        calls.append((words, suite, agent, tasks))
        return evaluate.result

    monkeypatch.setattr(leaderboard_check, "evaluate_suite", evaluate)
    evaluate.calls, evaluate.result = calls, None
    return evaluate


def with_weights(folder, rate=0.5):
    """Return the file of an agent with two members, the weights of one of which are there, and its result."""
    result = suite_result(all_rates(0.5) | {"BitFlip-20": [rate, 0.4]}, "her", "quick-v0")
    members = [dataclasses.replace(one, name=f"flip-{index}") for index, one in
               enumerate(result.tasks["BitFlip-20"].members)]  # fmt: skip
    result = with_task(result, "BitFlip-20", members=members)
    (folder / "her" / "flip-1").mkdir(parents=True)
    return save(result, folder), result


def test_members_with_weights_are_evaluated_again(folder, evaluated):
    path, result = with_weights(folder)
    evaluated.result = suite_result({"BitFlip-20": 0.45}, "her")
    assert check_weights(path, result) == ["BitFlip-20"]
    assert evaluated.calls == [([f"BitFlip-20={folder / 'her' / 'flip-1'}"], "quick", "her", ["BitFlip-20"])]
    evaluated.result = suite_result({"BitFlip-20": 0.05}, "her")
    with pytest.raises(SuiteResultError) as error:
        check_weights(path, result)
    assert (
        f"{path}: BitFlip-20: flip-1 has 40 successes in 100 episodes, and evaluated again it has 5 successes in 100 "
        "episodes, which differs by more than chance"
    ) in str(error.value)


def test_weights_that_cannot_be_evaluated_are_refused(folder, evaluated):
    path, result = with_weights(folder)
    evaluated.result = suite_result({}, "her", statuses={"BitFlip-20": "failed"})
    with pytest.raises(SuiteResultError, match="BitFlip-20 cannot be evaluated again: it broke"):
        check_weights(path, result)


def test_what_is_no_run_of_a_member_is_refused(folder, evaluated):
    path, result = with_weights(folder)
    (folder / "her" / "flip-7").mkdir()
    with pytest.raises(SuiteResultError, match="flip-7 is no run folder that is called as a member of"):
        check_weights(path, result)
    (folder / "her" / "flip-7").rmdir()
    (folder / "her" / "flip-0").write_bytes(b"a model file")
    with pytest.raises(SuiteResultError, match="flip-0 is no run folder"):
        check_weights(path, result)
    assert evaluated.calls == []


def test_pretrained_members_are_evaluated_again(folder, evaluated, monkeypatch):
    monkeypatch.setattr(leaderboard_check, "pretrained_names", lambda: ["flip-0"])
    path, result = with_weights(folder)
    shutil.rmtree(folder / "her")
    evaluated.result = suite_result({"BitFlip-20": 0.5}, "her")
    assert check_weights(path, result) == ["BitFlip-20"]
    assert evaluated.calls[0][0] == ["BitFlip-20=flip-0"]


def test_without_weights_nothing_is_evaluated(folder, evaluated):
    assert check_weights(folder / "leo.json", load_suite_result(folder / "leo.json")) == []
    assert evaluated.calls == []


@pytest.mark.slow
def test_a_trained_agent_is_accepted_with_its_weights_and_not_with_those_of_another(tmp_path, capsys):
    """The whole way: train, evaluate, attach, check; then claim more than the weights reach."""
    import gc_envs

    folder, run = tmp_path / "quick-v0", tmp_path / "grid"
    flags = [
        "--total-steps",
        "3000",
        "--num-envs",
        "8",
        "--rollout-steps",
        "8",
        "--width",
        "16",
        "--minibatch-size",
        "64",
    ]
    assert main(["train", "leo", "GC-Gridworld-v0", *flags, "--run-dir", str(run)]) == 0
    path = folder / "leo.json"
    result = gc_envs.evaluate_suite([str(run)], "quick", json=path)
    assert summarize(result).names("done") == ["Gridworld"]
    shutil.copytree(run, folder / "leo" / "grid")
    assert main(["leaderboard", "build", str(folder)]) == 0
    assert main(["leaderboard", "check", str(folder)]) == 0
    assert "leo.json: accepted; evaluated again: Gridworld" in capsys.readouterr().out
    claimed = rate_member(entry_named("Gridworld"), 1.0, "grid")
    save(with_task(result, "Gridworld", members=[claimed]), folder)
    assert main(["leaderboard", "build", str(folder)]) == 0
    assert main(["leaderboard", "check", str(folder), "--no-rerun"]) == 0
    assert main(["leaderboard", "check", str(folder)]) == 2
    assert "grid has 107 successes in 107 episodes, and evaluated again it has" in capsys.readouterr().out
