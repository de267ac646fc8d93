"""Training in two processes of this machine, which exchange their numbers over its network."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import tiny_run

from gc_envs.agents.distributed import ADDRESS, VARIABLES

COMMAND = [sys.executable, "-m", "gc_envs.cli"]


def start(*arguments):
    """Start the two processes, and return them."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    return [
        subprocess.Popen(
            [*COMMAND, *arguments, "--distributed"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, ADDRESS: address, **dict(zip(VARIABLES, ("2", str(index)), strict=True))},
        )
        for index in range(2)
    ]  # fmt: skip


def finish(processes):
    """Wait for the processes, and return their exit codes and what they wrote to stderr."""
    errors = [process.communicate(timeout=300)[1] for process in processes]
    return [process.returncode for process in processes], errors


def assert_same(folder, other):
    """Assert that two runs have the same files, but for how fast they were."""
    found, expected = tiny_run.contents(folder), tiny_run.contents(other)
    assert set(found) == set(expected)
    differing = {name for name in found if found[name] != expected[name]}
    assert differing <= {"metrics.csv", "learning_curve.png"}  # rows are as many updates as take a second


def test_two_processes_make_the_run_of_one_with_two_devices(tmp_path):
    """Started, and gone on with: the same, bit for bit."""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    for flags, steps in ((), 640), (("--resume",), 1280):
        two, one = (tiny_run.command(tmp_path / name, *flags, total_steps=steps) for name in ("two", "one"))
        processes = start(*two)
        subprocess.run([*COMMAND, *one, "--devices", "2"], check=True, capture_output=True, env=environment)
        codes, errors = finish(processes)
        assert codes == [0, 0], errors
        assert errors[1] == "", "only the first process says what it does"
        assert_same(tmp_path / "two", tmp_path / "one")


@pytest.mark.parametrize("signalled", [[1], [0, 1]], ids=["one process", "all processes"])
def test_a_signal_stops_all_processes(tmp_path, signalled):
    folder = tmp_path / "run"
    processes = start(*tiny_run.command(folder, total_steps=12_800_000))
    metrics = folder / "metrics.csv"
    while not (metrics.exists() and metrics.read_text().count("\n") > 1):
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.1)
    for index in signalled:
        processes[index].send_signal(signal.SIGTERM)
    codes, errors = finish(processes)
    assert codes == [128 + signal.SIGTERM] * 2, errors
    (saved,) = (folder / "checkpoints").glob("step_*")
    step = int(saved.name.removeprefix("step_"))
    assert all(f"stopped by SIGTERM at step {step}; go on with --resume" in error for error in errors)


def test_an_error_of_the_first_process_stops_all(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("not a run")
    codes, errors = finish(start(*tiny_run.command(tmp_path / "run")))
    assert codes == [2, 2]
    assert "already exists" in errors[0]
    assert errors[1] == "error: an error, which it shows, stopped process 0\n"


def test_without_other_processes_it_is_one_line(tmp_path):
    command = [*COMMAND, *tiny_run.command(tmp_path / "run", "--distributed")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --distributed needs SLURM, Open MPI or the variables JAX_COORDINATOR_ADDRESS")
    assert done.stderr.count("\n") == 1
