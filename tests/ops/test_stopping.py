"""Signals that ask to stop: however many and whenever they come, the waiting ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

WAITS = """
import sys
from ops.stopping import stop_on_signals

stop = stop_on_signals()
print("ready", flush=True)
while not stop.is_set():
    stop.wait(0.00002)  # holds the event's lock as often as not
print("stopped")
"""


def test_a_burst_of_signals_ends_the_waiting_and_nothing_else() -> None:
    """Ten programs, forty signals each: a handler that sets the event itself hangs in some of them."""
    running = [
        subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(10)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for number in range(40):
            for process in running:
                if process.poll() is None:
                    process.send_signal((signal.SIGTERM, signal.SIGINT)[number % 2])
            time.sleep(0.0005)
        for process in running:
            said, error = process.communicate(timeout=20)
            assert (said, error) == ("stopped\n", "")  # what comes while the interpreter ends may end it
    finally:
        for process in running:
            process.kill()
            process.wait()
