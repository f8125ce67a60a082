"""A command that may crash, hang or take all memory, run so that it harms nobody; and why it ended, in one line.

Memory is watched, not limited by the kernel: CUDA reserves address space of many times the machine's memory at its
start, so that a limit on address space (RLIMIT_AS) refuses every builder, and RLIMIT_RSS has no effect on Linux. What
the process holds in memory is read from /proc some times a second, and one that holds too much is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from classifiers.runtimes.tensorrt.library import one_line

WATCH_EVERY_S: Final = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEANINGS: Final = {
    signal.SIGSEGV: "the library crashed",
    signal.SIGABRT: "the library gave up",
    signal.SIGBUS: "the library crashed",
    signal.SIGILL: "the library has instructions that this processor lacks",
    signal.SIGKILL: "something killed it, such as the kernel when memory ran out",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a builder may take.

    Attributes:
        memory_bytes: that it holds at once.
        seconds: from its start to its end [s].
    """

    memory_bytes: int = 16 * 2**30
    seconds: float = 3600.0


class Died(Exception):
    """The command did not end well.

    Attributes:
        reason: in one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def run(command: Sequence[str], limits: Limits, heard: Callable[[str], None]) -> None:
    """Run a command to its end.

    Its standard input stays open until it ended, so that it can notice when nobody waits for it any more.

    Args:
        command: program and arguments.
        limits: beyond which it is killed.
        heard: called with each line that it writes to standard output, from another thread.

    Raises:
        Died: it ended with another status than 0, by a signal, or was killed for passing a limit.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # the program is this interpreter
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        )
        reader = threading.Thread(target=_read, args=(process.stdout, heard), daemon=True)
        reader.start()
        try:
            passed = _watch(process, limits)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            reader.join()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        if passed or process.returncode:
            raise Died(passed or _ending(process.returncode, _last_line(errors)))


def _read(stream: IO[str] | None, heard: Callable[[str], None]) -> None:
    for line in stream or ():
        heard(line)


def _watch(process: subprocess.Popen[str], limits: Limits) -> str:
    """Wait for the end; return which limit was passed, or ""."""
    end = time.monotonic() + limits.seconds
    while True:
        try:
            process.wait(WATCH_EVERY_S)
        except subprocess.TimeoutExpired:
            held = resident_bytes(process.pid)
            if held > limits.memory_bytes:
                return f"killed: it held {held / 2**20:.0f} MiB of memory, expected at most {_mib(limits)} MiB"
            if time.monotonic() > end:
                return f"killed: it took longer than {limits.seconds:g} s"
        else:
            return ""


def _mib(limits: Limits) -> str:
    return f"{limits.memory_bytes / 2**20:.0f}"


def resident_bytes(process: int) -> int:
    """Return what a process holds in memory [byte]; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines: list[Any] = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def _ending(status: int, said: str) -> str:
    """Return how a process ended, in words."""
    if status > 0:
        return said or f"it ended with status {status} and no word"
    try:
        name = signal.Signals(-status)
    except ValueError:
        return f"ended by signal {-status}" + (f" after: {said}" if said else "")
    meaning = f" ({_MEANINGS[name]})" if name in _MEANINGS else ""
    return f"ended by {name.name}{meaning}" + (f" after: {said}" if said else "")
