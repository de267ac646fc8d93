"""gymnasium.vector.VectorEnv over any task: all environments are stepped by one engine."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from gc_envs.core.engine import Engine, Report, Rules, map_leaves, take
from gc_envs.core.episode import OnSuccess
from gc_envs.core.goal_env_mixin import (
    GoalEnvMixin,
    check_actions,
    check_count,
    check_mask,
    check_options,
    goal_dictionary,
)
from gc_envs.core.make_engine import make_engine
from gc_envs.core.seeding import sample_key
from gc_envs.core.task import Task

ARRAYS = ("numpy", "jax", "torch")


class GoalVectorEnv(GoalEnvMixin, gymnasium.vector.VectorEnv):
    """`num_envs` episodes of a task, stepped together by one compiled program, or on native threads.

    Observations are Gymnasium's goal dictionary with a leading [N]. Infos are batched arrays with Gymnasium's `_key`
    masks: `all_goals` (`achieved` bool [N, G], `reward` float32 [N, G]), `is_success` bool [N], `terminal` bool [N]
    (whether the state ends the episode whatever the goal), `goal` int32 [N] and, in NumPy, `goal_name` [N]. An
    environment whose action is not finite, or whose simulation breaks down, stays in its state and its episode is
    truncated; so it is with a discrete action out of range, which in NumPy is an error. `diverged` bool [N] says so,
    and `num_diverged` counts.
    Every reset is a true one: each environment samples its own start state and goal from its own chain of keys.
    Environment i of `reset(seed=s)` runs the trajectory of a single environment that was seeded with s + i.

    The autoreset mode is in `metadata["autoreset_mode"]`. NEXT_STEP (default): the step after an end resets the
    environment and ignores its action. SAME_STEP: the step that ends an episode returns the first observation of the
    next one, with the last observation in `info["final_obs"]` and its info in `info["final_info"]`. DISABLED: the
    caller resets ended environments with `reset(options={"reset_mask": bool [N]})`.

    `reset(options={"goal": one})` gives all environments the same goal, `options={"goals": [N of them]}` one each.

    Args:
        task: The task; `gymnasium.make_vec(id, num_envs=N)` makes one by its id.
        num_envs: N.
        array: The library of all arrays returned: "numpy" (fresh writable arrays), "jax" (device arrays, not copied) or
            "torch" (the same memory). In the last two, `final_obs` and `final_info` are batched trees in which only
            the environments of the mask count.
        autoreset_mode: A member of Gymnasium's enum, or its value.
        render_mode: None or "rgb_array".
        render_envs: The indices of the environments that `render` shows; default all.
        horizon: The number of steps after which an episode is truncated; default the task's own.
        max_episode_steps: Another name for `horizon`, which `gymnasium.make_vec` uses.
        on_success: "terminate", "continue" or "resample"; default the task's own.
        all_goals_info: False leaves `info["all_goals"]` out.
        pool: The number of start states computed at a time; default 2 on a CPU and N / 32 elsewhere.
        device: The JAX device or sharding that the environments live on.

    Raises:
        ValueError: For an argument that is not allowed, which the message names.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        task: Task[Any],
        num_envs: int = 1,
        *,
        array: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        render_envs: Sequence[int] | None = None,
        horizon: int | None = None,
        max_episode_steps: int | None = None,
        on_success: str | OnSuccess | None = None,
        all_goals_info: bool = True,
        pool: int | None = None,
        device: Any = None,
    ) -> None:
        num_envs = check_count("num_envs", num_envs)
        if array not in ARRAYS:
            raise ValueError(f"array={array!r} is not one of {list(ARRAYS)}")
        self._set_task(
            task, horizon=max_episode_steps if horizon is None else horizon, on_success=on_success,
            all_goals_info=all_goals_info, render_mode=render_mode,
        )  # fmt: skip
        self.num_envs, self.array = num_envs, array
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **type(self).metadata, "render_fps": task.render_fps, "backend": task.backend,
            "autoreset_mode": self.autoreset_mode,
        }  # fmt: skip
        self.render_envs = list(range(num_envs) if render_envs is None else render_envs)
        self.single_observation_space = goal_dictionary(task)
        self.single_action_space = task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._pool, self._device = None if pool is None else check_count("pool", pool), device
        self._engine = self._make_engine()

    def set_autoreset_mode(self, mode: AutoresetMode | str) -> None:
        """Change the autoreset mode. Episodes under way are dropped, so the next call must be `reset`."""
        self.autoreset_mode = AutoresetMode(mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        num_diverged = self._engine.num_diverged
        self._engine = self._make_engine()
        self._engine.num_diverged = num_diverged

    def _make_engine(self) -> Engine:
        return make_engine(
            self.task, self.num_envs, Rules(self.autoreset_mode, self.all_goals_info), horizon=self.horizon,
            on_success=self.on_success, array=self.array, pool=self._pool, device=self._device,
            keep_history=self.render_mode is not None,
        )  # fmt: skip

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        options = check_options(options, ("goal", "goals", "reset_mask"))
        mask = self._mask(options.get("reset_mask"))
        desired, given = self._encode(options.get("goal"), options.get("goals"))
        self._seed(seed, mask)
        return self._masked(self._engine.reset_where(mask, desired, given), mask)

    def set_goal(
        self, goal: Any = None, *, goals: Sequence[Any] | None = None, mask: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the episodes under way in the environments of `mask` another goal; states and clocks go on.

        Args:
            goal: One goal for all of them (name, index or array).
            goals: N goals, one per environment, instead of `goal`.
            mask: Which environments, bool [N]; default all environments.

        Returns:
            Observations and infos, as `reset` does.

        Raises:
            ValueError: For what is no goal of this environment, both or neither of `goal` and `goals`, or a mask of
                another shape or without a True in it.
        """
        self._check_reset("set_goal")
        desired, given = self._encode(goal, goals)
        if not given.any():
            raise ValueError("set_goal needs goal=, one for all environments, or goals=, one for each")
        chosen = self._mask(mask, "mask")
        return self._masked(self._engine.set_goal(chosen, desired), chosen)

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        self._check_reset("step")
        if self.autoreset_mode is AutoresetMode.DISABLED and self.array == "numpy" and self._engine.done.any():
            ended = np.flatnonzero(self._engine.done).tolist()
            raise gymnasium.error.ResetNeeded(
                f"environments {ended} have ended: reset(options={{'reset_mask': mask}}) first"
            )
        report = self._engine.step(self._actions(actions))
        infos = self._info(report.info, np.ones(self.num_envs, bool))
        if report.final is not None:
            infos.update(self._final(report.final, report.terminated | report.truncated))
        return report.observation, report.reward, report.terminated, report.truncated, infos

    @property
    def num_diverged(self) -> np.ndarray:
        """How many steps of each environment have diverged since construction, int32 [N]."""
        return np.asarray(self._engine.num_diverged)

    def _seed(self, seed: int | Sequence[int | None] | None, mask: np.ndarray) -> None:
        """Start new chains of keys in the environments of `mask` that are seeded, and in all if none ever was."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds given for {self.num_envs} environments")
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        old = self._engine.keys
        if seeds is None and old is not None:
            return
        keys = np.empty((self.num_envs, 2), np.uint32)
        for i, env_seed in enumerate(seeds or [None] * self.num_envs):
            if env_seed is not None and mask[i]:  # as a single environment with this seed would
                keys[i] = sample_key(gymnasium.utils.seeding.np_random(int(env_seed))[0])
            else:
                keys[i] = sample_key(self.np_random) if old is None else old[i]
        self._engine.init(keys)

    def _mask(self, mask: Any, name: str = "reset_mask") -> np.ndarray:
        """Return `mask`, bool [N], or a mask of all environments for None; ValueError for any other array."""
        chosen = check_mask(mask, self.num_envs, name)
        if not self._engine.started and not chosen.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all environments")
        return chosen

    def _encode(self, goal: Any, goals: Any) -> tuple[np.ndarray, np.ndarray]:
        """Encode the caller's goals: desired goals [N, D] and which environments have one [N].

        `goal` is one for all environments and `goals` a sequence of N; neither is ever guessed from a dtype or shape.
        """
        if goal is not None and goals is not None:
            raise ValueError("give goal, one for all environments, or goals, one for each, not both")
        if goal is None and goals is None:
            shape = self.goals.desired_space.shape
            return np.zeros((self.num_envs, *shape), np.float32), np.zeros(self.num_envs, bool)
        if goals is None:
            desired = np.repeat(self.goals.encode(goal)[None], self.num_envs, axis=0)
        else:
            if isinstance(goals, str) or not hasattr(goals, "__len__") or len(goals) != self.num_envs:
                raise ValueError(
                    f"goals must be a sequence of {self.num_envs}, one for each environment, got {goals!r:.80}; "
                    "one goal for all of them is given as goal"
                )
            desired = np.stack([self.goals.encode(one) for one in goals])
        return desired, np.ones(self.num_envs, bool)

    def _actions(self, actions: Any) -> Any:
        if self.array == "numpy":
            return check_actions(self.single_action_space, actions, (self.num_envs,))
        if self.array == "torch":
            import jax

            actions = jax.dlpack.from_dlpack(actions.detach().contiguous())
        shape = (self.num_envs, *self.single_action_space.shape)  # type: ignore[misc]
        if actions.shape != shape:
            raise ValueError(f"action of shape {actions.shape} given, expected {shape}")
        return actions

    def _masked(self, report: Report, mask: np.ndarray) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the observation and the info of `report`, with Gymnasium's `_key` masks [N]."""
        return report.observation, self._info(report.info, mask)

    def _info(self, info: dict[str, Any], mask: Any) -> dict[str, Any]:
        """Return `info` with the goals' names, which are strings and so only for NumPy, and Gymnasium's masks [N]."""
        if self.array == "numpy":
            info = {**info, "goal_name": self._goal_names[info["goal"]]}
        return masked(info, mask)

    def _final(self, final: Report, done: Any) -> dict[str, Any]:
        """Return Gymnasium's `final_obs` and `final_info` of the environments that are `done` [N]."""
        observation: Any = final.observation
        if self.array == "numpy":
            observation = np.full(self.num_envs, None, dtype=object)
            for index in np.flatnonzero(done).tolist():
                observation[index] = map_leaves(np.copy, take(final.observation, index))
        return {
            "final_obs": observation, "_final_obs": copied(done),
            "final_info": self._info(final.info, done), "_final_info": copied(done),
        }  # fmt: skip

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return one frame, uint8 [H, W, 3], for each environment of `render_envs`."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        self._check_reset("render")
        return tuple(self._engine.render(index) for index in self.render_envs)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return what every environment answers: all share one task, so it is worked out once and repeated."""
        attribute = getattr(self, name)
        return (attribute(*args, **kwargs) if callable(attribute) else attribute,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return the attribute `name` of every environment."""
        return self.call(name)


def masked(info: dict[str, Any], mask: Any) -> dict[str, Any]:
    """Return `info` with Gymnasium's `_key` masks [N], at every level."""
    result = {}
    for key, value in info.items():
        result[key] = masked(value, mask) if isinstance(value, dict) else value
        result[f"_{key}"] = copied(mask)
    return result


def copied(mask: Any) -> Any:
    """Return a copy of a NumPy `mask`, which callers may write to; arrays of other libraries as they are."""
    return mask.copy() if isinstance(mask, np.ndarray) else mask
