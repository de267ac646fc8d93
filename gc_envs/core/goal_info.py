"""What environments say about states and goals: Gymnasium's goal dictionary, and the info dictionary.

This is array-API code with any leading batch axes `...`. Letters: G goals in the all-goals set, D numbers in a desired
goal, d in an achieved goal.
"""

from typing import Any

from gc_envs.core.arrays import Array, array_namespace
from gc_envs.core.episode import Episode
from gc_envs.core.goals import GoalSpace


def goal_observation(goals: GoalSpace, observation: Any, achieved: Array, desired: Array) -> dict[str, Any]:
    """Return Gymnasium's goal dictionary.

    Args:
        goals: The goal space.
        observation: What the task observes, [...] on every leaf.
        achieved: What the states achieve, [..., d].
        desired: The desired goals, [..., D].
    """
    return {"observation": observation, "achieved_goal": goals.achieved_goal(achieved), "desired_goal": desired}


def goal_info(
    goals: GoalSpace,
    achieved: Array,
    episode: Episode,
    *,
    success: Array,
    terminal: Array,
    diverged: Array,
    all_goals_info: bool,
) -> dict[str, Any]:
    """Return the info dictionary about states that achieve `achieved` [..., d].

    Args:
        goals: The goal space.
        achieved: What the states achieve, [..., d].
        episode: The episodes that the states are in.
        success: What to report under "is_success", bool [...].
        terminal: Whether the states end the episode whatever the goal, bool [...].
        diverged: Whether the step that led here could not be taken, bool [...].
        all_goals_info: Whether to add "all_goals".

    Returns:
        `is_success`, `terminal` and `diverged` bool [...], `goal` int32 [...] (the index of the desired goal, -1 if it
        is not in the set), and `all_goals` if it was asked for.
    """
    xp = array_namespace(episode.goal)
    goal = xp.astype(episode.goal, xp.int32)  # a copy, which callers may write to
    info = {"is_success": success, "terminal": terminal, "diverged": diverged, "goal": goal}
    if all_goals_info:
        info["all_goals"] = all_goals(goals, achieved, episode.desired)
    return info


def all_goals(goals: GoalSpace, achieved: Array, desired: Array) -> dict[str, Array]:
    """Return what every goal of the set says about states: `achieved` bool and `reward` float32, [..., G] each."""
    held, reward = goals.evaluate_all(achieved, desired)
    return {"achieved": held, "reward": reward}
