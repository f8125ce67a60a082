"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.kafka.launcher import running_broker

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real spectra, FITS files and alerts; skip where it is absent."""
    path = Path(os.environ.get("SPECSTREAM_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not (path / "spectra").is_dir():
        pytest.skip(f"real data not found at {path}; set SPECSTREAM_DATA")
    return path


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """Run one real Kafka for the whole session, started when first asked for; return its ``HOST:PORT``.

    Tests share it, so each takes topics and groups of its own name.
    """
    with running_broker() as broker:
        yield broker.bootstrap
