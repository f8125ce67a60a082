"""A night that was archived gives, when it is replayed, the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.transports.contract import Message

BATCHING = "[batching]\nmax_records = {}\n"


def replayed(
    specstream: Any,
    write_config: Callable[..., Path],
    broker: str,
    prefix: str,
    folder: Path,
    batch: int,
) -> str:
    """Archive the inputs of a broker, run on the archive with another batch size, and return its address."""
    archive = f"file:{folder / 'kept'}"
    topics = (f"{broker}/{prefix}.l1", f"{broker}/{prefix}.alerts")
    done = specstream("archive", *topics, "--to", archive)
    assert done.returncode == 0, done.stderr
    again = specstream("archive", *topics, "--to", archive)
    assert again.returncode == 0, again.stderr
    assert "0 records" in again.stderr
    more = f'image_alert = ["{prefix}.alerts"]\n' + BATCHING.format(batch)
    config = write_config(folder / "replay.toml", archive, more, group="replay", prefix=prefix)
    done = specstream("run", "-c", config, "--until-idle", "0.5")
    assert done.returncode == 0, done.stderr
    done = specstream("ledger", "verify", "-c", config)
    assert done.returncode == 0, done.stderr
    return archive


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_an_archive_replays_to_the_same_bytes(
    where: str,
    specstream: Any,
    write_config: Callable[..., Path],
    values_by_l2_id: Callable[[str, str], dict[str, bytes]],
    committed: Callable[[str, str], list[Message]],
    request: pytest.FixtureRequest,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """L2 values are equal byte for byte, from a folder and from Kafka, whatever the batches were."""
    broker = f"file:{tmp_path / 'night'}" if where == "file" else f"kafka://{request.getfixturevalue('broker_url')}"
    prefix = f"replay-{where}"
    more = f'image_alert = ["{prefix}.alerts"]\n' + BATCHING.format(64)
    config = write_config(tmp_path / "night.toml", broker, more, group=prefix, prefix=prefix)
    for arguments in (
        ("topics", "create", "-c", config),
        ("ingest", data_dir / "fits", "--to", f"{broker}/{prefix}.l1", "-c", config),
        ("simulate", "--to", f"{broker}/{prefix}.l1", "-n", 40, "-c", config),
        ("produce", data_dir / "alerts" / "winter", "--to", f"{broker}/{prefix}.alerts", "-c", config),
        ("run", "-c", config, "--until-idle", "1"),
    ):
        done = specstream(*arguments)
        assert done.returncode == 0, done.stderr
    original = values_by_l2_id(broker, f"{prefix}.l2")
    assert len(original) > 50
    archive = replayed(specstream, write_config, broker, prefix, tmp_path, batch=3)
    assert values_by_l2_id(archive, f"{prefix}.l2") == original


@pytest.mark.slow
def test_an_archive_takes_topics_of_one_broker_into_a_folder(specstream: Any, tmp_path: Path) -> None:
    """Two brokers, or a target that is no folder, are refused in one line."""
    for arguments, word in (
        ((f"file:{tmp_path}/a/t", f"file:{tmp_path}/b/t", "--to", f"file:{tmp_path}/c"), "one broker"),
        ((f"file:{tmp_path}/a/t", "--to", "kafka://localhost:9092"), "--to"),
    ):
        done = specstream("archive", *arguments)
        assert done.returncode == 2
        assert word in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
