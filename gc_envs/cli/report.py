"""`gc-envs report`: what agents did on a suite, as one HTML file."""

from pathlib import Path

from gc_envs.cli.words import BenchmarkFiles, ResultFiles


def report(results: ResultFiles, *, benchmarks: BenchmarkFiles = (), out: Path = Path("report.html")) -> None:
    """Write one HTML file that shows the results of agents on a suite: scores, goals, learning curves and videos.

    Args:
        results: Show these JSON files of `gc-envs evaluate --suite`, and the videos beside them.
        benchmarks: Show these JSON files of `gc-envs benchmark` as well, and the PNG figures beside them.
        out: Write this HTML file.
    """
    from gc_envs.suite.report import write_report

    path = write_report(results, out, benchmarks=benchmarks)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
