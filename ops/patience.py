"""Waiting for a broker that is away: says so once, tries again, and says when it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ops.console import messages
from stream.entry import Interrupted
from stream.errors import Retryable
from stream.transports.contract import Message, Reader

Result = TypeVar("Result")
WAIT_S = 1.0


def patiently(
    call: Callable[[], Result],
    away: type[Exception] = Retryable,
    *,
    waiting: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Result:
    """Return what ``call`` returns, calling it again for as long as it raises ``away``.

    Args:
        call: what may succeed later.
        away: what it raises then.
        waiting: told why, before each wait; a person is told once.
        stop: when set, waiting ends with ``Interrupted``; None: only the answer ends it.

    Raises:
        Interrupted: asked to stop before there was an answer.
    """
    stop = stop or threading.Event()
    waited = False
    while True:
        try:
            result = call()
        except away as error:
            if not waited:
                messages().print(f"waiting: {error}", style="yellow", markup=False)
            waited = True
            waiting(str(error))
            if stop.wait(WAIT_S):
                raise Interrupted(str(error)) from error
            continue
        if waited:
            messages().print("going on", style="green")
        return result


class PatientReader:
    """A reader that waits for a broker that is away, at its first step and at any other."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, max_records: int, timeout_s: float) -> list[Message]:
        """Return the next messages, as ``Reader.read`` does."""
        return patiently(lambda: self._reader.read(max_records, timeout_s))

    def at_end(self) -> bool:
        """Return whether everything was read, as ``Reader.at_end`` does."""
        return patiently(self._reader.at_end)

    def close(self) -> None:
        """Release everything."""
        self._reader.close()
