"""Train the reference agents of the leaderboard, evaluate them on the standard suite, and write their report.

Each agent is a few runs with small budgets. Runs that exist are resumed, and finished ones only evaluated, so that this
can be stopped at any time and continued. The minutes that each took are in the results under leaderboard/.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from _common import Parser

SEEK = ("GC-ContinuousSeek-v0", "--preset", "paper", "--threads", "1", "--env-kwargs")
BITFLIP = ("GC-BitFlip-v0", "--preset", "paper", "--threads", "1")
SMALL_SETS = (
    "--preset",
    "paper",
    "--threads",
    "1",
    "--batch-size",
    "64",
    "--encoder-width",
    "64",
    "--total-steps",
    "4000",
)
SMALL_LEO = ("--width", "128", "--depth", "2")
AGENTS: dict[str, dict[str, tuple[str, ...]]] = {  # agent -> run -> the words of `gc-envs train`
    "leo": {
        "leo-gridworld": ("leo", "GC-Gridworld-v0"),
        "leo-craftax-classic": ("leo", "GC-Craftax-Classic-v0", *SMALL_LEO, "--total-steps", "1500000"),
        "leo-craftax": ("leo", "GC-Craftax-v0", *SMALL_LEO, "--total-steps", "400000", "--evaluations", "2"),
    },
    "her": {
        "her-gridworld": ("her-dqn", "GC-Gridworld-v0", "--threads", "1", "--total-steps", "40000"),
        "her-seek5": ("her-ddpg", *SEEK, "dim=5", "--total-steps", "6000"),
        "her-seek10": ("her-ddpg", *SEEK, "dim=10", "--total-steps", "30000"),
        "her-bitflip20": ("her-dqn", *BITFLIP, "--total-steps", "20000"),
        "her-reach": ("her-sac", "GC-PandaReach-v0", "--threads", "1"),
        "her-push": ("her-sac", "GC-PandaPush-v0", "--threads", "1", "--total-steps", "150000"),
    },
    "reengage": {
        "reengage-seek5": ("reengage-ddpg", *SEEK, "dim=5", "--total-steps", "6000"),
        "reengage-seek10": ("reengage-ddpg", *SEEK, "dim=10", "--total-steps", "30000"),
        "reengage-bitflip20": ("reengage-dqn", *BITFLIP, "--total-steps", "20000"),
        "reengage-noisyseek": ("multi-reengage", "GC-NoisySeek-v0", *SMALL_SETS),
        "reengage-driveseek": ("multi-reengage", "GC-DriveSeek-v0", *SMALL_SETS),
        "reengage-reach": ("reengage-sac", "GC-PandaReach-v0", "--threads", "1"),
    },
}


def run(*words: str) -> None:
    """Run a command of `gc-envs`, and stop here if it fails."""
    print(shlex.join(["gc-envs", *words]), flush=True)
    subprocess.run([sys.executable, "-m", "gc_envs.cli", *words], check=True)


def main() -> None:
    """Train, evaluate and report."""
    parser = Parser(__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Train in this folder. (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("reference"), help="Write results here. (default: reference)")
    args = parser.parse_args()
    evaluate = ("evaluate", "--suite", "standard", "--videos", "1")
    results = [str(args.out / "random.json")]
    run(*evaluate, "--policy", "gc_envs.agents.random:make_policy", "--name", "random", "--json", results[0])
    for agent, runs in AGENTS.items():
        for name, words in runs.items():
            run("train", *words, "--run-dir", str(args.runs / name), "--resume")
        results.append(str(args.out / f"{agent}.json"))
        run(*evaluate, *(str(args.runs / name) for name in runs), "--name", agent, "--json", results[-1])
    run("report", *results, "--out", str(args.out / "report.html"))


if __name__ == "__main__":
    main()
