"""The contract between the training loop and every kind of learner, JAX or Stable-Baselines3."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from gc_envs.core.task import Task
from gc_envs.training.run_dir import RunDir


class Policy(Protocol):
    """The greedy policy of a trained agent."""

    run: RunDir | None  # the run that it comes from

    @property
    def task(self) -> Task[Any]:
        """The task that it was trained on."""

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        """Return actions [B, ...] for goal-dictionary observations [B, ...], or one action for one observation.

        Raises:
            ValueError: The observation is of another kind than the agent was trained on.
        """


class Trainer(Protocol):
    """Training runs in memory, R of them (most often one) that advance together; `loop.train` drives them.

    The loop first calls `init` or `restore`, and then `advance` until `step` is `total_steps`. Between two calls of
    `advance` nothing is half done, so what `arrays` returns is enough to go on from there.
    """

    total_steps: int
    """Environment steps of a whole run."""

    reports_numbers: bool
    """Whether every metric is a number from the first row on; else losses may be nan until the first update."""

    @property
    def step(self) -> int:
        """Environment steps that each run has taken so far."""

    def init(self) -> None:
        """Make a fresh state, and compile what has to be compiled."""

    def restore(self, arrays: Sequence[dict[str, np.ndarray]], step: int) -> None:
        """Go on from checkpoints of the same step, exactly as the runs that wrote them would have.

        Args:
            arrays: What `arrays` returned for each run when its checkpoint was written, [R].
            step: Environment steps that each run had taken until then.

        Raises:
            RunError: The arrays do not fit the settings of this run.
        """

    def advance(self, until: int) -> Sequence[dict[str, float]] | None:
        """Train for about a second, so that logs, checkpoints and signals get their turn.

        How long a call takes never changes what is learned.

        Args:
            until: Environment steps of a run to stop at, or just past them where they fall inside an update; a call may
                stop earlier. It is larger than `step`, and at most `total_steps`.

        Returns:
            A row of metrics.csv for each run [R], without "step" and "steps_per_s", which the loop adds. All rows have
            the same names, and one of them is "running_success": the share of recent training episodes, exploration
            included, in which the first desired goal was reached at some step; nan or 0 before the first episode has
            ended. None if there is nothing to report yet.
        """

    def arrays(self) -> Sequence[dict[str, np.ndarray]]:
        """Return everything that decides how each run [R] goes on, as named plain arrays."""

    def policies(self) -> Sequence[Policy]:
        """Return the greedy policy of each run [R] at present; it may follow the run when training goes on."""


class TrainableLearner(Protocol):
    """What the rows of `agents.LEARNERS` name: a class that is built as `cls(task, config)`.

    Building it raises ValueError for a task or a setting that cannot be trained with.
    """

    name: ClassVar[str]  # its row in `LEARNERS`
    config_class: ClassVar[type]  # a frozen dataclass; its fields are the flags of the command line, and it has the
    # property `schedules`: the settings, in words, whose course over the run depends on `total_steps`
    takes_compact: ClassVar[bool]  # whether it reads the integer observations made for our own networks
    on_success: ClassVar[str | None]  # what reaching a goal does while it trains; None: what the environment says
    trains_together: ClassVar[bool]  # whether `trainer` takes several runs that differ only in their seed

    task: Task[Any]
    config: Any

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole run."""

    def check_machine(self, devices: int, runs: int = 1) -> None:
        """Raise ValueError if so many runs at once cannot be trained on so many devices, or do not fit their memory."""

    def trainer(self, runs: Sequence[RunDir], devices: int = 1) -> Trainer:
        """Return the learner as runs that have not begun; each says what its seed is, and where its files are."""

    def acting_arrays(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return those of a checkpoint's arrays that are enough for `load`."""

    @classmethod
    def load(cls, run: Path | str) -> Policy:
        """Return the trained agent of a run folder, whole or exported.

        Raises:
            RunError: The folder is not a run, has no checkpoint, is damaged, or holds another kind of agent.
        """
