"""``specstream run`` as a process of its own, on a bench's topics."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.bench.running import BenchFailed
from stream.settings import Settings

IDLE_S = 3.0


class ServiceProcess:
    """A service that ends by itself once nothing is left."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def runs(self) -> bool:
        """Return whether it has not ended yet."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            BenchFailed: it ended with another status than 0.
        """
        _, said = self._process.communicate()
        if self._process.returncode:
            raise BenchFailed(f"the service ended with {self._process.returncode}: {said.strip()[-300:]}")


@contextmanager
def service_process(settings: Settings) -> Iterator[ServiceProcess]:
    """Start ``specstream run`` with the broker, group and topics of some settings, all else as shipped."""
    topics = settings.topics
    text = (
        f'broker = "{settings.broker}"\ngroup = "{settings.group}"\n[topics]\nl1_spectrum = "{topics.l1_spectrum}"\n'
        f'l2 = "{topics.l2}"\ndead_letter = "{topics.dead_letter}"\nledger = "{topics.ledger}"\n[metrics]\nport = 0\n'
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "specstream.toml"
        config.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "ops", "run", "--config", str(config), "--until-idle", str(IDLE_S)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
        try:
            yield ServiceProcess(process)
        finally:
            process.terminate()
            process.wait()
