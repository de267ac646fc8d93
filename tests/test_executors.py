"""Lists of commands: how they end, what they leave, and what is left of them when their parent ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gc_envs.executors import Command, Outcome, command, run_commands
from gc_envs.executors.slurm import sbatch_script
from gc_envs.training.signals import Interrupted

# Writes to a file ten times a second, from the command and from a child of it.
CHILD = "import sys, time\nwhile True: print('x', file=open(sys.argv[1], 'a')); time.sleep(.1)"
WRITER = f"""import subprocess, sys
subprocess.Popen([sys.executable, "-c", {CHILD!r}, sys.argv[1] + ".child"])
sys.argv[1] += ".own"
exec({CHILD!r})
"""


def python(folder, name, code, *words, time_limit=None):
    return Command(name, (sys.executable, "-c", code, *words), folder / f"{name}.log", time_limit)


def run(*commands, **changes):
    """Run commands; their outcomes, and what the callbacks got."""
    lines, done = [], []
    arguments = {"on_line": lambda *line: lines.append(line), "on_done": lambda *end: done.append(end)} | changes
    return run_commands(commands, jobs=2, **arguments), lines, done


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def assert_nothing_writes(folder, names=("out.own", "out.child")):
    time.sleep(0.5)
    before = [(folder / name).stat().st_size for name in names]
    assert all(before)
    time.sleep(0.5)
    assert [(folder / name).stat().st_size for name in names] == before


def test_outcomes_lines_and_logs(tmp_path):
    outcomes, lines, done = run(
        python(tmp_path, "a", "import sys; print('one\\ntwo'); print('lost?', file=sys.stderr)"),
        python(tmp_path, "b", "import sys; sys.stdout.write('x' * 100_000); sys.exit(3)"),
        python(tmp_path, "c", "import os; os.close(1); import time; time.sleep(.3); os.kill(os.getpid(), 9)"),
    )
    assert outcomes == {"a": Outcome(0), "b": Outcome(3), "c": Outcome(-9)}
    assert dict(done) == outcomes
    assert len(done) == 3
    assert [line for name, line in lines if name == "a"] == ["one", "two"]
    assert [line for name, line in lines if name == "b"] == ["x" * 100_000]
    assert (tmp_path / "a.log").read_text() == "lost?\n"


def test_as_many_run_at_a_time_as_there_are_jobs(tmp_path):
    code = "import sys, time; print('on', flush=True); time.sleep(.5); print('off', flush=True)"
    running, most = 0, 0

    def on_line(name, line):
        nonlocal running, most
        running += 1 if line == "on" else -1
        most = max(most, running)

    run(*(python(tmp_path, str(i), code) for i in range(5)), on_line=on_line)
    assert most == 2


def test_cpus_are_the_threads_that_a_command_computes_with(tmp_path):
    code = "import os; print(os.environ['OMP_NUM_THREADS'])"
    _, lines, _ = run(python(tmp_path, "a", code), cpus=3)
    assert lines == [("a", "3")]


def test_a_time_limit_kills_a_command_with_its_children(tmp_path):
    slow = python(tmp_path, "slow", WRITER, str(tmp_path / "out"), time_limit=1.5)
    outcomes, _, _ = run(slow, python(tmp_path, "other", "print(1)"))
    assert outcomes == {"slow": Outcome(-9, timed_out=True), "other": Outcome(0)}
    assert_nothing_writes(tmp_path)


def test_what_a_command_leaves_behind_is_killed(tmp_path):
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {CHILD!r}, sys.argv[1]])"
    outcomes, _, _ = run(python(tmp_path, "a", f"{code}; time.sleep(1)", str(tmp_path / "out")))
    assert outcomes == {"a": Outcome(0)}
    assert_nothing_writes(tmp_path, ["out"])


@pytest.mark.parametrize("argv", [("no-such-program",), ("/etc/passwd",)])
def test_what_cannot_be_started_is_one_line(tmp_path, argv):
    outcomes, _, done = run(Command("a", argv, tmp_path / "a.log"), python(tmp_path, "b", "print(1)"))
    assert outcomes["b"] == Outcome(0)
    assert outcomes["a"] == Outcome(127, error=f"cannot start {argv[0]}: no such program: {argv[0]}")
    assert ("a", outcomes["a"]) in done


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    outcomes, _, _ = run(python(tmp_path / "missing", "a", "print(1)"))
    assert outcomes["a"].error.endswith(f"No such file or directory: {tmp_path / 'missing' / 'a.log'}")


def test_an_unknown_executor_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown executor 'slrum'; known: local, ray"):
        run(python(tmp_path, "a", "print(1)"), executor="slrum")


def test_without_ray_its_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'needs Ray; install it with: pip install "gc_envs\[ray\]"'):
        run(python(tmp_path, "a", "print(1)"), executor="ray")


ODD = "a 'b' \"c\" $HOME `d` \\ *"


def test_a_slurm_job_runs_exactly_the_command_of_its_index(tmp_path, monkeypatch):
    folder = tmp_path / "it's here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    code = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['OMP_NUM_THREADS']); sys.exit(int(sys.argv[1]))"
    commands = [python(Path(), str(i), code, str(i), ODD) for i in range(3)]
    script = tmp_path / "job.sh"
    script.write_text(sbatch_script(commands, "odd name", jobs=2, cpus=4))
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "#SBATCH --array=0-2%2" in script.read_text()
    environment = os.environ | {"SLURM_CPUS_PER_TASK": "4"}

    def job(index):
        place = environment | {"SLURM_ARRAY_TASK_ID": index}
        return subprocess.run(["bash", str(script)], env=place, cwd="/", capture_output=True, check=False)

    assert job("1").returncode == 1
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"1.log": f"{['1', ODD]} {folder} 4\n"}
    assert job("3").returncode == 2
    assert b"SLURM_ARRAY_TASK_ID='3' is none of 0..2" in job("3").stderr
    assert job("1").returncode == 1
    assert len((folder / "1.log").read_text().splitlines()) == 2  # the log goes on


@pytest.mark.parametrize("options", ["time=1", "--time=1\nrm x"])
def test_what_are_no_options_of_sbatch_is_refused(tmp_path, options):
    with pytest.raises(ValueError, match="options of sbatch are words such as --partition=gpu in one line"):
        sbatch_script([python(tmp_path, "a", "")], "name", options=options)


@pytest.mark.parametrize("name", ["on_line", "on_done", "on_tick"])
def test_an_exception_in_a_callback_is_raised_and_ends_the_commands(tmp_path, name):
    def fail(*_):
        wait_for((tmp_path / "out.child").exists)
        raise KeyError("callback")

    commands = python(tmp_path, "a", WRITER, str(tmp_path / "out")), python(tmp_path, "b", "print(1)")
    with pytest.raises(KeyError, match="callback"):
        run(*commands, **{name: fail})
    assert_nothing_writes(tmp_path)


SAVES = """import signal, sys, time
def save(*_):
    time.sleep(.5)
    open(sys.argv[1] + ".saved", "w")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(60)"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_commands_save_starts_no_others_and_is_raised(tmp_path, signum):
    commands = [python(tmp_path, str(i), SAVES, str(tmp_path / str(i))) for i in range(4)]
    ready = []

    def on_line(name, line):
        ready.append(name)
        if len(ready) == 2:
            os.kill(os.getpid(), signum)

    with pytest.raises(Interrupted, match=f"stopped by {signum.name}; the same command goes on") as stop:
        run(*commands, on_line=on_line)
    assert stop.value.signum == signum
    assert sorted(path.name for path in tmp_path.glob("*.saved")) == ["0.saved", "1.saved"]
    assert not (tmp_path / "2.log").exists()


