"""Commands as an array job of SLURM, https://slurm.schedmd.com: a script for sbatch."""

import os
import shlex
from collections.abc import Sequence

from gc_envs.executors.command import Command

TERM_SECONDS = 120  # before the time limit of a job, so that a run can save
SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{throttle}
#SBATCH --cpus-per-task={cpus}
#SBATCH --requeue
#SBATCH --signal=B:TERM@{term}
#SBATCH --output={logs}/slurm-%a.log
{options}
# Index i of the array runs command i, which takes the place of this shell, so that it gets SIGTERM {term} s before the
# time limit, and before it is preempted: it saves and exits with 143. When the job is requeued, or this script is
# submitted again, it goes on from there.

cd {folder} || exit 1
export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
case "$SLURM_ARRAY_TASK_ID" in
{cases}
  *) echo "SLURM_ARRAY_TASK_ID='$SLURM_ARRAY_TASK_ID' is none of 0..{last}" >&2; exit 2 ;;
esac
"""


def sbatch_script(
    commands: Sequence[Command], name: str, *, jobs: int | None = None, cpus: int | None = None, options: str = ""
) -> str:
    """Return a script for sbatch that runs commands as an array job from the current folder.

    What a command prints is appended to its log.

    Args:
        commands: The commands.
        name: The name of the job.
        jobs: How many run at a time; by default, as many as SLURM has room for.
        cpus: How many cores each is given; by default 1.
        options: Further options of sbatch, such as "--time=04:00:00"; they come after those of the script.

    Raises:
        ValueError: `options` are no options, or there are no commands.
    """
    if options and (not options.startswith("-") or "\n" in options):
        raise ValueError(f"options of sbatch are words such as --partition=gpu in one line, got {options!r}")
    if not commands:
        raise ValueError("there is nothing to run: every command has ended")
    return SCRIPT.format(
        name=shlex.quote(name), last=len(commands) - 1, throttle=f"%{jobs}" if jobs else "", cpus=cpus or 1,
        term=TERM_SECONDS, options=f"#SBATCH {options}" if options else "#", folder=shlex.quote(os.getcwd()),
        logs=shlex.quote(os.path.abspath(commands[0].log.parent)),
        cases="\n".join(f"  {i}) exec {_words(command)} ;;" for i, command in enumerate(commands)),
    )  # fmt: skip


def _words(command: Command) -> str:
    """Return a command as words of the shell, with its output appended to its log."""
    return f"{shlex.join(command.argv)} >>{shlex.quote(str(command.log))} 2>&1 </dev/null"
