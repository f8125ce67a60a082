"""Cells of a table are what FITS says that they are: text, logicals, unsigned and scaled numbers, nulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stream.fits.errors import FitsError
from stream.fits.opening import open_fits


def test_stored_values_become_physical_ones_as_astropy_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    columns = [
        fits.Column("Name", "10A", array=["  a", "b  "]),
        fits.Column("FLAG", "L", array=[True, False]),
        fits.Column("U64", "K", bzero=2**63, array=np.array([2**63 + 5, 7], dtype=np.uint64)),
        fits.Column("U16", "3I", bzero=2**15, array=np.array([[1, 2, 60000], [4, 5, 6]], dtype=np.uint16)),
        fits.Column("SCALED", "J", array=np.array([2, 5])),
        fits.Column("NULLED", "J", null=-99, array=np.array([-99, 3])),
        fits.Column("NAN", "E", array=np.array([np.nan, 1.5])),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    fits.setval(path, "TSCAL5", value=0.5, ext=1)
    fits.setval(path, "TZERO5", value=10.0, ext=1)
    with open_fits(path) as file:
        rows = file.extensions[1].rows()
        assert [rows.value("name", row) for row in (0, 1)] == ["a", "b"]
        assert [rows.value("FLAG", row) for row in (0, 1)] == [True, False]
        assert [rows.value("U64", row) for row in (0, 1)] == [2**63 + 5, 7]
        np.testing.assert_array_equal(rows.array("U16"), [[1, 2, 60000], [4, 5, 6]])
        assert [rows.value("SCALED", row) for row in (0, 1)] == [11.0, 12.5]
        assert [rows.value("NULLED", row) for row in (0, 1)] == [None, 3]
        assert [rows.value("NAN", row) for row in (0, 1)] == [None, 1.5]
        assert rows.value("ABSENT", 0) is None
        with pytest.raises(FitsError, match="the column is missing; present: Name, FLAG"):
            rows.array("ABSENT")


def test_column_of_variable_length_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.arange(3.0), np.arange(5.0)]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("V", "PD()", array=ragged)])]).writeto(
        path
    )
    with open_fits(path) as file, pytest.raises(FitsError, match="variable length") as caught:
        file.extensions[1].rows().array("V")
    assert caught.value.keyword == "V"
