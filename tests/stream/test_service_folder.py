"""The service on the file transport: exactly once across restarts, replay to the byte, real engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.classifier import Classifier
from classifiers.suite import default_bundles, open_suites
from schemas.codec import Codec
from stream.decoded import Lane
from stream.ledger.verify import Verification, verify_ledger
from stream.redrive import redrive
from stream.service import ServiceReport, serve
from stream.settings import Settings
from stream.transports.contract import Message, Output
from stream.transports.folder.reader import FolderReader
from stream.transports.folder.transport import FolderTransport
from stream.transports.folder.writer import FolderWriter
from stream.transports.opening import open_publisher

L1 = "specstream.l1.spectrum"
L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"


def settings(folder: Path, group: str = "specstream", **batching: Any) -> Settings:
    return Settings(
        broker=f"file:{folder}",
        group=group,
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
    folder: Path,
    classifiers: Mapping[Lane, Classifier],
    telemetry: Any,
    codec: Codec,
    group: str = "specstream",
    **batching: Any,
) -> ServiceReport:
    config = settings(folder, group, **batching)
    transport = FolderTransport(folder, config.topics.inputs, config.group)
    try:
        return serve(config, transport, classifiers, telemetry, codec=codec, until_idle_s=0.05)
    finally:
        transport.close()


def proved(folder: Path, codec: Codec, group: str = "specstream") -> bool:
    config = settings(folder, group)
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


def test_groups_that_share_topics_each_have_a_proof(
    tmp_path: Path, codec: Codec, spectrum_value: Any, null_engines: Any, telemetry: Any
) -> None:
    """Two groups write the same values beside each other; a redriven dead letter is proved for both."""
    fill(tmp_path, [Output(L1, str(i).encode(), spectrum_value(i) if i % 9 else b"bad") for i in range(40)])
    groups = ("specstream", "replay")
    for group in groups:
        run(tmp_path, {"spectrum": null_engines()}, telemetry, codec, group)
    with (
        closing(FolderReader(tmp_path, [DEAD])) as letters,
        closing(open_publisher(f"file:{tmp_path}", "redrive", "specstream.ingest_state")) as publisher,
    ):
        assert redrive(letters, publisher, codec).finished == 10
    for group in groups:
        run(tmp_path, {"spectrum": null_engines()}, telemetry, codec, group)
        assert proved(tmp_path, codec, group)
    for topic, count in ((L2, 35), (DEAD, 15)):
        values = {
            group: [m.value for m in read(tmp_path, topic) if dict(m.headers)["group"] == group.encode()]
            for group in groups
        }
        assert len(values["replay"]) == count
        assert values["replay"] == values["specstream"]


@pytest.mark.parametrize("topic", [L2, DEAD])
def test_a_lost_output_is_found_beside_that_of_another_group(
    tmp_path: Path, codec: Codec, spectrum_value: Any, null_engines: Any, telemetry: Any, topic: str
) -> None:
    """What another group made of an input does not stand for what is missing."""
    fill(tmp_path, [Output(L1, str(i).encode(), spectrum_value(i) if i % 9 else b"bad") for i in range(20)])
    for group in ("specstream", "replay"):
        run(tmp_path, {"spectrum": null_engines()}, telemetry, codec, group)

    class Loses(FolderReader):
        def read(self, max_records: int, timeout_s: float) -> list[Message]:
            return [m for m in super().read(max_records, timeout_s) if dict(m.headers).get("group") != b"replay"]

    def verified(group: str) -> Verification:
        topics = settings(tmp_path).topics
        opened = {topic: Loses}
        return verify_ledger(topics, group, lambda name: opened.get(name, FolderReader)(tmp_path, [name]), codec)

    assert verified("specstream").holds
    difference = verified("replay").difference
    assert difference is not None
    assert difference.received == "none"


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
