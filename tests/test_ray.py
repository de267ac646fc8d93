"""Commands, evaluations and sweeps on a Ray cluster of two nodes, of one core each, on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_executors import SAVES, WRITER, assert_nothing_writes, python, run, wait_for
from tiny_run import final_state

from gc_envs.cli import main
from gc_envs.executors import Outcome
from gc_envs.executors import ray as ray_module
from gc_envs.training.signals import Interrupted

pytest.importorskip("ray", reason='needs Ray: pip install "gc_envs[ray]"')


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1, num_gpus=1)  # Ray takes our word for the GPU
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
    cluster.shutdown()


@pytest.fixture(autouse=True)
def _in_cluster(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def on_ray(*commands, **changes):
    return run(*commands, executor="ray", **changes)


def test_outcomes_lines_logs_and_time_limits(tmp_path):
    outcomes, lines, done = on_ray(
        python(tmp_path, "a", "import os, sys; print('one\\ntwo', os.getcwd()); print('lost?', file=sys.stderr)"),
        python(tmp_path, "b", "import sys; sys.exit(3)"),
        python(tmp_path, "slow", WRITER, str(tmp_path / "out"), time_limit=1.5),
        python(tmp_path / "missing", "none", ""),
    )
    assert outcomes.pop("none").error.endswith(f"No such file or directory: {tmp_path / 'missing' / 'none.log'}")
    assert outcomes == {"a": Outcome(0), "b": Outcome(3), "slow": Outcome(-9, timed_out=True)}
    assert len(done) == 4
    assert lines == [("a", "one"), ("a", f"two {tmp_path}")]
    assert (tmp_path / "a.log").read_text() == "lost?\n"
    assert_nothing_writes(tmp_path)


def test_both_nodes_run_commands_with_what_they_were_given(tmp_path, monkeypatch):
    """Each node has one core, so commands that wait for each other end on two of them alone."""
    monkeypatch.setenv("GC_ENVS_WORD", "forwarded")
    monkeypatch.setenv("OTHER_WORD", "not forwarded")
    code = """import os, sys, time
own, other = sys.argv[1:]
open(own, "w")
while not os.path.exists(other): time.sleep(.05)
print(*map(os.environ.get, ("GC_ENVS_WORD", "OTHER_WORD", "OMP_NUM_THREADS", "PYTHONPATH")))"""
    outcomes, lines, _ = on_ray(python(tmp_path, "a", code, "x", "y"), python(tmp_path, "b", code, "y", "x"))
    assert outcomes == {"a": Outcome(0), "b": Outcome(0)}
    said = f"forwarded None 1 {os.environ.get('PYTHONPATH')}"
    assert sorted(lines) == [("a", said), ("b", said)]


def test_a_gpu_is_given_to_a_command_that_asks_for_one(tmp_path):
    code = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    _, lines, _ = on_ray(python(tmp_path, "a", code), gpus=1)
    assert lines == [("a", "0")]


def test_a_signal_lets_commands_save_and_is_raised(tmp_path):
    commands = [python(tmp_path, str(i), SAVES, str(tmp_path / str(i))) for i in range(3)]
    ready = []

    def on_line(name, line):
        ready.append(name)
        if len(ready) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped by SIGINT"):
        on_ray(*commands, on_line=on_line)
    assert sorted(path.name for path in tmp_path.glob("*.saved")) == ["0.saved", "1.saved"]
    assert not (tmp_path / "2.log").exists()


def test_an_exception_in_a_callback_is_raised_and_ends_the_commands(tmp_path):
    def fail():
        if (tmp_path / "out.child").exists():
            raise KeyError("callback")

    with pytest.raises(KeyError, match="callback"):
        on_ray(python(tmp_path, "a", WRITER, "out"), on_tick=fail)
    assert_nothing_writes(tmp_path)


def test_a_driver_that_is_killed_leaves_nothing_that_writes(tmp_path):
    program = f"""import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_executors import WRITER, python, run
run(python(Path({str(tmp_path)!r}), "a", WRITER, "out"), executor="ray")"""
    driver = subprocess.Popen([sys.executable, "-c", program])
    wait_for((tmp_path / "out.child").exists)
    driver.kill()
    driver.wait()
    time.sleep(5)  # until Ray has noticed
    assert_nothing_writes(tmp_path)


def test_a_folder_that_a_node_does_not_have_is_refused(cluster, tmp_path, monkeypatch):
    with ray_module._cluster() as ray:
        assert ray_module._nodes_without(ray, str(tmp_path)) == []
        addresses = ray_module._nodes_without(ray, str(tmp_path / "missing"))
        assert len(addresses) == 2
    monkeypatch.setattr(ray_module, "_nodes_without", lambda *_: addresses[:1])
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} is not the same folder on the Ray node {addresses[0]}: "):
        on_ray(python(tmp_path, "a", ""))
    assert not (tmp_path / "a.log").exists()


def test_an_address_at_which_nothing_answers_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConnectionError, match="no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1: Connection refused"):
        on_ray(python(tmp_path, "a", ""))


AGENT = """
import numpy as np

def make_policy(env_spec, observation_space, action_space):
    rng = np.random.default_rng(0)
    if hasattr(action_space, "n"):
        return lambda observation: rng.integers(action_space.n, size=len(observation["desired_goal"]))
    return lambda observation: rng.uniform(-1, 1, (len(observation["desired_goal"]), *action_space.shape))
"""


@pytest.mark.slow
def test_an_evaluation_is_bitwise_that_of_this_machine_apart_from_times(tmp_path):
    Path("agent.py").write_text(AGENT)
    results = []
    for executor in ("local", "ray"):
        program = f"""from gc_envs import evaluate_suite
tasks = {["Gridworld", "ContinuousSeek-5", "DriveSeek", "NoisySeek"]}
evaluate_suite("agent:make_policy", "quick", tasks=tasks, json="{executor}.json", agent="random", executor="{executor}",
               command="same")"""
        subprocess.run([sys.executable, "-c", program], check=True)
        results.append(json.loads(Path(f"{executor}.json").read_text()))
        assert {task["status"] for task in results[-1]["tasks"].values()} == {"done"}
    for result in results:
        del result["times"]
    assert json.dumps(results[0]) == json.dumps(results[1])
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.slow
def test_a_sweep_on_ray_makes_the_same_runs(tmp_path, finished_run):
    from training.test_sweep import words

    assert main(words(tmp_path / "sweep", "--executor", "ray", "--seeds", "0:2")) == 0
    assert final_state(tmp_path / "sweep" / "seed0") == final_state(finished_run)
    assert (tmp_path / "sweep" / "seed1" / "evaluation.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 3])
def test_a_command_whose_node_dies_is_tried_again_and_then_fails_alone(cluster, tmp_path, monkeypatch, retries):
    monkeypatch.setattr(ray_module, "RETRIES", retries)
    node = cluster.add_node(num_cpus=2)  # the only one with room for two
    other = []

    def on_tick():
        if not other and (tmp_path / "out.child").exists():
            other.append(cluster.add_node(num_cpus=2))
            cluster.remove_node(node, allow_graceful=False)

    code = f"import os, sys\nif os.path.exists('out.child'): sys.exit(7)\n{WRITER}"
    outcomes, _, _ = on_ray(python(tmp_path, "a", code, "out"), on_tick=on_tick, cpus=2)
    cluster.remove_node(other[0])
    if retries:
        assert outcomes == {"a": Outcome(7)}
    else:
        assert outcomes["a"].status
        assert outcomes["a"].error.startswith("Ray could not run it: ")
        assert "\n" not in outcomes["a"].error
    assert_nothing_writes(tmp_path)
