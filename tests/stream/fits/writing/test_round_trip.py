"""Simulated records written as FITS come back through the surveys' own readers with every number of the spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from classifiers.training.simulation.l1_records import simulated_records
from classifiers.training.simulation.simulator import Simulator
from stream.fits import group_arms, read_fits, recognise
from stream.fits.writing.desi import write_desi
from stream.fits.writing.fourmost import write_fourmost
from stream.fits.writing.hdus import Cards
from stream.fits.writing.lamost import write_lamost
from stream.fits.writing.sdss import write_sdss
from stream.fits.writing.weave import write_weave

pytestmark = pytest.mark.slow

N = 4
TRUTH: Cards = {"SIMULATE": (True, "not observed"), "SIMCLASS": "QSO_nan", "SIMOTHER": "", "SIMZ": 1.25, "SIMSNR": 7.5}
ONE_SPECTRUM = {
    "SDSS": write_sdss,
    "BOSS": write_sdss,
    "LAMOST": write_lamost,
    "4MOST_LRS": write_fourmost,
    "4MOST_HRS": write_fourmost,
}
SURVEYS = {
    "SDSS": ("SDSS", "SDSS"),
    "BOSS": ("BOSS", "BOSS"),
    "LAMOST": ("LAMOST", "LAMOST LRS"),
    "DESI": ("DESI", "DESI"),
    "WEAVE": ("WEAVE", "WEAVE"),
    "4MOST_LRS": ("4MOST", "QMOST"),
    "4MOST_HRS": ("4MOST", "QMOST"),
}
LAYOUTS = {
    "SDSS": "SDSS, BOSS, eBOSS spec",
    "BOSS": "SDSS, BOSS, eBOSS spec",
    "LAMOST": "LAMOST low-resolution spectrum",
    "4MOST_LRS": "4MOST",
    "4MOST_HRS": "4MOST",
    "DESI": "DESI coadd or spectra",
    "WEAVE": "WEAVE L1",
}


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator.load()


@pytest.fixture(scope="module", params=LAYOUTS)
def written(
    request: pytest.FixtureRequest, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[dict[str, Any]], list[Path]]:
    """Return a form, its records, and the files that were written of them."""
    form = request.param
    records = [each.record for each in simulated_records(simulator, N, seed=5, form=form)]
    folder = tmp_path_factory.mktemp(form)
    write(form, records, folder)
    return form, records, sorted(folder.iterdir())


def write(form: str, records: list[dict[str, Any]], folder: Path) -> None:
    """Write records in the layout of a form."""
    if form == "DESI":
        write_desi(records, folder / "coadd.fits", [TRUTH] * len(records))
    elif form == "WEAVE":
        paths = {arm: folder / f"stack_{arm.lower()}.fit" for arm in ("RED", "BLUE")}
        write_weave(records, paths, [TRUTH] * len(records), "17")
    else:
        for record in records:
            ONE_SPECTRUM[form](record, folder / f"{record['l1_id']}.fits", TRUTH)


def read(files: list[Path]) -> dict[str, dict[str, Any]]:
    """Return what the readers make of the files, by object."""
    return {record["object_id"]: record for group in group_arms(files) for record in read_fits(group)}


def test_the_layout_is_recognised_and_every_object_comes_back_once(
    written: tuple[str, list[dict[str, Any]], list[Path]],
) -> None:
    form, records, files = written
    assert all(recognise(path).startswith(LAYOUTS[form]) for path in files)
    assert sorted(read(files)) == sorted(record["object_id"] for record in records)


def test_every_file_is_read_as_one_of_the_survey_that_it_was_simulated_for(
    written: tuple[str, list[dict[str, Any]], list[Path]],
) -> None:
    form, _, files = written
    assert {(record["survey"], record["instrument"]) for record in read(files).values()} == {SURVEYS[form]}


def test_the_spectrum_is_the_same_bit_for_bit(written: tuple[str, list[dict[str, Any]], list[Path]]) -> None:
    _, records, files = written
    found = read(files)
    for record in records:
        back = found[record["object_id"]]
        assert back["uncertainty_kind"] == record["uncertainty_kind"] == "IVAR"
        assert back["medium"] == record["medium"]
        if record["specsys"] == "HELIOCEN":
            assert back["specsys"] == "HELIOCEN"
        good = record["uncertainty"] > 0
        for name in ("flux", "uncertainty"):
            assert back[name].dtype == np.float32
            assert back[name][good].tobytes() == record[name][good].tobytes(), name
        masked = back["uncertainty"] <= 0 if back.get("quality") is None else back["quality"] != 0
        assert (masked == ~good).all()
        if record["grid"] is None:
            np.testing.assert_array_equal(back["wavelength"], record["wavelength"])
        else:
            assert back["grid"] == pytest.approx(record["grid"])


def test_what_describes_the_observation_is_kept(written: tuple[str, list[dict[str, Any]], list[Path]]) -> None:
    _, records, files = written
    found = read(files)
    for record in records:
        back = found[record["object_id"]]
        assert back["flux_unit"].startswith("1e-17 erg") if record["flux_unit"] else back["flux_unit"] == ""
        assert back["flux_calibration"] == record["flux_calibration"]
        for name in ("fibre_id", "fibre_use", "n_combine", "sky_subtracted", "ra_deg", "dec_deg", "exptime_s"):
            assert back[name] == record[name], name
        assert back["mjd_start"] == pytest.approx(record["mjd_start"], abs=1e-8)
        assert back["mjd_end"] is None or back["mjd_end"] == pytest.approx(record["mjd_end"], abs=1e-8)
        assert [m["band"] for m in back["magnitudes"]] == [m["band"] for m in record["magnitudes"]]
        for ours, theirs in zip(back["magnitudes"], record["magnitudes"], strict=True):
            assert ours["value"] == pytest.approx(theirs["value"], abs=1e-5)
            if back["survey"] != "LAMOST":  # whose headers have no errors of magnitudes
                assert ours["error"] == pytest.approx(theirs["error"], rel=1e-5)
        if back.get("resolving_power"):
            assert back["resolving_power"] == pytest.approx(record["resolving_power"], rel=1e-4)


def test_one_spectrum_files_keep_the_name_of_the_spectrum(
    written: tuple[str, list[dict[str, Any]], list[Path]],
) -> None:
    form, records, files = written
    if form in {"DESI", "WEAVE"}:
        assert len({record["l1_id"] for record in read(files).values()}) == N
    else:
        assert sorted(r["l1_id"] for r in read(files).values()) == sorted(r["l1_id"] for r in records)


def test_the_truth_is_in_the_file_and_not_in_the_record(
    written: tuple[str, list[dict[str, Any]], list[Path]],
) -> None:
    form, records, files = written
    for path in files:
        if form in {"DESI", "WEAVE"}:
            table = fits.getdata(path, "TRUTH")
            assert len(table) == len(records)
            assert table["SIMULATE"].all()
            assert set(table["SIMCLASS"]) == {"QSO_nan"}
            assert (table["SIMZ"] == 1.25).all()
        else:
            header = fits.getheader(path)
            assert (header["SIMULATE"], header["SIMCLASS"], header["SIMZ"]) == (True, "QSO_nan", 1.25)
    assert not any("QSO_nan" in str(value) for record in read(files).values() for value in record.values())


def test_the_same_records_make_the_same_bytes(
    written: tuple[str, list[dict[str, Any]], list[Path]], tmp_path: Path
) -> None:
    form, records, files = written
    write(form, records, tmp_path)
    for path in files:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in files]


def test_data_are_guarded_by_their_sum(written: tuple[str, list[dict[str, Any]], list[Path]]) -> None:
    _, _, files = written
    with fits.open(files[0]) as hdus:
        assert all(hdu.verify_datasum() == 1 for hdu in hdus)


def test_a_record_on_another_grid_is_refused_by_name(simulator: Simulator, tmp_path: Path) -> None:
    (sdss,), (desi,) = (
        [each.record for each in simulated_records(simulator, 1, seed=5, form=form)] for form in ("SDSS", "DESI")
    )
    with pytest.raises(ValueError, match="expected one LOG10 grid"):
        write_sdss({**desi, "instrument": "SDSS"}, tmp_path / "x.fits", TRUTH)
    with pytest.raises(ValueError, match="expected one of SDSS, BOSS, got 'DESI'"):
        write_sdss(desi, tmp_path / "x.fits", TRUTH)
    with pytest.raises(ValueError, match="expected one LOG10 grid"):
        write_lamost(desi, tmp_path / "x.fits", TRUTH)
    with pytest.raises(ValueError, match="flux_unit: expected none"):
        write_lamost(sdss, tmp_path / "x.fits", TRUTH)
    with pytest.raises(ValueError, match="expected one LINEAR grid"):
        write_desi([desi, sdss], tmp_path / "x.fits", [TRUTH] * 2)
    with pytest.raises(ValueError, match=r"expected 3660 to 9590 Angstrom, got 7781 pixels of 0\.8 from 3600"):
        write_weave([desi], {arm: tmp_path / arm for arm in ("RED", "BLUE")}, [TRUTH], "1")
    assert list(tmp_path.iterdir()) == []
