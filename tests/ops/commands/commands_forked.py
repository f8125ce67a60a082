"""Runs commands of the program, each in a process of its own, forked from this one, which has imported it.

Importing the program and loading its compiled loops takes seconds, which a suite that starts it a hundred times would
pay a hundred times. Nothing here has threads or connections when it forks, and a command's process ends as Python does.
Each imports ONNX Runtime by itself, which starts a thread as it is imported.

Reads from stdin, a line of JSON each: words, environment, folder, and the files for stdout and stderr; says the exit
status of each command as a line on stdout, negative for a signal as ``subprocess`` has it.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from classifiers.spectral.measuring import compile_loops
from ops.command_line import COMMANDS, main


def become(words: list[str], env: dict[str, str], cwd: str, stdout: str, stderr: str) -> None:
    """Make this process what a shell would have started."""
    for descriptor, path, mode in ((0, os.devnull, os.O_RDONLY), (1, stdout, os.O_WRONLY), (2, stderr, os.O_WRONLY)):
        os.dup2(os.open(path, mode | os.O_CREAT | os.O_CLOEXEC), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["specstream", *words]


def next_command() -> dict[str, Any] | None:
    """Fork for each request; return it in the command's process, and None in this one once there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return dict(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def load() -> None:
    """Import the program but for what imports ONNX Runtime, and load the compiled loops."""
    sys.modules["onnxruntime"] = None  # type: ignore[assignment]  # as Python has it: whoever imports it fails
    for target in COMMANDS.values():
        with suppress(ImportError):
            import_module(target.partition(":")[0])
    compile_loops()
    del sys.modules["onnxruntime"]
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "what is forked must have one thread"


if __name__ == "__main__":
    load()
    request = next_command()
    if request is not None:
        become(**request)
        main()
