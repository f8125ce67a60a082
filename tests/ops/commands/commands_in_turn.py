"""Runs commands of the program one after another in one process, which imports it once.

Reads a JSON list of command lines (lists of words) from stdin; says for each, as a line of JSON on stdout, the exit
status and what the command wrote to standard error.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from ops.command_line import main


def ended(words: list[str]) -> tuple[int | str | None, str]:
    """Run one command; return its exit status and its standard error."""
    sys.argv = ["specstream", *words]
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            return end.code, said.getvalue()
    return None, said.getvalue()


if __name__ == "__main__":
    for line in json.load(sys.stdin):
        print(json.dumps(ended(line)), flush=True)
