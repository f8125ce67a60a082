"""One malformed file among others: a night is read all the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from astropy.io import fits


def test_a_night_goes_on_after_a_malformed_file(data_dir: Path, tmp_path: Path, specstream: Any) -> None:
    """It is refused, with status 1 for that; the others are published."""
    night = tmp_path / "night"
    night.mkdir()
    with fits.open(data_dir / "fits" / "eso-sdp-ADP.2015-10-15T12_53_33.873.fits") as file:
        file[0].header["DEC"] = 100.0
        file.writeto(night / "a.fits", output_verify="silentfix")
    shutil.copy(data_dir / "fits" / "sdss-spec-1599-53089-0469.fits", night / "b.fits")
    done = specstream("ingest", night, "--to", f"file:{tmp_path / 'spool'}/l1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "a.fits" in done.stderr
    assert "1" in done.stderr.splitlines()[-1]
    assert len(list((tmp_path / "spool").rglob("*.avro"))) >= 1
