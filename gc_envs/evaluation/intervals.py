"""Confidence intervals of success rates. Letter: G goals."""

import numpy as np

Z95 = 1.959964  # standard normal quantile of a two-sided 95% interval


def success_interval(successes: np.ndarray, episodes: int) -> tuple[float, float]:
    """Return a 95% interval of the mean success rate over a fixed set of goals.

    The goals are the ones that the result is about, not a sample of goals, so what is uncertain is only how further
    episodes with these goals would end. The interval is Wilson's (Wilson 1927), in which the number of episodes is
    divided by the design effect, as in surveys with strata: the mean variance of an episode within its goal, over the
    variance p (1 - p) of episodes that all had the overall success rate p. Episodes within goals vary at most as much
    (Hoeffding 1956), so the interval is never wider than Wilson's of all episodes, which it is where every goal has
    one episode, or where there are no goals (G = 1). Goals whose episodes all end alike may vary unseen: the overall
    variance counts as that of one more goal.

    Args:
        successes: Number of successful episodes for each goal, int [G].
        episodes: Number of episodes for each goal, n.

    Returns:
        Lower and upper limit, in [0, 1].

    >>> [round(limit, 3) for limit in success_interval(np.array([100]), 100)]
    [0.963, 1.0]
    """
    rate = successes / episodes
    overall = float(rate.mean())
    count = float(len(successes) * episodes)
    pooled = overall * (1 - overall)
    if episodes > 1 and len(successes) > 1 and pooled > 0:
        within = float((rate * (1 - rate)).sum()) * episodes / (episodes - 1)
        count /= min(1.0, (within + pooled) / (len(successes) + 1) / pooled)
    centre = overall + Z95**2 / (2 * count)
    half = Z95 * float(np.sqrt(pooled / count + (Z95 / (2 * count)) ** 2))
    scale = 1 + Z95**2 / count
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