def test_what_ignores_the_signal_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 0.5)
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\n{WRITER}"
    with pytest.raises(Interrupted):
        run(
            python(tmp_path, "a", code, str(tmp_path / "out")),
            on_line=lambda *_: (time.sleep(1), os.kill(os.getpid(), signal.SIGTERM)),
        )
    assert_nothing_writes(tmp_path)


def test_a_second_ctrl_c_kills_at_once(tmp_path):
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\n{WRITER}"
    # As in a terminal: shells start background processes, such as those of CI, without Python's handler.
    program = f"""import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_executors import python, run
run(python(Path({str(tmp_path)!r}), "a", {code!r}, {str(tmp_path / "out")!r}))"""
    parent = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    wait_for((tmp_path / "out.child").exists)
    parent.send_signal(signal.SIGINT)
    time.sleep(1)
    assert parent.poll() is None
    start = time.monotonic()
    while parent.poll() is None:  # more than once, because two signals that come too close together are one
        parent.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert parent.returncode != 0
    assert time.monotonic() - start < command.GRACE / 2
    assert b"KeyboardInterrupt" in parent.stderr.read()
    assert_nothing_writes(tmp_path)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV])
def test_a_parent_that_is_killed_leaves_nothing_that_writes(tmp_path, signum):
    program = f"""import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_executors import WRITER, python, run
run(python(Path({str(tmp_path)!r}), "a", WRITER, {str(tmp_path / "out")!r}))"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    wait_for((tmp_path / "out.child").exists)
    parent.send_signal(signum)
    assert parent.wait() == -signum
    assert_nothing_writes(tmp_path)
