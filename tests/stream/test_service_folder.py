"""The service on the file transport: exactly once across restarts, replay to the byte, real engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.classifier import Classifier
from classifiers.suite import default_bundles, open_suites
from schemas.codec import Codec
from stream.decoded import Lane
from stream.ledger.verify import verify_ledger
from stream.service import ServiceReport, serve
from stream.settings import Settings
from stream.transports.contract import Message, Output
from stream.transports.folder.reader import FolderReader
from stream.transports.folder.transport import FolderTransport
from stream.transports.folder.writer import FolderWriter

L1 = "specstream.l1.spectrum"
L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"


def settings(folder: Path, **batching: Any) -> Settings:
    return Settings(
        broker=f"file:{folder}",
        topics={"image_alert": ["alerts"]},
        batching={"max_age_ms": 5, "commit_max_age_ms": 10, **batching},
    )


def fill(folder: Path, outputs: list[Output]) -> None:
    writer = FolderWriter(folder)
    try:
        writer.commit(outputs)
    finally:
        writer.close()


def read(folder: Path, topic: str) -> Iterator[Message]:
    reader = FolderReader(folder, [topic])
    try:
        while not reader.at_end():
            yield from reader.read(100, 0.1)
    finally:
        reader.close()


def run(
    folder: Path, classifiers: Mapping[Lane, Classifier], telemetry: Any, codec: Codec, **batching: Any
) -> ServiceReport:
    config = settings(folder, **batching)
    transport = FolderTransport(folder, config.topics.inputs, config.group)
    try:
        return serve(config, transport, classifiers, telemetry, codec=codec, until_idle_s=0.05)
    finally:
        transport.close()


def proved(folder: Path, codec: Codec) -> bool:
    config = settings(folder)
    result = verify_ledger(config.topics, config.group, lambda topic: FolderReader(folder, [topic]), codec)
    assert result.holds, str(result.difference)
    return sum(account.records_in for account in result.partitions) > 0


def test_a_restarted_service_goes_on_where_the_commit_was(
    tmp_path: Path, codec: Codec, spectrum_value: Any, null_engines: Any, telemetry: Any
) -> None:
    """Stopped in the middle and started again, every input has one output, and the ledger proves it."""
    fill(tmp_path, [Output(L1, str(i).encode(), spectrum_value(i) if i % 9 else b"bad") for i in range(300)])
    config = settings(tmp_path, max_records=16, commit_max_records=32, in_flight_max_records=64)
    stop = threading.Event()

    class StopsEarly(FolderTransport):
        def commit(self, units: Any) -> Any:
            stop.set()
            return super().commit(units)

    transport = StopsEarly(tmp_path, config.topics.inputs, config.group)
    try:
        first = serve(config, transport, {"spectrum": null_engines()}, telemetry, codec=codec, stop=stop)
    finally:
        transport.close()
    assert 0 < first.records_in < 300
    second = run(tmp_path, {"spectrum": null_engines()}, telemetry, codec)
    assert first.records_in + second.records_in == 300
    assert proved(tmp_path, codec)
    assert len(list(read(tmp_path, L2))) + len(list(read(tmp_path, DEAD))) == 300


def real_spectra(data_dir: Path, codec: Codec) -> list[Output]:
    data = np.load(data_dir / "spectra" / "real_spectra.npz")
    outputs = []
    for row in range(24):
        scale = np.float32(data["scale"][row])
        record = {
            "l1_id": f"real-{row}", "survey": "SDSS", "grid": {"kind": "LOG10", "start": 3.55, "step": 1e-4, "n": 4671},
            "medium": "VACUUM", "specsys": "HELIOCEN", "flux": data["flux"][row].astype(np.float32) * scale,
            "flux_unit": "1e-17 erg/s/cm2/Angstrom", "flux_calibration": "ABSOLUTE",
            "uncertainty": data["ivar"][row].astype(np.float32) / scale**2, "uncertainty_kind": "IVAR",
        }  # fmt: skip
        outputs.append(Output(L1, str(row).encode(), codec.encode("l1_spectrum", record)))
    return outputs


def real_alerts(data_dir: Path, codec: Codec) -> list[Output]:
    alerts = sorted((data_dir / "alerts" / "ztf_ocf").glob("*.avro"))[:12]
    return [Output("alerts", path.name.encode(), path.read_bytes()) for path in alerts]


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [real_spectra, real_alerts])
def test_real_engines_give_the_same_bytes_for_any_batches(
    tmp_path: Path, codec: Codec, data_dir: Path, telemetry: Any, inputs: Callable[[Path, Codec], list[Output]]
) -> None:
    """Spectra and alerts through the shipped bundles: L2 values do not depend on batch size."""
    outputs = inputs(data_dir, codec)
    results = []
    for max_records in (1, 5, 64):
        folder = tmp_path / str(max_records)
        fill(folder, outputs)
        report = run(folder, open_suites(default_bundles()), telemetry, codec, max_records=max_records)
        assert report.records_in == report.records_out == len(outputs)
        assert proved(folder, codec)
        results.append({dict(m.headers)["l2_id"]: m.value for m in read(folder, L2)})
    assert len(results[0]) == len(outputs)
    assert results[0] == results[1]
    assert results[0] == results[2]
