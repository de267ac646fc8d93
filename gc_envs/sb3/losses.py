"""Loss terms for Stable-Baselines3's algorithms, added to the outputs of their networks: no training loop is copied."""

from typing import Any

import torch

Tensor = torch.Tensor


def attach_loss(value: Tensor, loss: Tensor) -> Tensor:
    """Return `value` unchanged; every backward pass through the result also adds the gradient of `loss` [].

    The gradient of `loss` is added with weight 1, whatever is computed from the result.
    """
    return _AttachLoss.apply(value, loss)


def penalize_actions(actor: torch.nn.Module, weight: float) -> None:
    """Add `weight` times the mean squared action to the loss of `actor` (of DDPG or TD3) from now on.

    The term keeps actions away from the ends of their range, where the hyperbolic tangent that bounds them is flat and
    its gradient vanishes. The code of "Hindsight Experience Replay" (arXiv 1707.01495, appendix) has it with weight 1.
    """

    def add(module: torch.nn.Module, inputs: tuple[Any, ...], action: Tensor) -> Tensor:
        return attach_loss(action, weight * action.square().mean()) if torch.is_grad_enabled() else action

    actor.register_forward_hook(add)


def clip_values(critic: torch.nn.Module, low: float, high: float) -> None:
    """Clip the values that `critic` (of DDPG or TD3) returns to [`low`, `high`] from now on.

    On a target network this keeps the targets within the range of possible returns: without it, an actor that drives
    its critic beyond that range feeds the error back into the targets. The code of "Hindsight Experience Replay" (arXiv
    1707.01495, appendix) does so.
    """

    def clip(module: torch.nn.Module, inputs: tuple[Any, ...], values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.clamp(low, high) for value in values)

    critic.register_forward_hook(clip)


def check_share(name: str, share: float) -> None:
    """Raise ValueError if a probability is outside [0, 1]."""
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {share}")


def check_weight(name: str, weight: float) -> None:
    """Raise ValueError if the weight of a loss term is negative or not a number."""
    if not weight >= 0:
        raise ValueError(f"{name} must be at least 0, got {weight}")


class _AttachLoss(torch.autograd.Function):
    """Identity of its first input, whose backward pass gives the second input a gradient of 1."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, loss: Tensor) -> Tensor:
        """Return a view of `value`."""
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return `gradient` for the value and 1 for the loss."""
        return gradient, gradient.new_ones(())
