"""Changes to the losses of Stable-Baselines3, which ride on what its networks return: no training loop is copied."""

from typing import Any

import torch

Tensor = torch.Tensor


def attach_loss(value: Tensor, loss: Tensor) -> Tensor:
    """`value` as it is; any backward pass that goes through it also goes through `loss` [], with weight 1."""
    return _AttachLoss.apply(value, loss)


def penalize_actions(actor: torch.nn.Module, weight: float) -> None:
    """Add `weight` times the mean squared action to the loss of `actor`, DDPG's or TD3's, from now on.

    It keeps actions off the ends of their range, where the hyperbolic tangent that bounds them is flat and nothing is
    learned any more. The code of "Hindsight Experience Replay" (arXiv 1707.01495, appendix) has it with a weight of 1.
    """

    def add(module: torch.nn.Module, inputs: tuple[Any, ...], action: Tensor) -> Tensor:
        return attach_loss(action, weight * action.square().mean()) if torch.is_grad_enabled() else action

    actor.register_forward_hook(add)


def clip_values(critic: torch.nn.Module, low: float, high: float) -> None:
    """Clip what `critic`, of DDPG or TD3, returns to low .. high from now on.

    Of a target network this keeps the values that others are learned from within what returns can be: where an actor
    leads its critic beyond that, the error would feed itself. The code of "Hindsight Experience Replay" (arXiv
    1707.01495, appendix) does so.
    """

    def clip(module: torch.nn.Module, inputs: tuple[Any, ...], values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.clamp(low, high) for value in values)

    critic.register_forward_hook(clip)


def check_weight(name: str, weight: float) -> None:
    """ValueError for a negative weight of a loss term, or one that is no number."""
    if not weight >= 0:
        raise ValueError(f"{name} must be at least 0, got {weight}")


class _AttachLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, loss: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return gradient, gradient.new_ones(())
