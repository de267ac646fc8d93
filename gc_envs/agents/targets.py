"""Bootstrap targets as pure functions. Letters: T steps, N environments, G goals, `...` any axes."""

import jax
import jax.numpy as jnp

Array = jax.Array


def td_target(reward: Array, done: Array, next_value: Array, gamma: float) -> Array:
    """Return `reward + gamma * next_value`, float32 [...], with nothing bootstrapped where `done`.

    Args:
        reward: Reward of the step, [...].
        done: Whether the return ends with the step, [...] bool.
        next_value: Value of the state reached, [...]; read only where not `done`.
        gamma: Discount per step.
    """
    return reward.astype(jnp.float32) + gamma * jnp.where(done, 0.0, next_value)


def all_goals_target(achieved: Array, done: Array, next_value: Array, gamma: float, td_lambda: float = 0.0) -> Array:
    """Return the target of every goal, float32 [T, N, G] (arXiv 2605.23551, section 4, where `td_lambda` is 0).

    Reaching goal g pays 1 and ends the task with respect to g, whichever goal was desired. So nothing is bootstrapped
    where g holds or the episode ended. With `td_lambda` above 0, what follows a step counts for g although it may have
    been done for another goal: Peng's Q(lambda), which carries rewards back over many steps at the price of that bias
    (arXiv 2103.00107).

    Args:
        achieved: Goals that hold in the state reached, [T, N, G] bool.
        done: Whether the episode ended there, [T, N] bool.
        next_value: Value of every goal in the state reached, [T, N, G].
        gamma: Discount per step.
        td_lambda: Weight of the return that follows, against the value of the state reached.
    """
    return lambda_returns(achieved, achieved | done[..., None], next_value, gamma, td_lambda)


def lambda_returns(reward: Array, done: Array, next_value: Array, gamma: float, td_lambda: float) -> Array:
    """Return the lambda return of every step, float32 [T, ...] (PQN, arXiv 2407.04811, section 3).

    With `td_lambda` 0 it is `td_target`; with 1 it is the discounted return, bootstrapped after the last step.

    Args:
        reward: Rewards, [T, ...].
        done: Whether the return ends with the step, [T, ...] bool.
        next_value: Value of the state reached, [T, ...]; read only where not `done`.
        gamma: Discount per step.
        td_lambda: Weight of the return that follows, against the value of the state reached.
    """

    def step(following: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        reward, done, next_value = inputs
        following = td_target(reward, done, next_value + td_lambda * (following - next_value), gamma)
        return following, following

    return jax.lax.scan(step, next_value[-1], (reward, done, next_value), reverse=True)[1]


def gae(reward: Array, done: Array, value: Array, next_value: Array, gamma: float, gae_lambda: float) -> Array:
    """Return generalised advantage estimates, float32 [T, ...] (arXiv 1506.02438, equation 16).

    Args:
        reward: Rewards, [T, ...].
        done: Whether the return ends with the step, [T, ...] bool.
        value: Value of the state in which the action was taken, [T, ...].
        next_value: Value of the state reached, [T, ...]; read only where not `done`.
        gamma: Discount per step.
        gae_lambda: Discount per step of later errors, beside `gamma`.
    """

    def step(following: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        error, done = inputs
        advantage = error + gamma * gae_lambda * jnp.where(done, 0.0, following)
        return advantage, advantage

    errors = td_target(reward, done, next_value, gamma) - value
    return jax.lax.scan(step, jnp.zeros_like(value[0]), (errors, done), reverse=True)[1]


def reached_values(values: Array, last: Array) -> Array:
    """Return the values [T, ...] of the states reached, from those of the states left and of the `last` state [...].

    Where an episode ended, that is the value of the next episode's first state; nothing may be bootstrapped there.
    """
    return jnp.concatenate([values[1:], last[None]])
