"""Videos of evaluated episodes, and the commands that record them again."""

import shlex

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tiny_run import train

from gc_envs.cli import main
from gc_envs.evaluation.evaluate import Evaluator
from gc_envs.evaluation.video import record, recording_envs
from gc_envs.registration import make_task
from gc_envs.suite.members import Member, PolicySource, members_of_function
from gc_envs.suite.run import evaluate_suite
from gc_envs.suite.suites import suite_entries
from gc_envs.suite.task import make_evaluator
from gc_envs.suite.videos import (
    MAX_BYTES,
    MAX_FRAMES,
    WIDTH,
    record_videos,
    replay,
    replay_command,
    save_small_gif,
    spread,
)

(GRID,) = suite_entries("quick-v0", ["Gridworld"])
(SEEK,) = suite_entries("quick-v0", ["ContinuousSeek-5"])


def always_up(observation):
    return np.zeros(len(observation["observation"]), int)


def to_the_goal(observation):
    return np.clip(observation["desired_goal"] - observation["achieved_goal"], -1, 1)


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory):
    """A run folder of the suite's Gridworld."""
    folder = tmp_path_factory.mktemp("runs") / "grid"
    assert train(folder, env_kwargs="size=12") == 0
    return folder


def test_an_episode_is_recorded_as_the_evaluation_ran_it():
    evaluator = make_evaluator(GRID, Member("up", always_up))
    episodes = evaluator.run(always_up, seed=0)
    assert 0 < episodes.ever.sum() < len(episodes.ever)  # up the column of the start
    envs = recording_envs(make_task(GRID.env_id), 1, GRID.max_steps)
    seeds = evaluator.episode_seeds(0)
    indices = [*np.flatnonzero(episodes.ever), *np.flatnonzero(~episodes.ever)[:3]]
    recorded = [record(always_up, envs, [evaluator.goals[i]], [seeds[i]])[0] for i in indices]
    assert [one.success for one in recorded] == episodes.ever[indices].tolist()
    assert len(recorded[-1].frames) == GRID.max_steps + 1
    assert len(recorded[0].frames) <= 12


def test_frames_are_thinned_evenly_and_the_last_one_is_kept():
    envs = recording_envs(make_task("GC-Gridworld-v0"), 1, 50)
    far = envs.goals.names[-1]
    whole, thin = (record(always_up, envs, [far], [3], most)[0].frames for most in (1000, 10))
    assert len(whole) == 51
    kept = [0, 8, 16, 24, 32, 40, 48, 50]
    assert len(thin) == len(kept)
    assert all(np.array_equal(frame, whole[i]) for frame, i in zip(thin, kept, strict=True))


def test_videos_are_small_and_spread_over_successes_and_failures(tmp_path):
    member = Member("my_module:make", always_up)
    evaluator = make_evaluator(GRID, member)
    episodes = evaluator.run(always_up, 0)
    videos = record_videos(GRID, member, evaluator, episodes, 2, tmp_path / "up.videos")
    assert [video.success for video in videos] == [True, True, False, False]
    names = evaluator.goal_names
    failed = np.flatnonzero(~episodes.ever)
    expected = [failed[len(failed) // 4], failed[len(failed) * 3 // 4]]
    assert [video.goal for video in videos[2:]] == [names[i] for i in expected]
    assert [video.seed for video in videos[2:]] == [evaluator.episode_seeds(0)[i] for i in expected]
    for video in videos:
        path = tmp_path / video.file
        with Image.open(path) as image:
            assert image.width == WIDTH
            assert image.n_frames <= MAX_FRAMES + 1
            assert image.info["comment"].decode() == video.command
        assert path.stat().st_size <= MAX_BYTES
    assert spread(np.array([4, 9]), 3) == [4, 9]
    assert spread(np.array([], int), 3) == []


def test_frames_are_dropped_until_a_video_is_small_enough_but_not_the_last(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (40, 160, 3), np.uint8) for _ in range(40)]
    noise[-1][:] = (200, 30, 30)
    with Image.open(save_small_gif(noise, tmp_path / "x.gif")) as image:
        assert 8 <= image.n_frames < 20
        image.seek(image.n_frames - 1)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - (200, 30, 30)).max() < 12
    assert (tmp_path / "x.gif").stat().st_size <= MAX_BYTES


