"""One task of a suite, evaluated in a process of its own: `python -m gc_envs.suite.task FOLDER TASK`.

FOLDER holds request.json; the result is written beside it as TASK.json. While it runs, every line of the output is
"DONE TOTAL", the number of episodes.
"""

import dataclasses
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np

from gc_envs.compile_cache import use_compile_cache
from gc_envs.core.goal_env_mixin import check_actions
from gc_envs.evaluation.acting import as_policy
from gc_envs.evaluation.evaluate import Episodes, Evaluator, ProgressCallback
from gc_envs.suite.members import Member, PolicySource
from gc_envs.suite.result import MemberResult, SeedResult, TaskResult, Video, write_json
from gc_envs.suite.suites import SuiteEntry, suite_entries
from gc_envs.suite.videos import record_videos


class PolicyError(ValueError):
    """A policy raised an error, or returned what are no actions."""


@dataclass(frozen=True)
class Request:
    """What is to be evaluated.

    Attributes:
        suite: The name of the suite with its version.
        source: The agent.
        time_limit: The seconds that a task may take; None for as many as it needs.
        videos: How many successful and how many failed episodes of each task to record.
        video_folder: Where they go.
    """

    suite: str
    source: PolicySource
    time_limit: float | None = None
    videos: int = 0
    video_folder: str | None = None


@dataclass(frozen=True)
class Part:
    """The result of one task, and the seconds that it took."""

    result: TaskResult
    seconds: float


def evaluate_task(
    entry: SuiteEntry,
    members: Callable[[], Sequence[Member]],
    request: Request,
    on_step: ProgressCallback | None = None,
) -> Part:
    """Evaluate an agent on one task. Errors of its policies are part of the result; they are not raised.

    Args:
        entry: The suite's row.
        members: What returns the agent's policies for the task.
        request: What was asked for.
        on_step: Called with (episodes finished, episodes in total) after every step.
    """
    start = time.monotonic()
    try:
        found = list(members())
        result = _run_members(entry, found, request, _Clock(start, request.time_limit, on_step))
    except Exception as error:
        if os.environ.get("GC_ENVS_TRACEBACK"):
            traceback.print_exc()
        result = TaskResult.of(entry, "failed", error=_one_line(error))
    return Part(result, round(time.monotonic() - start, 2))


@dataclass
class _Clock:
    """Hands progress on, and stops an evaluation that takes too long."""

    start: float
    time_limit: float | None
    on_step: ProgressCallback | None
    finished: int = 0  # episodes of members and seeds before
    total: int = 1

    def __call__(self, done: int, _: int) -> None:
        if self.time_limit is not None and time.monotonic() - self.start > self.time_limit:
            raise TimeoutError(time_limit_error(self.time_limit))
        if self.on_step is not None:
            self.on_step(self.finished + done, self.total)


def time_limit_error(seconds: float) -> str:
    """Return the words for a task that was stopped."""
    return f"stopped after its time limit of {seconds:g} s; --time-limit gives it more"


def _run_members(entry: SuiteEntry, members: Sequence[Member], request: Request, clock: _Clock) -> TaskResult:
    """Return the result of all members."""
    results: list[MemberResult] = []
    videos: list[Video] = []
    goals: list[str] = []
    evaluators: dict[str, Evaluator] = {}  # members that choose the same arguments share environments
    for member in members:
        seen_as = repr(member.env_kwargs)
        if seen_as not in evaluators:
            evaluators[seen_as] = make_evaluator(entry, member)
        evaluator = evaluators[seen_as]
        clock.total = len(evaluator.goals) * len(entry.seeds) * len(members)
        policy, goals = CheckedPolicy(member.policy, evaluator.envs.action_space), evaluator.goal_names
        episodes = []
        for seed in entry.seeds:
            episodes.append(evaluator.run(policy, seed, clock))
            clock.finished += len(evaluator.goals)
        seeds = [_seed_result(entry, evaluator, seed, one) for seed, one in zip(entry.seeds, episodes, strict=True)]
        results.append(MemberResult(member.name, seeds, member.training))
        if request.videos and request.video_folder:
            videos += record_videos(entry, member, evaluator, episodes[0], request.videos, Path(request.video_folder))
    return TaskResult.of(entry, "done" if members else "cannot", goals=goals, members=results, videos=videos)


def _seed_result(entry: SuiteEntry, evaluator: Evaluator, seed: int, episodes: Episodes) -> SeedResult:
    """Return the counts of the episodes of a seed."""
    return SeedResult(
        seed=seed,
        success=float(episodes.ever.mean()),
        success_last=float(episodes.last.mean()),
        mean_return=float(episodes.returns.mean()),
        successes=evaluator.successes(episodes).tolist(),
        returns=episodes.returns.tolist() if entry.metric == "return" else [],
    )


def make_evaluator(entry: SuiteEntry, member: Member) -> Evaluator:
    """Return the environments of a task as a member asks to be shown them."""
    return Evaluator(
        entry.env_id, episodes_per_goal=entry.episodes, episodes=entry.episodes, max_steps=entry.max_steps,
        env_kwargs={**entry.env_kwargs, **member.env_kwargs},
    )  # fmt: skip


class CheckedPolicy:
    """A policy whose actions are checked, and whose errors say that they are its own.

    Args:
        policy: What `evaluate` takes.
        space: The action space of the vector environment.
    """

    def __init__(self, policy: Any, space: gymnasium.Space[Any]) -> None:
        self.policy, self.space = as_policy(policy), space

    def reset(self, mask: np.ndarray) -> None:
        """Tell the policy in which environments a new episode begins, bool [N].

        Raises:
            PolicyError: The policy raises an error.
        """
        with _errors_of_policy():
            self.policy.reset(mask)

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Return actions [N, ...].

        Raises:
            PolicyError: The policy raises an error, or what it returns has a wrong shape or type or is not finite.
        """
        with _errors_of_policy():
            actions = np.asarray(self.policy.act(observation))
        try:
            if actions.dtype.kind not in "iuf":
                raise ValueError(f"actions are numbers, got {actions.dtype}")
            if not np.isfinite(actions).all():
                raise ValueError("an action is NaN or infinite")
            check_actions(self.space, actions)
        except ValueError as error:
            raise PolicyError(f"the policy returns what are no actions: {error}") from error
        return actions


@contextmanager
def _errors_of_policy() -> Iterator[None]:
    """Raise errors as `PolicyError` in this context."""
    try:
        yield
    except Exception as error:
        raise PolicyError(f"the policy raises {type(error).__name__}: {error}{_where(error)}") from error


def _where(error: BaseException) -> str:
    """Return the line of code that raised an error, in words."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _one_line(error: BaseException) -> str:
    """Return an error as one line; errors that are not ours are named."""
    known = isinstance(error, (PolicyError, TimeoutError, ValueError, ImportError, OSError))
    text = str(error) if known else f"{type(error).__name__}: {error}{_where(error)}"
    return " ".join(text.split()) or type(error).__name__


def main(folder: str, name: str) -> None:
    """Evaluate the task called `name` of the request in `folder`."""
    use_compile_cache()
    sys.path.append(os.getcwd())  # for policies such as my_module:make_policy
    request = msgspec.json.decode((Path(folder) / "request.json").read_bytes(), type=Request)
    (entry,) = suite_entries(request.suite, [name])
    printed = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal printed
        if done == total or time.monotonic() - printed > 0.5:
            printed = time.monotonic()
            print(done, total, flush=True)

    part = evaluate_task(entry, lambda: request.source.members(entry), request, progress)
    write_json(dataclasses.asdict(part), Path(folder) / f"{name}.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
