"""Goal spaces: whether a state reaches a goal, for one goal at a time or for all of them at once.

The code is array-API code (array-api-compat): the same lines evaluate NumPy arrays from a replay buffer, JAX arrays
inside `jit`, and torch tensors, with any leading batch axes. Letters: G goals in the all-goals set, D numbers in a
desired goal, d in an achieved goal, `...` any batch axes.
"""

from gc_envs.core.goals.base import GoalSpace
from gc_envs.core.goals.box import BoxGoals, euclidean, low_discrepancy
from gc_envs.core.goals.finite import FiniteGoals
from gc_envs.core.goals.point_set import PointSetGoals

__all__ = ["BoxGoals", "FiniteGoals", "GoalSpace", "PointSetGoals", "euclidean", "low_discrepancy"]
