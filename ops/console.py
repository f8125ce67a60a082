"""The two consoles and the progress bar: results go to standard output, what is said to a person to standard error."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PIPED_WIDTH = 10_000


def output() -> Console:
    """Return a console on standard output; piped output is neither folded nor cut to a terminal's width."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, soft_wrap=not sys.stdout.isatty())


def terminal_width() -> int | None:
    """Return how many characters a line of standard output has; None where it is no terminal."""
    return output().width if sys.stdout.isatty() else None


def messages() -> Console:
    """Return a console on standard error, whose lines are not folded: what is said in one line stays one."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def visible(text: str) -> str:
    """Return text in one line: a character that is not shown, such as a line break in a file's name, is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def progress_bar(*, time_left: bool = False) -> Progress:
    """Return a progress bar on standard error, silent where that is no terminal.

    Args:
        time_left: for hours rather than seconds: a percentage and the time left instead of a count.
    """
    console = Console(stderr=True, highlight=False)
    counted = (TaskProgressColumn(), TimeRemainingColumn()) if time_left else (MofNCompleteColumn(),)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *counted,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
