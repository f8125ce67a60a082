"""4MOST MEC files (no public sample: the files are made here): pairing, selection, axis, bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream.expression import ExpressionError
from stream.fits import BadSpectraError, FitsError, group_arms, read_fits

Make = Callable[..., Path]


def test_record_carries_the_fibre_the_block_and_the_provenance(make_mec: Make, tmp_path: Path) -> None:
    records = list(read_fits(make_mec(tmp_path / "20260312_LJ1_20260313.fits")))
    assert [r["l1_id"] for r in records] == [f"4MOST-{k:05d}" for k in range(6)]
    record = records[1]
    assert record["grid"] == {"kind": "LINEAR", "start": 3700.0, "step": 0.25, "n": 400}
    assert (record["object_uid"], record["fibre_id"], record["ob_id"]) == ("9000000001", 2, "113")
    assert (record["mjd_start"], record["mjd_end"], record["exptime_s"]) == (61000.2, 61000.25, 4500.0)
    assert record["provenance"] == ["raw-1.fits"]
    assert (record["uncertainty_kind"], record["flux_unit"]) == ("IVAR", "erg / (Angstrom cm2 s)")
    assert (record["medium"], record["specsys"], record["flux_calibration"]) == ("AIR", "HELIOCEN", "ABSOLUTE")
    assert (record["product_level"], record["arm"]) == ("JOINED", None)
    assert record["magnitudes"] == [{"band": "g", "system": "AB", "value": 20.5, "error": pytest.approx(0.02)}]
    assert record["ebv"] == pytest.approx(0.02)
    assert record["quality"][5] == 2
    assert np.median(record["flux"]) == pytest.approx(1e-16, rel=0.05)
    assert [r["fibre_use"] for r in records] == ["OBJECT"] * 4 + ["SKY", "OBJECT"]
    assert any("medium AIR" in a for a in record["assumptions"])  # SPECSYS is stated, the medium is not


def test_rows_are_selected_by_the_operations_rule(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "mec.fits")
    assert [r["fibre_id"] for r in read_fits(path, rows="OBJ_FLAG & 1 != 0")] == [2, 4, 6]
    assert [r["fibre_id"] for r in read_fits(path, rows="(OBJ_FLAG > 1) & (FIB_USE == 3)")] == [5]
    assert [r["fibre_id"] for r in read_fits(path, rows="obj_flag == 2")] == [3]
    assert list(read_fits(path, rows="SNR > 100")) == []


def test_rule_with_an_unknown_column_names_the_known_ones(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "mec.fits")
    with pytest.raises(ExpressionError, match=r"OBJ_FLAGS.*did you mean OBJ_FLAG"):
        list(read_fits(path, rows="OBJ_FLAGS == 1"))


def test_tables_in_different_order_are_paired_by_specuid(make_mec: Make, tmp_path: Path) -> None:
    straight = {r["l1_id"]: r["flux"] for r in read_fits(make_mec(tmp_path / "a.fits"))}
    shuffled = list(read_fits(make_mec(tmp_path / "b.fits", order=[3, 0, 5, 1, 4, 2])))
    assert [r["l1_id"] for r in shuffled] == list(straight)
    for record in shuffled:
        np.testing.assert_array_equal(record["flux"], straight[record["l1_id"]])


def test_spectrum_that_one_table_lacks_is_reported_and_the_rest_goes_on(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "mec.fits", order=[0, 1, 3, 4, 5])
    errors: list[FitsError] = []
    records = list(read_fits(path, on_error=errors.append))
    assert [r["fibre_id"] for r in records] == [1, 2, 4, 5, 6]
    assert [(e.extension, e.keyword, e.row) for e in errors] == [("FIBMETATAB", "SPECUID", 2)]
    assert str(path) in str(errors[0])


def test_bad_spectra_are_raised_after_the_good_ones_when_nobody_takes_them(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(
        tmp_path / "mec.fits", axis_keywords=False, changes={"WAVELMIN": ("D", [370, 370, -1, np.nan, 370, 370])}
    )
    seen: list[int] = []
    with pytest.raises(BadSpectraError, match="2 of 6 spectra") as caught:
        seen.extend(r["fibre_id"] for r in read_fits(path))
    assert seen == [1, 2, 5, 6]
    assert [e.row for e in caught.value.errors] == [2, 3]


def test_axis_of_each_fibre_is_used_where_no_keyword_states_it(make_mec: Make, tmp_path: Path) -> None:
    record = next(read_fits(make_mec(tmp_path / "mec.fits", axis_keywords=False)))
    assert record["grid"] == {"kind": "LINEAR", "start": 3700.0, "step": 0.25, "n": 400}


def test_sigma_column_is_told_from_inverse_variance(make_mec: Make, tmp_path: Path) -> None:
    record = next(read_fits(make_mec(tmp_path / "mec.fits", error="ERR_FLUX")))
    assert record["uncertainty_kind"] == "SIGMA"


def test_parked_fibres_are_no_spectra(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "mec.fits", changes={"FIB_ST": ("I", [2, 1, 0, 2, 2, 2])})
    assert [r["fibre_id"] for r in read_fits(path)] == [1, 4, 5, 6]


def test_nan_coordinates_become_null(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "mec.fits", changes={"OBJ_RA": ("D", [np.nan, 1, 2, 3, 4, 5])})
    records = list(read_fits(path))
    assert records[0]["ra_deg"] is None
    assert records[1]["ra_deg"] == 1.0


@pytest.mark.parametrize(
    ("options", "keyword", "says"),
    [
        ({"unit": "mag"}, "TUNIT1", "mag"),
        ({"unit": "erg/s"}, "TUNIT1", "no flux density"),
        ({"error": "SIGMA_FLUX"}, "FLUX_IVAR or ERR_FLUX", "missing"),
        ({"spec_uids": False, "order": [0, 1]}, "NAXIS2", "no SPECUID pairs"),
        ({"start": -5.0}, "1CDLT1", "axis starts at"),
    ],
)
def test_file_that_contradicts_itself_is_refused_by_keyword(
    make_mec: Make, tmp_path: Path, options: dict[str, object], keyword: str, says: str
) -> None:
    path = make_mec(tmp_path / "mec.fits", **options)
    with pytest.raises(FitsError, match=says) as caught:
        list(read_fits(path))
    assert (caught.value.file, caught.value.extension, caught.value.keyword) == (path, "SPECTAB", keyword)


def test_high_resolution_arms_become_one_record_with_gaps(make_mec: Make, tmp_path: Path) -> None:
    starts = {"B": 392.6, "G": 516.0, "R": 610.0}
    paths = [make_mec(tmp_path / f"20260312_H{a}11_x.fits", start=s, step=0.003) for a, s in starts.items()]
    other = make_mec(tmp_path / "20260312_LJ1_x.fits")
    groups = list(group_arms([paths[2], other, paths[0], paths[1]]))
    assert groups == [(paths[2], paths[0], paths[1]), (other,)]
    records = list(read_fits(groups[0]))
    assert len(records) == 6
    for record in records:
        assert record["wavelength"].size == record["flux"].size == 1200
        assert np.all(np.diff(record["wavelength"]) > 0)
        assert np.sum(np.diff(record["wavelength"]) > 1.0) == 2
        assert (record["product_level"], record["arm"], record["uncertainty_kind"]) == ("JOINED", None, "IVAR")
    assert {r["l1_id"] for r in records} == {r["l1_id"] for r in read_fits(sorted(groups[0]))}
    assert next(read_fits(paths[0]))["arm"] == "BLUE"


@pytest.mark.slow
def test_file_of_two_thousand_spectra_streams_in_bounded_memory(make_mec: Make, tmp_path: Path) -> None:
    path = make_mec(tmp_path / "20260312_LJ1_x.fits", n=2000, n_pixels=4000)
    assert path.stat().st_size > 80e6
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_fits(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 2000
    assert peak < 20e6
