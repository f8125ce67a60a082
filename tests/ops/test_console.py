"""What is said in one line is one line, however narrow the terminal."""

from __future__ import annotations

import pytest

from ops.console import messages


def test_a_message_is_not_folded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is longer than the terminal is wide ends once."""
    monkeypatch.setenv("COLUMNS", "40")
    line = "not shown: " + "a word " * 30 + "end"
    messages().print(line, style="yellow", markup=False)
    assert capsys.readouterr().err == line + "\n"
