"""The whole service, killed again and again over real spectra and alerts on a real Kafka: nothing lost or doubled."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.bench.load import fill
from ops.commands.topics import topic_specs
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.settings import Settings, TopicsSettings
from stream.transports.broker import BrokerReader, create_topics

RECORDS, ALERTS, KILLS, SEED = 20_000, 2_000, 10, 20261121
LOG10_START, LOG10_STEP = 3.55, 1e-4
LONGEST_WAIT_S = 120.0


def real_spectra(data_dir: Path, codec: Codec, n: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and message of n observed spectra: each of the 558 again and again under new identifiers."""
    stored = np.load(data_dir / "spectra" / "real_spectra.npz")
    scale = stored["scale"].astype(np.float32).reshape(-1, 1)
    flux = stored["flux"].astype(np.float32) * scale
    inverse_variance = stored["ivar"].astype(np.float32) / scale**2
    for number in range(n):
        row = number % len(flux)
        identifier = f"real-{row}-{number}"
        record: dict[str, Any] = {
            "l1_id": identifier,
            "survey": "SDSS",
            "grid": {"kind": "LOG10", "start": LOG10_START, "step": LOG10_STEP, "n": flux.shape[1]},
            "medium": "VACUUM",
            "specsys": "BARYCENT",
            "flux": flux[row],
            "flux_unit": "1e-17 erg/s/cm2/Angstrom",
            "flux_calibration": "ABSOLUTE",
            "uncertainty": inverse_variance[row],
            "uncertainty_kind": "IVAR",
        }
        yield identifier.encode(), codec.encode("l1_spectrum", record)


def real_alerts(data_dir: Path) -> list[bytes]:
    """Return every alert message there is, the broken ones too, and the members of the tar archive."""
    alerts = data_dir / "alerts"
    values = [path.read_bytes() for path in sorted(alerts.rglob("*.avro"))]
    for path in sorted(alerts.rglob("*.tar.gz")):
        with tarfile.open(path) as archive:
            members = (archive.extractfile(member) for member in archive if member.isfile())
            values += [member.read() for member in members if member is not None]
    return values


def committed(bootstrap: str, topics: TopicsSettings, codec: Codec) -> Counter[tuple[str, int, int]]:
    """Return how often each input stands in the L2 and dead-letter topics, as a reader of committed records sees it."""
    counts: Counter[tuple[str, int, int]] = Counter()
    reader = BrokerReader(bootstrap, [topics.l2, topics.dead_letter])
    try:
        while not reader.at_end():
            for message in reader.read(2000, 1.0):
                source = codec.decode(message.value or b"").record["source"]
                counts[source["topic"], source["partition"], source["offset"]] += 1
    finally:
        reader.close()
    return counts


@pytest.mark.kafka
@pytest.mark.slow
def test_ten_kills_over_real_spectra_and_alerts_lose_and_double_nothing(
    broker_url: str, data_dir: Path, tmp_path: Path
) -> None:
    """After ten SIGKILLs at random amounts of progress each input has exactly one output, and the ledger proves it."""
    codec = Codec(Catalogue.embedded())
    topics = TopicsSettings(
        l1_spectrum="killed.l1",
        image_alert=("killed.alert",),
        l2="killed.l2",
        dead_letter="killed.dead",
        ledger="killed.ledger",
    )
    settings = Settings(broker=f"kafka://{broker_url}", group="killed", topics=topics)
    create_topics(broker_url, topic_specs(settings))
    fill(broker_url, "killed.l1", real_spectra(data_dir, codec, RECORDS - ALERTS))
    values = itertools.islice(itertools.cycle(real_alerts(data_dir)), ALERTS)
    fill(broker_url, "killed.alert", ((None, value) for value in values))
    config = tmp_path / "specstream.toml"
    config.write_text(
        f'broker = "kafka://{broker_url}"\ngroup = "killed"\n'
        '[topics]\nl1_spectrum = "killed.l1"\nimage_alert = ["killed.alert"]\nl2 = "killed.l2"\n'
        'dead_letter = "killed.dead"\nledger = "killed.ledger"\n'
        '[kafka]\ninstance = "0"\n[batching]\ncommit_max_records = 512\n[metrics]\nport = 0\n'
    )
    command = [sys.executable, "-m", "ops", "run", "--config", str(config), "--log-level", "error"]
    random = np.random.default_rng(SEED)
    kill_after = np.sort(random.integers(0, RECORDS * 3 // 4, KILLS))
    progress = BrokerReader(broker_url, [topics.l2, topics.dead_letter])
    seen = 0
    try:
        for threshold in kill_after:
            process = subprocess.Popen(command)
            waited_s = 0.0
            while seen <= threshold:
                assert process.poll() is None, "the service ended by itself"
                seen += len(progress.read(5000, 0.1))
                waited_s += 0.1
                assert waited_s < LONGEST_WAIT_S, "the service made no progress"
            process.kill()
            process.wait()
    finally:
        progress.close()
    assert seen < RECORDS, "every kill must come before the work is done"
    subprocess.run([*command, "--until-idle", "3"], check=True, timeout=300)

    counts = committed(broker_url, topics, codec)
    by_topic = Counter(topic for topic, _, _ in counts)
    assert by_topic == {"killed.l1": RECORDS - ALERTS, "killed.alert": ALERTS}
    assert set(counts.values()) == {1}
    verified = subprocess.run(
        [sys.executable, "-m", "ops", "ledger", "verify", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"holds for {RECORDS} records" in verified.stdout
