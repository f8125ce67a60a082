"""SIGTERM for commands that leave nothing to go on with: it ends them as an interrupt does, and they clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM came; the exit status is what a shell reports for it."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Raise ``Terminated`` in the main thread when SIGTERM comes, once: a second one does not disturb the clean-up."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
