"""Alerts as tests need them: FITS bytes, and records of each survey's layout."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy.io import fits


def _fits_bytes(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    fits.PrimaryHDU(image).writeto(stream)
    return stream.getvalue()


@pytest.fixture(scope="session")
def fits_bytes() -> Callable[[np.ndarray], bytes]:
    """Return a function that writes an image with astropy."""
    return _fits_bytes


@pytest.fixture
def ztf_record() -> Callable[..., dict[str, Any]]:
    """Return a maker of ZTF records; keywords replace cutouts (None, bytes or an image) and other fields."""

    def make(side: int = 63, **changes: Any) -> dict[str, Any]:
        rng = np.random.default_rng(11)
        record: dict[str, Any] = {
            "schemavsn": "4.02",
            "publisher": "test",
            "objectId": "ZTF26aaaaaaa",
            "candid": 3000000000000000001,
            "candidate": {
                "jd": 2461000.75,
                "fid": 1,
                "rcid": 10,
                "pid": 3000000000000,
                "programid": 1,
                "ra": 150.25,
                "dec": -12.5,
                "exptime": 30.0,
                "xpos": 1000.0,
                "ypos": 1200.0,
            },
        }
        for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
            image = rng.normal(100, 5, (side, side)).astype(np.float32)
            value = changes.pop(name, image)
            if isinstance(value, np.ndarray):
                value = gzip.compress(_fits_bytes(value), mtime=0)
            record[name] = None if value is None else {"fileName": "x.fits.gz", "stampData": value}
        for name in list(changes):
            target = record if name in record else record["candidate"]
            target[name] = changes[name]
        return record

    return make
