"""Which runs go on together, by the steps of their checkpoints."""

import numpy as np
import pytest
from tiny_run import flip

from gc_envs.training.checkpoint import RunError, save_checkpoint
from gc_envs.training.run_dir import RunDir
from gc_envs.training.together import group_by_step


@pytest.fixture
def runs(tmp_path):
    """A function that makes runs with checkpoints of these steps."""

    def make(*steps):
        made = [RunDir(tmp_path / f"seed-{i}", "", "", {}, {}) for i in range(len(steps))]
        for run, saved in zip(made, steps, strict=True):
            for step in saved:
                save_checkpoint(run.checkpoints, step, {"step": np.int64(step)})
        return made

    return make


def groups(runs):
    return [(group.step, [run.folder.name for run in group.runs]) for group in group_by_step(runs)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([()], [(0, ["seed-0"])]),
        ([(10, 20)], [(20, ["seed-0"])]),
        ([(), ()], [(0, ["seed-0", "seed-1"])]),
        ([(10, 20), (10, 20)], [(20, ["seed-0", "seed-1"])]),
    ],
)
def test_runs_that_were_stopped_together_go_on_together(runs, capsys, steps, expected):
    assert groups(runs(*steps)) == expected
    assert not capsys.readouterr().err


def test_a_kill_between_two_checkpoints_of_a_step_goes_back_to_the_one_before(runs, capsys):
    assert groups(runs((10, 20), (10, 20), (5, 10))) == [(10, ["seed-0", "seed-1", "seed-2"])]
    assert capsys.readouterr().err == (
        "going back to the checkpoints of step 10, the newest that all of these 3 runs have, "
        "from seed-0 of step 20, seed-1 of step 20\n"
    )


def test_a_damaged_checkpoint_is_not_counted(runs):
    made = runs((10, 20), (10, 20))
    flip(made[0].checkpoints / "step_000000020" / "state.safetensors", 0.9)
    assert groups(made) == [(10, ["seed-0", "seed-1"])]
    flip(made[0].checkpoints / "step_000000010" / "state.safetensors", 0.9)
    with pytest.raises(RunError, match="seed-0.*is damaged.*no other checkpoint can be used"):
        group_by_step(made)


def test_runs_without_a_common_step_are_several_groups_the_largest_first(runs, capsys):
    assert groups(runs((30, 40), (), (10, 20), (10, 20), ())) == [
        (20, ["seed-2", "seed-3"]), (0, ["seed-1", "seed-4"]), (40, ["seed-0"]),
    ]  # fmt: skip
    assert not capsys.readouterr().err
