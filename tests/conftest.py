"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real spectra, FITS files and alerts; skip where it is absent."""
    path = Path(os.environ.get("SPECSTREAM_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not (path / "spectra").is_dir():
        pytest.skip(f"real data not found at {path}; set SPECSTREAM_DATA")
    return path
