"""PPO's losses, by hand."""

import jax
import numpy as np
import pytest

from gc_envs.agents.losses import clipped_surrogate, clipped_value_loss


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "slope"),
    [
        (1.0, 2.0, 2.0, 2.0),
        (1.1, 2.0, 2.2, 2.2),
        (1.5, 2.0, 2.4, 0.0),  # more likely than 1.2 brings nothing more
        (0.5, 2.0, 1.0, 1.0),  # a good action that has become unlikely: pulled back without a bound
        (0.5, -2.0, -1.6, 0.0),
        (1.5, -2.0, -3.0, -3.0),
    ],
)
def test_clipped_surrogate_by_hand(ratio, advantage, objective, slope):
    """The slope is with respect to the log-probability."""
    old = np.float32([-0.7])
    loss = lambda log_prob: clipped_surrogate(log_prob, old, np.float32([advantage]), 0.2)  # noqa: E731
    value, gradient = jax.value_and_grad(loss)(old + np.log(np.float32([ratio])))
    np.testing.assert_allclose((-value, -gradient[0]), (objective, slope), rtol=1e-5)


def test_clipped_surrogate_is_a_mean():
    ratio, advantage = np.float32([1, 1.5, 0.5]), np.float32([1, 2, -2])
    loss = clipped_surrogate(np.log(ratio), np.zeros(3, np.float32), advantage, 0.2)
    np.testing.assert_allclose(loss, -(1 + 2.4 - 1.6) / 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "target", "loss", "slope"),
    [
        (0.5, 0.6, 0.005, -0.1),
        (0.9, 0.8, 0.5 * 0.1**2, 0.0),  # clipped to .7, which is as far from .8
        (0.9, 1.0, 0.5 * 0.3**2, 0.0),  # more than .2 nearer: nothing more to gain
        (0.1, 1.0, 0.5 * 0.9**2, -0.9),  # has moved away: the larger error counts
    ],
)
def test_clipped_value_loss_by_hand(value, target, loss, slope):
    """The old value is 0.5, the clip 0.2."""
    function = lambda value: clipped_value_loss(value, np.float32([0.5]), np.float32([target]), 0.2)  # noqa: E731
    found, gradient = jax.value_and_grad(function)(np.float32([value]))
    np.testing.assert_allclose(found, loss, rtol=1e-5)
    if (value, target) != (0.9, 0.8):  # where both errors are equal the slope has no one value
        np.testing.assert_allclose(gradient[0], slope, rtol=1e-5)
