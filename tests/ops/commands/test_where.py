"""``tail --where`` on a topic whose records have different class schemes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import Codec
from stream.transports.contract import Output
from stream.transports.opening import open_publisher

L2 = "specstream.l2.classification"
MAPS: dict[str, dict[str, float]] = {
    "spectrum": {"QSO_nan": 0.7, "STAR_A0": 0.3},
    "alert": {"ARTEFACT": 0.9, "HOSTLESS": 0.1},
    "nothing": {},
    "second": {"QSO_nan": 0.9, "STAR_A0": 0.1},
}


@pytest.mark.slow
def test_a_class_of_one_scheme_selects_among_records_of_others(specstream: Any, codec: Codec, tmp_path: Path) -> None:
    """Both ways to write a key give the same; a field that no record has is still refused by name."""
    broker = f"file:{tmp_path / 'spool'}"
    publisher = open_publisher(broker, "test")
    for offset, (l1_id, probabilities) in enumerate(MAPS.items()):
        source = {"topic": "l1", "partition": 0, "offset": offset, "timestamp_ms": 0}
        record = {
            "l2_id": l1_id, "source": source, "l1_id": l1_id, "lane": "image" if l1_id == "alert" else "spectrum",
            "survey": "SDSS", "engines": [], "class_probabilities": probabilities, "unknown": False,
            "unknown_rate": 0.01, "quality_flags": 0,
        }  # fmt: skip
        publisher.publish([Output(L2, None, codec.encode("l2_classification", record))], {})
    publisher.close()
    for key in (".QSO_nan", "['QSO_nan']"):
        done = specstream("tail", f"{broker}/{L2}", "--format", "jsonl", "--where", f"class_probabilities{key} > 0.5")
        assert (done.returncode, done.stderr) == (0, "")
        assert [json.loads(line)["l1_id"] for line in done.stdout.splitlines()] == ["spectrum", "second"]
    done = specstream("tail", f"{broker}/{L2}", "--where", "source.ofset > 1")
    assert done.returncode == 2
    assert "unknown name 'ofset'; did you mean offset?" in done.stderr
