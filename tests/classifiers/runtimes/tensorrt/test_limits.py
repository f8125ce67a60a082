"""A command may crash, hang or eat memory: what is left is one line that says which, and no process."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from classifiers.runtimes.tensorrt.limits import Died, Limits, resident_bytes, run


def python(code: str) -> list[str]:
    """Return a command that runs code."""
    return [sys.executable, "-c", code]


def ignore(_: str) -> None:
    """Take no note of a line."""


def test_what_a_command_writes_is_heard_line_by_line() -> None:
    """Progress is told while the command runs."""
    lines: list[str] = []
    run(python("print('one'); print('two')"), Limits(), lines.append)
    assert lines == ["one\n", "two\n"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, "ended by SIGSEGV (the library crashed) after: last words"),
        (signal.SIGABRT, "ended by SIGABRT (the library gave up) after: last words"),
        (signal.SIGKILL, "ended by SIGKILL (something killed it, such as the kernel when memory ran out) after: last"),
    ],
)
def test_a_signal_is_named_with_what_was_said_before(number: signal.Signals, words: str) -> None:
    """A crash of the vendor library reads as one, not as a number."""
    code = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
        f"print('first\\nlast words', file=sys.stderr, flush=True); os.kill(os.getpid(), {int(number)})"
    )
    with pytest.raises(Died) as death:
        run(python(code), Limits(), ignore)
    assert death.value.reason.startswith(words)


def test_a_status_is_explained_by_the_last_line_of_standard_error() -> None:
    """Or by the status, where nothing was said."""
    with pytest.raises(Died, match=r"^this is why$"):
        run(python("import sys; print('noise\\nthis is why\\n', file=sys.stderr); sys.exit(1)"), Limits(), ignore)
    with pytest.raises(Died, match="status 7"):
        run(python("import sys; sys.exit(7)"), Limits(), ignore)


def test_a_command_that_hangs_is_killed_at_its_time() -> None:
    """Nothing of it stays behind."""
    heard: list[str] = []
    with pytest.raises(Died, match=r"longer than 1 s"):
        run(
            python("import os, threading; print(os.getpid(), flush=True); threading.Event().wait()"),
            Limits(seconds=1.0),
            heard.append,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(heard[0]), 0)


def test_a_command_that_takes_too_much_memory_is_killed_with_both_numbers() -> None:
    """What it holds is watched, however it came by it."""
    code = "import threading; b = bytearray(300 * 2**20); threading.Event().wait()"
    with pytest.raises(Died, match=r"held \d+ MiB of memory, expected at most 100 MiB"):
        run(python(code), Limits(memory_bytes=100 * 2**20), ignore)


def test_address_space_that_is_only_reserved_is_no_memory() -> None:
    """CUDA reserves many times what the machine has; that must not count."""
    code = "import mmap; mmap.mmap(-1, 64 * 2**30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000); print('fine')"
    lines: list[str] = []
    run(python(code), Limits(memory_bytes=100 * 2**20), lines.append)
    assert lines == ["fine\n"]


def test_a_processs_memory_is_read_and_a_gone_one_has_none() -> None:
    """The watch never fails because the process ended first."""
    assert resident_bytes(os.getpid()) > 2**20
    assert resident_bytes(2**30) == 0


def test_standard_input_stays_open_while_the_command_runs() -> None:
    """A builder ends when it closes, so it must not before its time."""
    code = (
        "import os, threading\n"
        "ended = threading.Event()\n"
        "threading.Thread(target=lambda: (os.read(0, 1), ended.set()), daemon=True).start()\n"
        "print(ended.wait(0.5), flush=True)"
    )
    lines: list[str] = []
    run(python(code), Limits(), lines.append)
    assert lines == ["False\n"]