def test_the_command_of_a_video_records_the_same_episode_again(grid_run, tmp_path, capsys):
    result = evaluate_suite([str(grid_run)], "quick", tasks=["Gridworld"], json=tmp_path / "a.json", videos=1, jobs=1)
    videos = result.tasks["Gridworld"].videos
    assert [video.success for video in videos] == [True, False]
    for video in videos:
        words = shlex.split(video.command)
        assert words[:2] == ["gc-envs", "render"]
        again = tmp_path / "again.gif"
        assert main([*words[1:], "--out", str(again)]) == 0
        assert f"reached: {'yes' if video.success else 'no'}" in capsys.readouterr().out
        source = PolicySource(paths={"Gridworld": [str(grid_run)]})
        (recording,) = replay(source, "quick-v0", "Gridworld", [video.goal], video.seed)
        save_small_gif(recording.frames, tmp_path / "same.gif", video.command)
        assert (tmp_path / "same.gif").read_bytes() == (tmp_path / video.file).read_bytes()
        with Image.open(again) as image:  # frames that are equal are one that is shown for longer
            shown = sum(frame.info["duration"] for frame in ImageSequence.Iterator(image))
        assert shown == 100 * (len(recording.frames) - 1) + 1000


def test_policies_of_functions_are_recorded_again_by_their_name_or_by_a_call(tmp_path, monkeypatch, capsys):
    (tmp_path / "seeker.py").write_text(
        "import numpy as np\n"
        "def make(*spaces):\n"
        "    return lambda o: np.clip(o['desired_goal'] - o['achieved_goal'], -1, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    command = replay_command(SEEK, Member("seeker:make", None), None, 7)
    assert command == "gc-envs render --policy seeker:make --suite quick-v0 --task ContinuousSeek-5 --seed 7"
    assert main([*shlex.split(command)[1:], "--out", str(tmp_path / "x.gif")]) == 0
    assert "reached: yes" in capsys.readouterr().out

    def make_policy(*spaces):
        return to_the_goal

    (member,) = members_of_function(make_policy, SEEK, "make_policy")
    call = replay_command(SEEK, member, None, 7)
    assert call == "gc_envs.suite.videos.replay(make_policy, 'quick-v0', 'ContinuousSeek-5', [], seed=7)"
    (recording,) = replay(make_policy, "quick-v0", "ContinuousSeek-5", [], seed=7)
    evaluator = Evaluator(SEEK.env_id, episodes=1, max_steps=SEEK.max_steps, env_kwargs=SEEK.env_kwargs)
    assert recording.success
    assert bool(evaluator.run(to_the_goal, 0).ever[0])
    with pytest.raises(ValueError, match="the agent has no policy for ContinuousSeek-5"):
        replay(lambda *spaces: None, "quick-v0", "ContinuousSeek-5")


def test_policies_with_a_memory_are_told_when_an_episode_begins():
    masks = []

    class Remembering:
        def act(self, observation):
            return always_up(observation)

        def reset(self, mask):
            masks.append(mask.tolist())

    envs = recording_envs(make_task("GC-Gridworld-v0"), 2, 3)
    record(Remembering(), envs, None, [1, 2])
    record(Remembering(), envs, None, [3, 4])
    assert masks == [[True, True]] * 2


def test_what_cannot_be_rendered_is_evaluated_all_the_same(tmp_path, monkeypatch):
    member = Member("up", always_up)
    evaluator = make_evaluator(GRID, member)
    episodes = evaluator.run(always_up, 0)

    def no_screen(*args):
        raise OSError("no OpenGL here")

    monkeypatch.setattr(type(evaluator.envs), "render", no_screen)
    with pytest.warns(UserWarning, match="Gridworld: no video: OSError: no OpenGL here"):
        assert record_videos(GRID, member, evaluator, episodes, 1, tmp_path) == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--suite", "quick"], "an episode of a suite needs --suite, --task, and either RUN or --policy"),
        (["--suite", "quick", "--task", "Gridworld"], "either RUN or --policy"),
        (["--policy", "a:b"], "needs --suite"),
        (["--suite", "quick", "--task", "Grid", "--policy", "a:b"], "quick-v0 has no task 'Grid'"),
        (["--suite", "quick", "--task", "Gridworld", "--policy", "a:b", "--fps", "3"], "are those of the suite's task"),
    ],
)
def test_render_says_in_one_line_what_an_episode_of_a_suite_needs(words, error, capsys):
    assert main(["render", *words]) == 2
    stderr = capsys.readouterr().err
    assert error in stderr
    assert stderr.count("\n") == 1
