"""The private names of Stable-Baselines3 that are used: all of them are listed, and the installed version has them."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

import gc_envs.sb3
from gc_envs.registration import make_task
from gc_envs.sb3.algorithms import ALGORITHMS
from gc_envs.sb3.checkpoint import COUNTERS, PRIVATE, capture
from gc_envs.sb3.trainer import EpisodeSuccess

LISTED = {name for names in PRIVATE.values() for name in names}
DQN_ONLY, HINDSIGHT_ONLY = {"_n_calls"}, {"_current_ep_start", "_get_virtual_samples", "_sample_goals"}
TORCH_ONLY = {"_version"}  # torch counts the writes to a tensor in it
SOURCES = [
    importlib.import_module(f"gc_envs.sb3.{module.name}") for module in pkgutil.iter_modules(gc_envs.sb3.__path__)
]


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


@pytest.fixture(scope="module", params=["her-dqn", "reengage-sac", "multi-reengage"])
def built(request):
    """A freshly built model, its environments, and its name."""
    task = {"her-dqn": "GC-BitFlip-v0", "reengage-sac": "GC-ContinuousSeek-v0", "multi-reengage": "GC-DriveSeek-v0"}
    algorithm = ALGORITHMS[request.param]
    learner = algorithm(make_task(task[request.param]), algorithm.config_class(total_steps=100, width=8))
    model, envs = learner.build()
    yield model, envs, request.param
    envs.close()


def test_the_installed_version_has_every_listed_name(built):
    model, envs, name = built
    owners = {
        "model": model, "policy": model.policy, "extractor": model.policy.make_features_extractor(),
        "callback": EpisodeSuccess(envs),
        "replay_buffer": model.replay_buffer, "vec_env": model.env.venv,
    }  # fmt: skip
    assert set(PRIVATE) == set(owners)
    exempt = (set() if name == "her-dqn" else DQN_ONLY) | (HINDSIGHT_ONLY if name == "multi-reengage" else set())
    missing = [
        f"{owner}.{attribute}"
        for owner, attributes in PRIVATE.items()
        for attribute in attributes
        if attribute not in exempt and not hasattr(owners[owner], attribute)
    ]
    assert not missing
    assert {counter for counter in COUNTERS if is_private(counter)} <= set(PRIVATE["model"])


def test_every_private_name_in_the_sources_is_listed():
    used, ours = set(), set()
    for module in SOURCES:
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                used.add(node.attr)
                if isinstance(node.ctx, ast.Store) and getattr(node.value, "id", None) == "self":
                    ours.add(node.attr)
            elif isinstance(node, ast.FunctionDef) and is_private(node.name):
                ours.add(node.name)
    assert used - ours - TORCH_ONLY - LISTED == set()


def test_every_private_name_that_is_overridden_or_set_is_listed():
    """What our classes define or set under a name that a class of SB3 uses, too."""
    for module in SOURCES:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            theirs = {base for base in kind.__mro__ if base.__module__.startswith(("stable_baselines3", "sb3_contrib"))}
            if kind.__module__ != module.__name__ or not theirs:
                continue
            source = inspect.getsource(kind)
            names = {name for base in theirs for name in [*vars(base), *private_attributes(base)] if is_private(name)}
            defined = {name for name in vars(kind) if is_private(name) and not name.startswith("_abc_")}
            defined |= private_attributes(kind)
            assert names & defined <= LISTED, source


def private_attributes(kind):
    """The private attributes that the methods of `kind` itself set."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_private(node.attr)
    }


def test_the_trainer_calls_what_learn_calls():
    """If one of these changes, `SB3Trainer` must follow."""
    assert list(inspect.signature(OffPolicyAlgorithm._setup_learn).parameters)[1:4] == [
        "total_timesteps", "callback", "reset_num_timesteps",
    ]  # fmt: skip
    assert list(inspect.signature(OffPolicyAlgorithm.collect_rollouts).parameters)[1:] == [
        "env", "callback", "train_freq", "replay_buffer", "action_noise", "learning_starts", "log_interval",
    ]  # fmt: skip
    assert list(inspect.signature(OffPolicyAlgorithm.train).parameters)[1:] == ["gradient_steps", "batch_size"]
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(OffPolicyAlgorithm.learn)))
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert called == {"_setup_learn", "on_training_start", "collect_rollouts", "train", "on_training_end"}


def test_a_checkpoint_is_plain_arrays_by_name(built):
    model, envs, _ = built
    model._setup_learn(100)
    arrays = capture(model, envs)
    assert {type(array).__name__ for array in arrays.values()} == {"ndarray"}
    assert all(array.dtype != object for array in arrays.values())
