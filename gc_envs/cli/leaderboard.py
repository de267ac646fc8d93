"""`gc-envs leaderboard`: a folder of results, as others may add to it."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

Action = Annotated[Positional[Literal["check", "build"]], tyro.conf.arg(help_behavior_hint="")]
Folder = Annotated[Positional[Path], tyro.conf.arg(metavar="FOLDER")]


def leaderboard(action: Action, folder: Folder, *, rerun: bool = True) -> None:
    """Check the results in a folder that is called as a suite, or build its page from them.

    Args:
        action: Check every file and the page, or build the page.
        folder: Take the results in this folder, such as leaderboard/standard-v0.
        rerun: Evaluate attached weights again on the quick suite when checking.
    """
    if action == "build":
        build(folder)
    else:
        check(folder, rerun)


def build(folder: Path) -> None:
    """Write the page of a folder, and say whether it was out of date."""
    from gc_envs.suite.leaderboard import PAGE
    from gc_envs.suite.leaderboard_check import page_of

    page, contents = folder / PAGE, page_of(folder)
    if page.is_file() and page.read_text() == contents:
        print(f"{page} is up to date")
        return
    page.write_text(contents)
    print(f"{page} was out of date, and is written anew")


def check(folder: Path, rerun: bool) -> None:
    """Print a line for every file, and raise ValueError if any is refused or the page is out of date."""
    from gc_envs.suite.leaderboard_check import check_file, check_page, check_weights, result_files

    files = result_files(folder)
    refused = []
    for path in files:
        try:
            result = check_file(path)
            again = check_weights(path, result) if rerun else []
        except ValueError as error:
            refused.append(path.name)
            print(f"refused: {error}", flush=True)
        else:
            print(f"{path}: accepted" + (f"; evaluated again: {', '.join(again)}" if again else ""), flush=True)
    if refused:
        raise ValueError(f"{len(refused)} of {len(files)} results are refused: {', '.join(refused)}")
    check_page(folder)
