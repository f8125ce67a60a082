"""A night with bad input: what its rows are made from, and the whole service run over them on one folder."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.io import fits

from classifiers.suite import default_bundles, open_suites
from schemas.codec import Codec
from stream.ledger.verify import verify_ledger
from stream.service import ServiceReport, serve
from stream.settings import Settings
from stream.transports.contract import Output
from stream.transports.folder import FolderPublisher, FolderReader, FolderTransport

L1, ALERTS = "specstream.l1.spectrum", "alerts"
LOG10_START, LOG10_STEP, N_PIXELS = 3.55, 1e-4, 4671
BRIGHT_ROW = 0

Value = bytes | None


@dataclass(frozen=True)
class Given:
    """What the rows are made from: a real spectrum, a real alert, and the codec."""

    codec: Codec
    record: dict[str, Any]
    alert: bytes

    def spectrum(self, **changes: Any) -> bytes:
        """Return the real spectrum with some fields changed."""
        return self.codec.encode("l1_spectrum", self.record | changes)

    def cut(self, n: int) -> dict[str, Any]:
        """Return the changes that keep the first n pixels."""
        grid = self.record["grid"] | {"n": n}
        return {"grid": grid, "flux": self.record["flux"][:n], "uncertainty": self.record["uncertainty"][:n]}

    def masked(self, share: float) -> dict[str, Any]:
        """Return the changes that mask a share of the pixels, spread evenly."""
        return {"quality": (np.arange(N_PIXELS) % 100 < 100 * share).astype(np.int32)}

    def alert_with(self, **cutouts: Any) -> bytes:
        """Return the real alert with some cutouts changed: None, bytes, or an image."""
        reader = fastavro.reader(io.BytesIO(self.alert))
        record: Any = next(reader)
        for name, value in cutouts.items():
            stored = gzip.compress(self.fits_bytes(value), mtime=0) if isinstance(value, np.ndarray) else value
            record[name] = None if stored is None else record[name] | {"stampData": stored}
        stream = io.BytesIO()
        assert reader.writer_schema is not None
        fastavro.writer(stream, reader.writer_schema, [record])
        return stream.getvalue()

    def stamp(self, name: str) -> bytes:
        """Return a cutout of the real alert as it is stored."""
        record: Any = next(fastavro.reader(io.BytesIO(self.alert)))
        return bytes(record[name]["stampData"])

    @staticmethod
    def container(records: list[Any], codec: str = "null") -> bytes:
        """Return an object container of records of nobody's schema."""
        schema = {"type": "record", "name": "example", "fields": [{"name": "x", "type": "bytes"}]}
        stream = io.BytesIO()
        fastavro.writer(stream, schema, records, codec=codec)
        return stream.getvalue()

    @staticmethod
    def fits_bytes(image: Any) -> bytes:
        """Return an image as a FITS file."""
        stream = io.BytesIO()
        fits.PrimaryHDU(image.astype(np.float32)).writeto(stream)
        return stream.getvalue()


@dataclass
class Night:
    """What went in and what came out, by key."""

    sent: dict[str, Value]
    l2: dict[str, dict[str, Any]]
    dead: dict[str, dict[str, Any]]
    report: ServiceReport
    imbalance: str


@pytest.fixture(scope="session")
def given(data_dir: Path, codec: Codec) -> Given:
    """Return what the rows are made from."""
    stored = np.load(data_dir / "spectra" / "real_spectra.npz")
    scale = np.float32(stored["scale"][BRIGHT_ROW])
    record = {
        "l1_id": "real-0", "survey": "SDSS", "ra_deg": 150.0, "dec_deg": 2.0, "medium": "VACUUM", "specsys": "HELIOCEN",
        "grid": {"kind": "LOG10", "start": LOG10_START, "step": LOG10_STEP, "n": N_PIXELS},
        "flux": stored["flux"][BRIGHT_ROW].astype(np.float32) * scale,
        "flux_unit": "1e-17 erg/s/cm2/Angstrom", "flux_calibration": "ABSOLUTE",
        "uncertainty": stored["ivar"][BRIGHT_ROW].astype(np.float32) / scale**2, "uncertainty_kind": "IVAR",
    }  # fmt: skip
    alert = (data_dir / "alerts" / "ztf_ocf" / "2475433850015010009.avro").read_bytes()
    return Given(codec, record, alert)


@pytest.fixture(scope="session")
def run_night(given: Given, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Night]:
    """Return a function that runs the service once over topics and values by name, good messages between them."""
    return lambda rows: _run_night(rows, given, codec, tmp_path_factory.mktemp("night"))


def _run_night(rows: Mapping[str, tuple[str, Value]], given: Given, codec: Codec, folder: Path) -> Night:
    sent: dict[str, Value] = {}
    outputs = []
    for number, (name, (bad_topic, bad)) in enumerate(rows.items()):
        for key, topic, value in (
            (f"good spectrum {number}", L1, given.spectrum(l1_id=f"good-{number}")),
            (f"good alert {number}", ALERTS, given.alert),
            (name, bad_topic, bad),
        ):
            sent[key] = value
            outputs.append(Output(topic, key.encode(), value, (("from", b"table"),)))
    outputs.append(Output(L1, b"last", given.spectrum(l1_id="last")))
    sent["last"] = given.spectrum(l1_id="last")
    with closing(FolderPublisher(folder, "table", "state")) as publisher:
        publisher.publish(outputs, {})
    config = Settings(broker=f"file:{folder}", topics={"image_alert": [ALERTS]}, batching={"max_records": 16})
    topics = config.topics
    with closing(FolderTransport(folder, topics.inputs, config.group)) as transport:
        report = serve(config, transport, open_suites(default_bundles()), Deaf(), codec=codec, until_idle_s=0.05)
    proof = verify_ledger(topics, config.group, lambda topic: FolderReader(folder, [topic]), codec)
    keys = {
        (m.source.topic, m.source.partition, m.offset): (m.key or b"").decode() for m in read(folder, *topics.inputs)
    }

    def by_key(topic: str) -> dict[str, dict[str, Any]]:
        records = [codec.decode(m.value or b"").record for m in read(folder, topic)]
        named = {keys[r["source"]["topic"], r["source"]["partition"], r["source"]["offset"]]: r for r in records}
        assert len(named) == len(records)
        return named

    return Night(sent, by_key(topics.l2), by_key(topics.dead_letter), report, str(proof.difference or ""))


def read(folder: Path, *topics: str) -> list[Any]:
    found: list[Any] = []
    with closing(FolderReader(folder, topics)) as reader:
        while not reader.at_end():
            found += reader.read(1000, 0.1)
    return found


class Deaf:
    """A telemetry that forgets what it is told."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None
