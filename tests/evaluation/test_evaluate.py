"""Evaluation of policies whose success is known."""

import json
from collections import deque

import numpy as np
import pytest
from probes import ChainTask

import gc_envs
from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.evaluation import format_table, save_json
from gc_envs.evaluation.acting import as_policy
from gc_envs.evaluation.evaluate import _run_episodes, evaluate
from gc_envs.gridworld.task import MOVES

ID = "GC-Gridworld-v0"
KEYS = {
    "env_id", "success", "success_last", "return", "ci95", "per_goal", "episodes", "max_steps", "seed", "env_kwargs"
}  # fmt: skip


def left(observation):
    return np.zeros(len(observation["observation"]), int)


@pytest.fixture(scope="module")
def shortest(grid_task):
    """The optimal policy, and the number of moves from the start to each goal [G]."""
    cells = [tuple(cell) for cell in grid_task.cells.tolist()]
    table, length = {}, {}
    for goal in cells:
        waiting, table[goal, goal], length[goal, goal] = deque([goal]), 0, 0
        while waiting:
            here = waiting.popleft()
            for action, move in enumerate(MOVES.tolist()):
                before = (here[0] - move[0], here[1] - move[1])
                if before in cells and (before, goal) not in table:
                    table[before, goal], length[before, goal] = action, length[here, goal] + 1
                    waiting.append(before)

    def policy(observation):
        here = [tuple(cell) for cell in observation["observation"].astype(int).tolist()]
        goal = [cells[index] for index in observation["desired_goal"].argmax(-1)]
        return np.array([table[pair] for pair in zip(here, goal, strict=True)])

    return policy, np.array([length[(2, 2), cell] for cell in cells])


def grid(policy, **kwargs):
    return evaluate(policy, ID, env_kwargs={"size": 5} | kwargs.pop("env_kwargs", {}), **kwargs)


def test_the_optimal_policy_reaches_every_goal(shortest, grid_task):
    policy, length = shortest
    result = grid(policy, episodes_per_goal=2)
    assert set(result) == KEYS
    far = length > 0  # the start is never left by "stay", but there is no such action
    assert np.array(list(result["per_goal"].values()))[far].tolist() == [1.0] * far.sum()
    assert list(result["per_goal"]) == list(grid_task.goals.names)
    assert result["episodes"] == 2 * grid_task.goals.num_goals
    assert result["max_steps"] == 200
    assert result["env_kwargs"] == {"size": 5}


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_goal_reached_on_the_last_step_counts_and_one_step_later_does_not(shortest, grid_task, steps):
    policy, length = shortest
    result = grid(policy, max_steps=steps)
    for name, moves in zip(grid_task.goals.names, length, strict=True):
        if moves > 0:
            assert result["per_goal"][name] == float(moves <= steps), name
    assert result["max_steps"] == steps


def passed_going_left(task):
    """The cells that always going left visits after its first step."""
    row, column = 2, 2
    cells = []
    while column > 0 and not task.walls[row, column - 1]:
        column -= 1
        cells.append(f"position/{row}-{column}")
    return cells or [f"position/{row}-{column}"]


def test_always_left_by_hand(grid_task):
    passed = passed_going_left(grid_task)
    goals = grid_task.goals.num_goals
    result = grid(left)
    assert {name for name, rate in result["per_goal"].items() if rate} == set(passed)
    assert result["success"] == result["success_last"] == result["return"] == pytest.approx(len(passed) / goals)


def test_success_at_any_step_and_at_the_last_differ_where_episodes_go_on(grid_task):
    """Going left passes all cells and stays in the last one, which pays on every step after."""
    passed = passed_going_left(grid_task)
    goals, steps = grid_task.goals.num_goals, 6
    result = grid(left, env_kwargs={"on_success": "continue"}, max_steps=steps)
    assert result["success"] == pytest.approx(len(passed) / goals)
    assert result["success_last"] == pytest.approx(1 / goals)
    assert result["return"] == pytest.approx((len(passed) - 1 + steps - len(passed) + 1) / goals)


def test_neither_the_number_of_environments_nor_the_order_changes_the_result(shortest):
    policy, _ = shortest
    results = [grid(policy, episodes_per_goal=3, num_envs=num_envs, max_steps=3) for num_envs in (1, 128)]
    assert results[0] == results[1]


