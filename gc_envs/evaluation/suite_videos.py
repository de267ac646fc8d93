"""Videos of evaluated episodes, successful and failed, for reports."""

from pathlib import Path

from gc_envs.evaluation.evaluate import Episodes, Evaluator
from gc_envs.evaluation.members import Member
from gc_envs.evaluation.suite import SuiteEntry
from gc_envs.evaluation.suite_result import Video


def record_videos(
    entry: SuiteEntry, member: Member, evaluator: Evaluator, episodes: Episodes, count: int, folder: Path
) -> list[Video]:
    """Record some of the episodes of a member with the first seed of a task once more.

    Args:
        entry: The suite's row.
        member: The policy.
        evaluator: The environments that it was evaluated in.
        episodes: Its episodes with the first seed.
        count: How many successful and how many failed ones to record.
        folder: Where the GIF files go.
    """
    raise NotImplementedError
