"""Distributions of actions, by hand."""

import jax
import numpy as np

from gc_envs.agents.distributions import categorical_entropy, categorical_log_prob

PROBABILITIES = np.float32([[0.5, 0.25, 0.25], [0.1, 0.9, 0.0]])
LOGITS = np.log(np.maximum(PROBABILITIES, 1e-30)) + np.float32([[3], [-2]])  # a constant more changes nothing


def test_log_probability_and_entropy_by_hand():
    np.testing.assert_allclose(categorical_log_prob(LOGITS, np.array([2, 1])), np.log([0.25, 0.9]), rtol=1e-5)
    np.testing.assert_allclose(
        categorical_entropy(LOGITS), [1.5 * np.log(2), -0.1 * np.log(0.1) - 0.9 * np.log(0.9)], rtol=1e-5
    )
    np.testing.assert_allclose(categorical_entropy(np.zeros((2, 3, 4))), np.full((2, 3), np.log(4)), rtol=1e-6)


def test_large_logits_overflow_nowhere():
    logits = np.float32([1e4, -1e4, 0])
    assert categorical_log_prob(logits, np.array(1)) == -2e4
    assert categorical_entropy(logits) == 0
    assert np.isfinite(jax.grad(categorical_entropy)(logits)).all()