def test_start_states_depend_on_the_episode_only():
    """A task with random starts: the n-th episode is the same in whichever environment it is run."""
    goals, seeds = [0, 1, 2] * 6, list(range(100, 118))
    act = as_policy(lambda observation: (observation["observation"][:, 0] < 1).astype(int))
    outcomes = [
        _run_episodes(act, GoalVectorEnv(ChainTask(horizon=2), num_envs, all_goals_info=False), goals, seeds, None)
        for num_envs in (4, 18)
    ]
    for ours, theirs in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert 0 < outcomes[0][0].mean() < 1


def test_the_seed_decides_what_is_sampled():
    result, again = grid(left, seed=3), grid(left, seed=3)
    assert result == again
    assert grid(left, seed=4)["seed"] == 4


@pytest.mark.parametrize("goals", [["position/2-1", "position/0-2"], [0, 2]])
def test_only_the_chosen_goals_are_tried(grid_task, goals):
    result = grid(left, goals=goals, episodes_per_goal=4)
    assert list(result["per_goal"]) == [g if isinstance(g, str) else grid_task.goals.names[g] for g in goals]
    assert result["episodes"] == 8


def test_agents_may_be_models_objects_or_functions(shortest):
    policy, _ = shortest

    class Model:  # as in Stable-Baselines3
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            assert deterministic
            return policy(observation), state

    class Agent:
        def act(self, observation):
            return policy(observation)

    results = [grid(agent, max_steps=4) for agent in (policy, Model(), Agent())]
    assert results[0] == results[1] == results[2]
    with pytest.raises(TypeError, match="a policy is .* got int"):
        grid(3)


def test_the_interval_holds_the_mean_and_is_no_point_after_few_episodes(grid_task):
    low, high = grid(left)["ci95"]
    assert 0 <= low < grid(left)["success"] < high <= 1
    sure = grid(left, goals=[passed_going_left(grid_task)[0]], episodes_per_goal=100)
    assert sure["success"] == 1.0
    assert sure["ci95"] == pytest.approx((0.963, 1.0), abs=5e-4)  # Wilson's for 100 of 100


def test_the_interval_of_a_deterministic_policy_narrows_with_episodes_per_goal():
    once, twice = (grid(left, episodes_per_goal=n) for n in (1, 2))
    assert 0 < once["success"] == twice["success"] < 1
    assert twice["ci95"][1] - twice["ci95"][0] < 0.4 * (once["ci95"][1] - once["ci95"][0])


def test_results_survive_json(tmp_path):
    result = grid(left)
    save_json(result, tmp_path / "new" / "folder" / "result.json")
    back = json.loads((tmp_path / "new" / "folder" / "result.json").read_text())
    assert back == json.loads(json.dumps(result))
    assert back["per_goal"] == result["per_goal"]
    assert tuple(back["ci95"]) == result["ci95"]


def test_the_table_names_groups_and_what_was_never_reached(grid_task):
    table = format_table(grid(left))
    assert "position" in table
    assert "all goals" in table
    never = grid_task.goals.num_goals - len(passed_going_left(grid_task))
    assert f"never reached ({never}): {grid_task.goals.names[0]}" in table


def test_a_trained_agent_is_evaluated_on_the_environment_it_was_trained_on(finished_run):
    from gc_envs.agents.leo import LEO

    result = gc_envs.evaluate(LEO.load(finished_run), ID)
    assert result["env_kwargs"] == {"size": 5}
    assert result["per_goal"] == json.loads((finished_run / "evaluation.json").read_text())["per_goal"]


def test_progress_is_reported():
    calls = []
    grid(left, on_step=lambda done, total: calls.append((done, total)), max_steps=2)
    assert calls[-1][0] == calls[-1][1] == grid(left, max_steps=2)["episodes"]
    assert calls == sorted(calls)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"episodes_per_goal": 0}, "at least 1"),
        ({"goals": ["position/9-9"]}, "unknown goal"),
        ({"max_steps": 0}, "horizon must be an integer of at least 1"),
        ({"goals": []}, "at least 1"),
    ],
)
def test_what_cannot_be_evaluated_is_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        grid(left, **kwargs)
    with pytest.raises(ValueError, match="unknown environment id"):
        evaluate(left, "GC-Nothing-v0")
