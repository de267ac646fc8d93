"""What the agents that come with this package do on their task of the standard suite, as recorded beside them."""

import dataclasses
from dataclasses import dataclass

import msgspec

from gc_envs.suite.member_paths import paths_by_task
from gc_envs.suite.members import PolicySource
from gc_envs.suite.result import SeedResult, write_json
from gc_envs.suite.suites import SuiteEntry, suite_entries
from gc_envs.suite.task import Request, evaluate_task
from gc_envs.training.run_dir import PRETRAINED

SUITE = "standard-v0"


@dataclass(frozen=True)
class PretrainedScore:
    """The episodes of a pretrained agent with the first seed of a task.

    Attributes:
        suite: The name of the suite with its version.
        task: The name of the task.
        result: The counts.
    """

    suite: str
    task: str
    result: SeedResult

    @property
    def entry(self) -> SuiteEntry:
        """The suite's row, with its first seed only."""
        (entry,) = suite_entries(self.suite, [self.task])
        return dataclasses.replace(entry, seeds=entry.seeds[:1])

    @property
    def value(self) -> float:
        """The task's metric."""
        return self.result.value(self.entry.metric)

    def save(self, name: str) -> None:
        """Write the file of the agent called `name`."""
        write_json(dataclasses.asdict(self), PRETRAINED / name / "score.json")


def recorded_score(name: str) -> PretrainedScore:
    """Return what is recorded for the agent called `name`."""
    return msgspec.json.decode((PRETRAINED / name / "score.json").read_bytes(), type=PretrainedScore)


def measure_score(name: str) -> PretrainedScore:
    """Evaluate the agent called `name` on its task.

    Raises:
        ValueError: It is for no task of the suite, or fails; the message says why.
    """
    (task,) = paths_by_task([name], suite_entries(SUITE))
    (entry,) = suite_entries(SUITE, [task])
    source = PolicySource(paths={task: [name]})
    entry = dataclasses.replace(entry, seeds=entry.seeds[:1])
    result = evaluate_task(entry, lambda: source.members(entry), Request(SUITE, source)).result
    if result.error:
        raise ValueError(f"{name} on {task}: {result.error}")
    return PretrainedScore(SUITE, task, result.members[0].seeds[0])
