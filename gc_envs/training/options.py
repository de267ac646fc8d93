"""What happens beside training; none of it changes what is learned."""

from dataclasses import dataclass

CHECKPOINTS = 20  # at least this many over a run of any length


@dataclass(frozen=True)
class TrainOptions:
    """Evaluations and logs of a training run."""

    evaluations: int = 5
    """Evaluations during the run, evenly spaced, the last of them at its end."""

    eval_episodes: int = 1
    """Episodes per goal in each evaluation. Where goals are sampled, an evaluation has 100 times as many episodes."""

    tensorboard: bool = False
    """Whether to also write TensorBoard events into the run folder."""

    wandb: bool = False
    """Whether to also record the run with Weights & Biases."""

    wandb_project: str | None = None
    """Project on Weights & Biases; by default that of the variable WANDB_PROJECT, or else gc-envs."""

    wandb_name: str | None = None
    """Name of the run on Weights & Biases; by default that of WANDB_NAME, or else of the run folder."""

    def milestones(self, total_steps: int) -> tuple[list[int], list[int]]:
        """Return the steps to evaluate at and the steps to save at, ascending; the former are among the latter."""
        evaluate = {round(i * total_steps / self.evaluations) for i in range(1, self.evaluations + 1)}
        every = max(1, total_steps // CHECKPOINTS)
        save = {*range(every, total_steps + 1, every), *evaluate, total_steps}
        return sorted(evaluate), sorted(save)
