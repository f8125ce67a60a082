"""A process killed again and again, a multi-spectrum file and a report, for the tests of the ways into the stream."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

# A way in whose process is killed, without a word, at the given step of its commits.
KILLED = """
    import os, signal
    from pathlib import Path
    from schemas.catalogue import Catalogue
    from schemas.codec import Codec
    from stream.entry import EntryLimits
    from stream.ingest import ingest
    from stream.produce import produce
    from stream.transports.folder import FolderPublisher

    left = {steps}

    def die(step):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    path = Path({path!r})
    codec = Codec(Catalogue.embedded())
    publisher = FolderPublisher(Path({folder!r}), {identity!r}, "state", before_step=die)
    {call}
"""

KillAgainAndAgain = Callable[..., None]


@pytest.fixture
def kill_again_and_again(start: Callable[[str], subprocess.Popen[str]]) -> KillAgainAndAgain:
    """Return a function that runs a call again and again, killed after each of some numbers of steps, then to its end.

    The call is one line that knows ``path``, ``codec`` and ``publisher``.
    """

    def run(call: str, path: Path, folder: Path, identity: str, kills: Sequence[int]) -> None:
        names = {"call": call, "path": str(path), "folder": str(folder), "identity": identity}
        for steps in kills:
            assert start(KILLED.format(steps=steps, **names)).wait(120) == -signal.SIGKILL
        assert start(KILLED.format(steps=0, **names)).wait(120) == 0

    return run


@pytest.fixture(scope="session")
def make_exposure() -> Callable[..., Path]:
    """Return a function that writes a small 4MOST multi-spectrum file, whose spectra are called 4MOST-00000 ..."""

    def make(path: Path, n: int, n_pixels: int = 50, first: int = 0) -> Path:
        ids = [f"4MOST-{number:05d}" for number in range(first, first + n)]
        shape = (n, n_pixels)
        spectra = {
            "FLUX": (f"{n_pixels}E", np.full(shape, 1e-17, np.float32)),
            "FLUX_IVAR": (f"{n_pixels}E", np.full(shape, 1e34, np.float32)),
            "QUAL": (f"{n_pixels}I", np.zeros(shape, np.int16)),
            "SPECUID": ("20A", ids),
        }
        fibres = {
            "SPECUID": ("20A", ids),
            "FIB_ID": ("J", np.arange(1, n + 1)),
            "OBJ_UID": ("K", 9_000_000_000 + first + np.arange(n)),
            "FIB_USE": ("I", np.ones(n)),
            "FIB_ST": ("I", np.full(n, 2)),
            "OBJ_FLAG": ("J", np.arange(n)),
            "OBJ_RA": ("D", np.full(n, 10.0)),
            "OBJ_DEC": ("D", np.full(n, -30.0)),
            "OBID": ("J", np.full(n, 112)),
        }
        tables = [_table("SPECTAB", spectra), _table("FIBMETATAB", fibres)]
        tables[0].header.update(
            {"TUNIT1": "erg/(s*cm^2*Angstrom)", "SPECSYS": "HELIOCEN", "1CRVL1": 370.0, "1CDLT1": 0.025, "1CRPX1": 1.0}
            | {"1CUNI1": "nm", "TDIM1": f"({n_pixels})"}
        )
        primary = fits.PrimaryHDU()
        primary.header.update({"TELESCOP": "ESO-VISTA", "INSTRUME": "QMOST", "FLUXCAL": "ABSOLUTE"})
        blocks = {"OBID": ("J", [112]), "MJD-OBS": ("D", [61000.1]), "MJD-END": ("D", [61000.2])}
        fits.HDUList([primary, _table("OBMETATAB", blocks), *tables]).writeto(path, overwrite=True)
        return path

    return make


def _table(name: str, columns: dict[str, tuple[str, Any]]) -> fits.BinTableHDU:
    made = [fits.Column(name=key, format=form, array=np.asarray(values)) for key, (form, values) in columns.items()]
    return fits.BinTableHDU.from_columns(made, name=name)


class HeardReport:
    """An ``EntryReport`` that keeps what it hears; ``on_published`` is called with the number of records so far."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.records = 0
        self.on_published: Callable[[int], None] = lambda _: None

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        """Return the arguments of the events of one kind."""
        return [rest for name, *rest in self.events if name == kind]

    def started(self, source: str, size_bytes: int) -> None:
        self.events.append(("started", source, size_bytes))

    def published(self, records: int, size_bytes: int) -> None:
        self.events.append(("published", records, size_bytes))
        self.records += records
        self.on_published(self.records)

    def finished(self, source: str, records: int) -> None:
        self.events.append(("finished", source, records))

    def skipped(self, source: str, why: str) -> None:
        self.events.append(("skipped", source, why))

    def refused(self, source: str, why: str) -> None:
        self.events.append(("refused", source, why))

    def waiting(self, why: str) -> None:
        self.events.append(("waiting", why))


@pytest.fixture
def heard() -> HeardReport:
    """Return a report that keeps what it hears."""
    return HeardReport()
