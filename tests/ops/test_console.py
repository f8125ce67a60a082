"""What is said in one line is one line, however narrow the terminal."""

from __future__ import annotations

import pytest

from ops.console import messages, progress_bar, visible


def test_a_message_is_not_folded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is longer than the terminal is wide ends once."""
    monkeypatch.setenv("COLUMNS", "40")
    line = "not shown: " + "a word " * 30 + "end"
    messages().print(line, style="yellow", markup=False)
    assert capsys.readouterr().err == line + "\n"


def test_what_no_line_shows_is_escaped() -> None:
    """Line breaks, the start of a colour, and bytes of a file's name that are no text; everything else stays."""
    assert visible("a\nb\r\x1b[31m\udcff.fits") == r"a\nb\r\x1b[31m\udcff.fits"
    assert visible("µ Ori [1] spectrum.fits") == "µ Ori [1] spectrum.fits"


def test_a_long_work_shows_the_time_that_is_left() -> None:
    """A percentage and a time left instead of a count; other bars count."""
    columns = {
        time_left: {type(column).__name__ for column in progress_bar(time_left=time_left).columns}
        for time_left in (False, True)
    }
    assert {"TimeRemainingColumn", "TaskProgressColumn"} <= columns[True]
    assert "MofNCompleteColumn" in columns[False] - columns[True]
