"""Settings that learners have in common."""

import dataclasses
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, TypeVar, get_args, get_origin

T = TypeVar("T")

RANGES = {  # name of a setting, of whatever learner -> its smallest and largest value
    "seed": (0, 2**63 - 1),
    "learning_rate": (0, inf),
    "max_grad_norm": (0, inf),
    "action_noise": (0, inf),
    **dict.fromkeys(("gamma", "tau", "success_forgetting", "td_lambda", "gae_lambda"), (0, 1)),
    **dict.fromkeys(("random_share", "student_share"), (0, 1)),
    **dict.fromkeys(("clip", "entropy_weight", "value_weight", "clone_weight"), (0, inf)),
    **dict.fromkeys(("epsilon_start", "epsilon_end", "epsilon_fraction"), (0, 1)),
    **dict.fromkeys(("exploration_initial", "exploration_final", "exploration_fraction"), (0, 1)),
}


def check_ranges(config: Any) -> None:
    """Raise ValueError for the first setting of a config that is outside its range in `RANGES`."""
    for name, (low, high) in RANGES.items():
        value = getattr(config, name, low)
        if not low <= value <= high:  # nan, too
            raise ValueError(f"{name} must lie in {low}..{high}, got {value}")


def check_divides(name: str, size: int, samples: int) -> None:
    """Raise ValueError if minibatches of `size`, the setting called `name`, do not divide `samples`."""
    if samples % size:
        fits = max(smaller for smaller in range(1, min(samples, size) + 1) if samples % smaller == 0)
        raise ValueError(f"{name}={size} does not divide the {samples} samples of an update; try {fits}")


@dataclass(frozen=True)
class RunConfig:
    """Size and seed of a training run."""

    total_steps: int = 1_000_000
    """Environment steps of the whole run, summed over all environments; rounded down to whole updates."""

    num_envs: int = 64
    """Number of environments that are stepped together. Published LEO and PQN results use 1024."""

    seed: int = 0
    """Seed of all randomness: network initialisation, environments, goals and exploration."""


@dataclass(frozen=True)
class OnPolicyConfig(RunConfig):
    """Settings of learners that collect a rollout, learn from it and discard it."""

    rollout_steps: int = 32
    """Steps that each environment takes between two updates."""

    epochs: int = 2
    """Passes over a rollout in one update."""

    minibatch_size: int = 512
    """Samples in a minibatch; it must divide those of an update: rollout_steps x num_envs environment steps."""

    learning_rate: float = 2e-4
    """Step size of the optimizer at the start of training."""

    anneal_learning_rate: bool = True
    """Whether the learning rate falls linearly to 0 at the end of training."""

    max_grad_norm: float = 1.0
    """Global norm that gradients are clipped to."""

    gamma: float = 0.99
    """Discount per environment step."""

    seen_goals_only: bool = True
    """Whether new goals are sampled only from those that have held at some time in this run, instead of from all."""

    success_forgetting: float = 0.999
    """Factor that the success and failure counts of every goal are multiplied by after each update."""

    width: int = 1024
    """Units in each dense layer."""

    conv_features: int = 32
    """Channels of the 3x3 convolution over the map; unused where observations have no map."""

    one_hot: bool = True
    """Whether integer categories are one-hot encoded. False feeds them as numbers, for observations without a map."""

    def check(self, samples: int) -> None:
        """Raise ValueError for a setting out of its range or a minibatch size that does not divide an update.

        Args:
            samples: What one update learns from in each epoch: environment steps, or pairs of a step and a goal.
        """
        check_ranges(self)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int") and field.name != "seed" and value < 1:
                raise ValueError(f"{field.name} must be at least 1, got {value}")
            if get_origin(field.type) is Literal and value not in get_args(field.type):
                raise ValueError(f"{field.name} must be one of {', '.join(get_args(field.type))}, got {value!r}")
        check_divides("minibatch_size", self.minibatch_size, samples)

    @property
    def schedules(self) -> tuple[str, ...]:
        """The settings, in words, whose course over the run depends on `total_steps`."""
        return ("the learning rate",) if self.anneal_learning_rate else ()

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update, over all environments."""
        return self.rollout_steps * self.num_envs


@dataclass(frozen=True)
class ActionValueConfig(OnPolicyConfig):
    """Settings of learners of action values, which explore by random actions whose share falls linearly."""

    depth: int = 4
    """Number of dense layers before the head."""

    td_lambda: float = 0.0
    """Weight of the return that follows a step, against the value of the state reached: 0 for one-step targets."""

    epsilon_start: float = 0.2
    """Share of random actions at the start of training."""

    epsilon_end: float = 0.01
    """Share of random actions once it has stopped falling."""

    epsilon_fraction: float = 0.2
    """Fraction of the run over which the share of random actions falls linearly."""

    @property
    def schedules(self) -> tuple[str, ...]:
        falls = self.epsilon_start != self.epsilon_end
        return (*super().schedules, *(("the share of random actions",) if falls else ()))


def converted(config: Any, config_class: type[T], **changes: Any) -> T:
    """Return a `config_class` with those settings of `config` that it has too, and `changes`."""
    names = {field.name for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    shared = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.name in names}
    return config_class(**{**shared, **changes})
