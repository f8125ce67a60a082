"""Runs commands of the program in processes of their own, forked from this one, which has imported it.

Importing the program and loading its compiled loops takes seconds, which a suite that starts it a hundred times would
pay a hundred times. Nothing here has threads or connections when it forks, and a command's process ends as Python does.
Each imports ONNX Runtime by itself, which starts a thread as it is imported.

Reads requests from stdin, a line of JSON each: either the words of one command, or lines of words that one process runs
in turn; the environment, the folder, files for stdout and stderr, and a pipe to which the exit status is written, as
``subprocess`` has it. In turn, each line's exit status and what it wrote to standard error is a line of JSON on stdout.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from classifiers.spectral.measuring import compile_loops
from ops.command_line import COMMANDS, main


def load() -> None:
    """Import the program but for what imports ONNX Runtime, and load the compiled loops."""
    sys.modules["onnxruntime"] = None  # type: ignore[assignment]  # as Python has it: whoever imports it fails
    for target in COMMANDS.values():
        with suppress(ImportError):
            import_module(target.partition(":")[0])
    compile_loops()
    del sys.modules["onnxruntime"]
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "what is forked must have one thread"


def next_request() -> dict[str, Any] | None:
    """Fork for each request one process that waits and one that works; return the request in the latter, else None."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            request: dict[str, Any] = json.loads(line)
            status_file = request.pop("status")
            child = os.fork()
            if child == 0:
                return request
            _, status = os.waitpid(child, 0)
            Path(status_file).write_text(str(os.waitstatus_to_exitcode(status)), encoding="utf-8")
            return None
    return None


def work(words: Sequence[str], lines: Sequence[Sequence[str]], env: dict[str, str], **places: str) -> None:
    """Make this process what a shell would have started, and run the command or, where there are lines, these."""
    for descriptor, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, places["stdout"], os.O_WRONLY),
        (2, places["stderr"], os.O_WRONLY),
    ):
        os.dup2(os.open(path, mode | os.O_CREAT | os.O_CLOEXEC), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(places["cwd"])
    for line in lines:
        print(json.dumps(ended(line)), flush=True)
    if not lines:
        sys.argv = ["specstream", *words]
        main()


def ended(words: Sequence[str]) -> tuple[int | str | None, str]:
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
    load()
    to_do = next_request()
    if to_do is not None:
        work(**to_do)
