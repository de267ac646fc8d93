"""Models of Stable-Baselines3, sb3-contrib and SBX, really trained and saved, are evaluated by path."""

import importlib
import json
import sys
import zipfile

import numpy as np
import pytest

from gc_envs.core.vector_env import GoalVectorEnv
from gc_envs.registration import make_task
from gc_envs.sb3 import model_file
from gc_envs.sb3.model_file import load_model
from gc_envs.sb3.vec_env import SB3VecEnv
from gc_envs.suite.member_paths import paths_by_task
from gc_envs.suite.suites import suite_entries

OFF = {"learning_starts": 4, "batch_size": 4, "buffer_size": 100}
ON = {"n_steps": 16, "batch_size": 16}
ENTRIES, SEEK = suite_entries("standard-v0"), "ContinuousSeek-5"
# package, class -> settings. Those in FLAT take no dictionaries of observations, so they can only say what they want.
MODELS = {
    "stable_baselines3 SAC": OFF, "stable_baselines3 TD3": OFF, "stable_baselines3 DDPG": OFF,
    "stable_baselines3 DQN": OFF, "stable_baselines3 PPO": ON, "stable_baselines3 A2C": {"n_steps": 16},
    "sb3_contrib TQC": OFF, "sb3_contrib QRDQN": OFF, "sb3_contrib TRPO": ON, "sb3_contrib MaskablePPO": ON,
    "sb3_contrib RecurrentPPO": ON,
    "sbx SAC": OFF, "sbx TD3": OFF, "sbx TQC": OFF, "sbx CrossQ": OFF,
}  # fmt: skip
FLAT = {
    "sb3_contrib CrossQ": OFF, "sb3_contrib ARS": {"n_delta": 2},
    "sbx DDPG": OFF, "sbx PPO": ON, "sbx DQN": OFF,
}  # fmt: skip
DISCRETE = ("DQN", "QRDQN", "MaskablePPO")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def task_for(name):
    return make_task("GC-BitFlip-v0", bits=20) if name in DISCRETE else make_task("GC-ContinuousSeek-v0", dim=5)


def save(path, name, policy=None, envs=None, **settings):
    """Train a model, with one update, and save it."""
    package, name = name.split()
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    policy = policy or ("MultiInputLstmPolicy" if name == "RecurrentPPO" else "MultiInputPolicy")
    envs = envs or SB3VecEnv(GoalVectorEnv(task_for(name), 1))
    model = getattr(module, name)(policy, envs, seed=0, device="cpu", **settings)
    model.learn(16, **({"use_masking": False} if name == "MaskablePPO" else {}))
    model.save(path)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_acts_as_it_did(name, tmp_path, capsys):
    path = tmp_path / "model.zip"
    model = save(path, name, **MODELS[name])
    task = task_for(name.split()[1])
    assert paths_by_task([str(path)], ENTRIES) == {"BitFlip-20" if name.split()[1] in DISCRETE else SEEK: [str(path)]}
    loaded = load_model(path)
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{path}: a model file holds pickles, which can run any")
    observation, _ = GoalVectorEnv(task, 5).reset(seed=1)
    np.testing.assert_array_equal(*(one.predict(observation, deterministic=True)[0] for one in (model, loaded)))


@pytest.mark.parametrize("name", FLAT)
def test_a_model_that_wants_flat_observations_says_so(name, tmp_path):
    flat = importlib.import_module("gymnasium.wrappers").FlattenObservation
    env_id, kwargs = (
        ("GC-BitFlip-v0", {"bits": 20}) if name.split()[1] in DISCRETE else ("GC-ContinuousSeek-v0", {"dim": 5})
    )
    env = flat(importlib.import_module("gymnasium").make(env_id, **kwargs))
    path = str(tmp_path / "flat.zip")
    save(path, name, "MlpPolicy", env, **FLAT[name])
    task = "BitFlip-20" if name.split()[1] in DISCRETE else SEEK
    with pytest.raises(ValueError, match=r"flat.zip is for no task of this suite: it wants observations Box\("):
        paths_by_task([path], ENTRIES)
    expected = rf"flat.zip cannot be evaluated on {task}: it wants observations Box\(.*, the task has Dict\("
    with pytest.raises(ValueError, match=expected):
        paths_by_task([f"{task}={path}"], ENTRIES)


