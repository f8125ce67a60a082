"""SENSFUNC of 4MOST high-resolution files: applied where units say how, else the flux is uncalibrated and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import group_arms, read_fits

Make = Callable[..., Path]

WAVE = 3926 + 0.03 * np.arange(500)
PER_COUNT = "erg/(s*cm^2*Angstrom*adu)"


@pytest.mark.parametrize(("error", "sigma"), [("FLUX_IVAR", 0.5), ("ERR_FLUX", 4.0)])
def test_flux_is_multiplied_by_a_sensfunc_whose_unit_makes_it_a_flux_density(
    make_single: Make, tmp_path: Path, error: str, sigma: float
) -> None:
    path = make_single(tmp_path / "x.fits", WAVE, high=True, sensfunc_unit=PER_COUNT, counts=300.0, error=error)
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["SENSFUNC"][0, :3] = [0.0, np.nan, -1.0]
        hdus[1].data[error][0, 3] = 0.0
    (record,) = read_fits(path)
    assert (record["flux_unit"], record["flux_calibration"]) == ("erg / (Angstrom cm2 s)", "ABSOLUTE")
    assert record["assumptions"] == ["flux_calibration ABSOLUTE: FLUX x SENSFUNC"]
    assert record["uncertainty_kind"] == "SIGMA"
    assert np.all(np.isnan(record["flux"][:3]))
    assert np.all(np.isnan(record["uncertainty"][:4]))
    np.testing.assert_allclose(record["flux"][4:], 3e-16, rtol=1e-5)
    np.testing.assert_allclose(record["uncertainty"][4:], sigma * 1e-18, rtol=1e-5)


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        (None, "its TUNIT5 is missing"),
        ("adu/(erg/(s*cm^2*Angstrom))", "makes no flux density of FLUX"),
        ("mag", "makes no flux density of FLUX"),
    ],
)
@pytest.mark.parametrize("stated", ["ABSOLUTE", "UNCALIBRATED"])
def test_flux_with_a_sensfunc_of_unknown_meaning_is_uncalibrated_and_says_why(
    make_single: Make, tmp_path: Path, unit: str | None, why: str, stated: str
) -> None:
    path = make_single(
        tmp_path / "qmost_x_HB1.fits", WAVE, high=True, sensfunc_unit=unit, header={"FLUXCAL": stated}, counts=300.0
    )
    (record,) = read_fits(path)
    assert (record["flux_unit"], record["flux_calibration"]) == ("adu", "UNCALIBRATED")
    (sentence,) = record["assumptions"]
    assert sentence.startswith("flux_calibration UNCALIBRATED: SENSFUNC is not applied")
    assert why in sentence
    np.testing.assert_array_equal(record["flux"], 300.0)
    assert (record["arm"], record["product_level"]) == ("BLUE", "SINGLE")


def test_flux_that_is_calibrated_already_is_taken_as_it_is(make_single: Make, tmp_path: Path) -> None:
    path = make_single(tmp_path / "x.fits", WAVE, high=True, sensfunc_unit=PER_COUNT, header={"FLUXCAL": "ABSOLUTE"})
    with fits.open(path, mode="update") as hdus:
        hdus[1].header["TUNIT2"] = "erg/(s*cm^2*Angstrom)"
    (record,) = read_fits(path)
    assert (record["flux_calibration"], record["assumptions"]) == ("ABSOLUTE", [])
    np.testing.assert_allclose(record["flux"], 2e-17, rtol=1e-5)


def test_single_files_of_three_arms_become_one_spectrum(make_single: Make, tmp_path: Path) -> None:
    starts = {"B": 3926.0, "G": 5160.0, "R": 6100.0}
    paths = [
        make_single(
            tmp_path / f"qmost_00060000-4000000_20260312_100118_H{arm}1.fits",
            start + 0.03 * np.arange(400),
            high=True,
            sensfunc_unit=PER_COUNT,
            counts=300.0,
            header={"SPECUID": f"uid-{arm}", "MJD-OBS": 61111.1},
        )
        for arm, start in starts.items()
    ]
    lonely = make_single(tmp_path / "qmost_00060000-4000000_20260312_100119_HB1.fits", WAVE, high=True)
    groups = list(group_arms([*paths, lonely]))
    assert groups == [tuple(paths), (lonely,)]
    (record,) = read_fits(groups[0])
    assert record["l1_id"] == "uid-B+uid-G+uid-R"
    assert (record["product_level"], record["arm"], record["flux_calibration"]) == ("JOINED", None, "ABSOLUTE")
    assert np.sum(np.diff(record["wavelength"]) > 1.0) == 2
    np.testing.assert_allclose(record["flux"], 3e-16, rtol=1e-5)
    assert record["mjd_start"] == 61111.1
