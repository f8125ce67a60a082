"""Signals that ask a command to stop, handed to what waits for that: an event.

``threading.Event`` has a lock that is not reentrant, and a signal's handler runs in the middle of the main thread,
which may hold it: a handler that sets the event itself could wait for ever for the thread that it interrupted. So it
puts into a ``SimpleQueue``, whose ``put`` is reentrant, and a thread of its own sets the event.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def asks_to_stop(stop: threading.Event) -> Callable[..., None]:
    """Return a handler of signals that has an event set; called as often as signals come."""
    asked: SimpleQueue[None] = SimpleQueue()

    def pass_on() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=pass_on, name="stop", daemon=True).start()
    return lambda *_: asked.put(None)


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stop = threading.Event()
    handler = asks_to_stop(stop)
    for number in STOP_SIGNALS:
        signal.signal(number, handler)
    return stop