@pytest.fixture(scope="module")
def her(tmp_path_factory):
    """A SAC model with hindsight, settings that are functions, and a name with an equals sign."""
    from stable_baselines3 import HerReplayBuffer

    path = tmp_path_factory.mktemp("models") / "alpha=1.zip"
    save(
        path, "stable_baselines3 SAC", replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4}, learning_rate=lambda left: 1e-3 * left,
        **OFF | {"learning_starts": 14},
    )  # fmt: skip
    return path


def test_a_model_with_hindsight_is_a_member_of_its_task(her, tmp_path, capsys):
    """`gc-envs evaluate --suite` counts what `evaluate` counts for the same model."""
    from gc_envs.evaluation import evaluate
    from gc_envs.suite.run import evaluate_suite

    result = evaluate_suite([str(her)], "quick", tasks=[SEEK], json=tmp_path / "her.json")
    (member,) = result.tasks[SEEK].members
    assert member.name == "alpha=1.zip"
    assert (
        member.seeds[0].success == evaluate(load_model(her), "GC-ContinuousSeek-v0", env_kwargs={"dim": 5})["success"]
    )
    assert paths_by_task([f"{SEEK}={her}"], ENTRIES) == {SEEK: [str(her)]}
    with pytest.raises(ValueError, match=r"on ContinuousSeek-10: it wants observations Dict\(.*\(5,\)"):
        paths_by_task([f"ContinuousSeek-10={her}"], ENTRIES)
    with pytest.raises(ValueError, match=r"cannot be evaluated on BitFlip-20: it wants observations Dict\("):
        paths_by_task([f"BitFlip-20={her}"], ENTRIES)
    with pytest.raises(ValueError, match=r"'Seek=.*alpha=1.zip' names no task of this suite; it has: Gridworld, "):
        paths_by_task([f"Seek={her}"], ENTRIES)
    with pytest.raises(ValueError, match="named twice"):
        paths_by_task([str(her), f"{SEEK}={her}"], ENTRIES)


def changed(her, path, **changes):
    """Copy a model file, with other entries of its JSON."""
    with zipfile.ZipFile(her) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps(json.loads(data) | changes) if name == "data" else data)
    return path


def test_files_that_are_no_models_are_refused_in_one_line(her, tmp_path, monkeypatch):
    whole = her.read_bytes()
    cases = {
        "text.zip": (b"hello", "is no model file of Stable-Baselines3: File is not a zip file"),
        "short.zip": (whole[:5000], "is no model file of Stable-Baselines3: File is not a zip file"),
        "flipped.zip": (whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:], "in it is damaged|is no model file"),
    }
    for name, (contents, error) in cases.items():
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(ValueError, match=rf"{name} {error}|{name}.*{error}"):
            load_model(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(ValueError, match=r"other.zip is no model file of Stable-Baselines3: .*data"):
        load_model(tmp_path / "other.zip")
    own = changed(her, tmp_path / "own.zip", policy_class={"__module__": "my_policies"})
    with pytest.raises(ValueError, match=r"own.zip holds a policy of my_policies, which is not known .* --policy"):
        load_model(own)
    broken = changed(her, tmp_path / "broken.zip", policy_kwargs={"net_arch": [8]})
    with pytest.raises(ValueError, match=r"broken.zip cannot be loaded as stable_baselines3.SAC: \w+: "):
        load_model(broken)
    with pytest.raises(FileNotFoundError, match="missing.zip"):
        load_model(tmp_path / "missing.zip")


def test_a_missing_package_is_named_with_its_remedy(her, tmp_path, monkeypatch):
    path = changed(her, tmp_path / "fast.zip", policy_class={"__module__": "sbx.sac.policies"})
    monkeypatch.setitem(sys.modules, "sbx", None)
    with pytest.raises(ModuleNotFoundError, match=r"fast.zip needs sbx; install it with: pip install sbx-rl"):
        load_model(path)


def test_the_table_names_classes_that_exist():
    for module, (package, name) in model_file.MODELS.items():
        if importlib.util.find_spec(package):
            assert importlib.util.find_spec(module)
            assert hasattr(importlib.import_module(package), name)
