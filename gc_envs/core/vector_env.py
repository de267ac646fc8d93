"""gymnasium.vector.VectorEnv over any task: all lanes in one jitted program."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from gc_envs.core.episode import OnSuccess
from gc_envs.core.goal_env_mixin import GoalEnvMixin, check_actions, check_options, draw_key, goal_dictionary
from gc_envs.core.task import Task

ARRAYS = ("numpy", "jax", "torch")


class GoalVectorEnv(GoalEnvMixin, gymnasium.vector.VectorEnv):
    """`num_envs` episodes of a task side by side, stepped by one compiled program on CPU, GPU or TPU.

    Observations are Gymnasium's goal dictionary with a leading [N]. Infos are batched arrays with Gymnasium's `_key`
    masks: `all_goals` (`achieved` bool [N, G], `reward` float32 [N, G]), `is_success` bool [N] and `goal` int32 [N].
    Where actions are continuous, a lane whose action is not finite stays where it is and ends (`terminated`), which
    `diverged` bool [N] tells on every step and `num_diverged` counts.
    Every reset is a true one: each lane draws its own start state and goal from its own chain of keys. EnvState i of
    `reset(seed=s)` runs the trajectory of a single environment seeded with s + i.

    The autoreset mode is in `metadata["autoreset_mode"]`. NEXT_STEP (default): the step after an end resets the lane
    and ignores its action. SAME_STEP: the step that ends an episode returns the next one's first observation, with
    the last one in `info["final_obs"]` and what was said about it in `info["final_info"]`. DISABLED: the caller resets
    ended lanes with `reset(options={"reset_mask": bool [N]})`.

    Args:
        task: an id, or a Task object.
        num_envs: N.
        array: "numpy" (fresh writable arrays), "jax" (device arrays, never copied) or "torch" (the same memory).
            In the last two, `final_obs` and `final_info` are batched trees in which only lanes of the mask count.
        autoreset_mode: Gymnasium's enum member, or its value.
        pool: start states made at a time while lanes wait for one; default 2 on a CPU and N / 32 elsewhere.
        device: the JAX device or sharding that the lanes live on.
        render_envs: the lanes that `render` draws; default all.
        max_episode_steps: another name for `horizon`, as `gymnasium.make_vec` passes it.

    Other arguments are those of `GoalEnv`.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        task: str | Task,
        num_envs: int = 1,
        *,
        array: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        render_envs: Sequence[int] | None = None,
        goals: Any = None,
        horizon: int | None = None,
        max_episode_steps: int | None = None,
        on_success: str | OnSuccess | None = None,
        all_goals_info: bool = True,
        pool: int | None = None,
        device: Any = None,
        **task_kwargs: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        if array not in ARRAYS:
            raise ValueError(f"array={array!r} is not one of {list(ARRAYS)}")
        self._set_task(
            task, task_kwargs, goals=goals, horizon=max_episode_steps if horizon is None else horizon,
            on_success=on_success, all_goals_info=all_goals_info, render_mode=render_mode,
        )  # fmt: skip
        self.num_envs, self.array = num_envs, array
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            **type(self).metadata, "render_fps": self.task.render_fps, "backend": self.task.backend,
            "autoreset_mode": self.autoreset_mode,
        }  # fmt: skip
        self.render_envs = list(range(num_envs) if render_envs is None else render_envs)
        self.single_observation_space = goal_dictionary(self.task)
        self.single_action_space = self.task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._over = np.zeros(num_envs, bool)  # [N], the lanes that ended on the last step
        self._num_diverged = np.zeros(num_envs, np.int32)
        self._pool, self._device = pool, device
        self._engine = self._make_engine()

    def set_autoreset_mode(self, mode: AutoresetMode | str) -> None:
        """Change the autoreset mode. Episodes in progress are dropped, so the next call must be `reset`."""
        self.autoreset_mode = AutoresetMode(mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._over = np.zeros(self.num_envs, bool)
        self._engine = self._make_engine()

    def _make_engine(self) -> Any:
        """Lanes in a compiled program, or in a world outside JAX where the task has one."""
        settings: dict[str, Any] = {
            "horizon": self.horizon, "on_success": self.on_success, "autoreset_mode": self.autoreset_mode,
            "all_goals_info": self.all_goals_info,
        }  # fmt: skip
        world = self.task.make_simulator(self.num_envs)
        if world is None:
            from gc_envs.core.jax_engine import JaxEngine

            return JaxEngine(
                self.task, self.num_envs, **settings, array=self.array, pool=self._pool, device=self._device
            )  # fmt: skip
        if self.array != "numpy":
            raise ValueError(
                f"array={self.array!r} is for tasks computed by JAX; backend={self.task.backend!r} gives array='numpy'"
            )
        from gc_envs.core.numpy_engine import NumpyEngine

        return NumpyEngine(self.task, world, self.num_envs, **settings)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        options = check_options(options, ("goal", "goals", "reset_mask"))
        mask = self._mask(options.get("reset_mask"))
        commanded, is_commanded = self._encode(options.get("goal"), options.get("goals"))
        self._seed_lanes(seed, mask)
        observation, info = self._engine.begin(mask, commanded, is_commanded)
        self._over = np.asarray(self._over) & ~mask
        return self._engine.convert(observation), self._infos(info, mask)

    def set_goal(
        self, goal: Any = None, *, goals: Sequence[Any] | None = None, mask: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the episodes under way in the environments of `mask` another goal; states and clocks go on.

        Args:
            goal: one goal for all of them (name, index or array).
            goals: N goals, one per environment, instead of `goal`.
            mask: bool [N]; default all environments.

        Returns:
            Observations and infos, as `reset` does.

        Raises:
            ValueError: for what is no goal of this environment, both or neither of `goal` and `goals`, or a mask of
                another shape or without a True in it.
        """
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before set_goal()")
        desired, given = self._encode(goal, goals)
        if not given.any():
            raise ValueError("set_goal needs goal=, one for all environments, or goals=, one for each")
        lanes = self._mask(mask, "mask")
        observation, info = self._engine.command(lanes, desired)
        return self._engine.convert(observation), self._infos(info, lanes)

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        if self.autoreset_mode is AutoresetMode.DISABLED and self.array == "numpy" and self._over.any():
            lanes = np.flatnonzero(self._over).tolist()
            raise gymnasium.error.ResetNeeded(f"lanes {lanes} have ended: reset(options={{'reset_mask': mask}}) first")
        observation, outcome, info, final = self._engine.step(self._over, self._actions(actions))
        reward, terminated, truncated = self._engine.convert(outcome)
        if self.array == "numpy":
            self._over = terminated | truncated
        else:
            self._over = outcome[1] | outcome[2]
        infos = self._infos(info, np.ones(self.num_envs, bool))
        if "diverged" in info:
            self._num_diverged = self._num_diverged + (infos if self.array == "numpy" else info)["diverged"]
        if final is not None:
            self._add_final(infos, final)
        return self._engine.convert(observation), reward, terminated, truncated, infos

    @property
    def num_diverged(self) -> np.ndarray:
        """How many steps of each lane were faults since construction, int32 [N]."""
        return np.asarray(self._num_diverged)

    def _seed_lanes(self, seed: int | Sequence[int | None] | None, mask: np.ndarray) -> None:
        """Give every lane of `mask` that is seeded, and every lane if none ever was, a new chain of keys."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds given for {self.num_envs} environments")
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        old = self._engine.keys
        if seeds is None and old is not None:
            return
        keys = np.empty((self.num_envs, 2), np.uint32)
        for i, lane_seed in enumerate(seeds or [None] * self.num_envs):
            if lane_seed is not None and mask[i]:  # as a single environment with this seed would
                keys[i] = draw_key(gymnasium.utils.seeding.np_random(int(lane_seed))[0])
            else:
                keys[i] = draw_key(self.np_random) if old is None else old[i]
        self._engine.rekey(keys)

    def _mask(self, mask: Any, name: str = "reset_mask") -> np.ndarray:
        if mask is None:
            return np.ones(self.num_envs, bool)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(f"{name} must be bool [{self.num_envs}] with a True in it, got {mask.dtype} {mask.shape}")
        if not self._engine.started and not mask.all():
            raise gymnasium.error.ResetNeeded("the first reset must be of all lanes")
        return mask

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

    def _infos(self, info: dict[str, Any], mask: Any) -> dict[str, Any]:
        """`info` with Gymnasium's `_key` masks [N], at every level."""
        return masked(self._engine.convert(info), mask)

    def _add_final(self, infos: dict[str, Any], final: tuple[Any, dict[str, Any]]) -> None:
        """Gymnasium's `final_obs` and `final_info` of the lanes that ended, if any did."""
        if self.array != "numpy":
            over = self._engine.convert(self._over)
            infos.update(final_obs=self._engine.convert(final[0]), _final_obs=over)
            infos.update(final_info=masked(self._engine.convert(final[1]), over), _final_info=over)
            return
        if not self._over.any():
            return
        observation, lanes = self._engine.convert(final[0]), np.full(self.num_envs, None, dtype=object)
        for lane in np.flatnonzero(self._over).tolist():
            lanes[lane] = {name: _take(value, lane) for name, value in observation.items()}
        infos.update(final_obs=lanes, _final_obs=self._over.copy())
        infos.update(final_info=self._infos(final[1], self._over), _final_info=self._over.copy())

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One frame, uint8 [H, W, 3], per lane of `render_envs`."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before render()")
        return tuple(self._engine.render(lane) for lane in self.render_envs)

    def get_state(self) -> dict[str, Any]:
        """Everything that decides what happens next in all lanes, for `set_state`."""
        if not self._engine.started:
            raise gymnasium.error.ResetNeeded("call reset() before get_state()")
        over = np.array(self._over)
        return {"lanes": self._engine.get_state(), "over": over, "np_random": self.np_random.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, in this or another environment of the same kind and size."""
        self._engine.set_state(state["lanes"])
        self._over = state["over"].copy()
        self.np_random.bit_generator.state = state["np_random"]

    def __getstate__(self) -> dict[str, Any]:  # compiled programs and simulators do not pickle, and need not
        lanes = self._engine.get_state() if self._engine.started else None
        return {**self.__dict__, "_engine": None, "_lanes": lanes, "_over": np.array(self._over)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        lanes = state.pop("_lanes")
        self.__dict__.update(state)
        self._engine = self._make_engine()
        if lanes is not None:
            self._engine.set_state(lanes)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What every lane answers: all lanes share one task, so the answer is worked out once and repeated."""
        attribute = getattr(self, name)
        return (attribute(*args, **kwargs) if callable(attribute) else attribute,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute `name` of every lane."""
        return self.call(name)


def masked(info: dict[str, Any], mask: Any) -> dict[str, Any]:
    """`info` with Gymnasium's `_key` masks [N], at every level."""
    result = {}
    for key, value in info.items():
        result[key] = masked(value, mask) if isinstance(value, dict) else value
        result[f"_{key}"] = mask.copy() if isinstance(mask, np.ndarray) else mask
    return result


def _take(value: Any, lane: int) -> Any:
    return {k: _take(v, lane) for k, v in value.items()} if isinstance(value, dict) else value[lane].copy()
