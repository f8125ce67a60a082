"""LAMOST since DR8, newer 4MOST singles, ESO column choice (no public samples: the files are made here)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import FitsError, read_fits
from stream.fits.eso_phase3 import der_snr_sigma
from stream.fits.lamost import PADDED

Make = Callable[..., Path]


def test_lamost_table_layout_is_read_by_column_names(make_lamost_coadd: Make, tmp_path: Path) -> None:
    (record,) = read_fits(make_lamost_coadd(tmp_path / "spec.fits"))
    assert record["grid"]["kind"] == "LOG10"
    assert record["grid"]["step"] == pytest.approx(1e-4, rel=1e-4)
    assert (record["medium"], record["specsys"], record["flux_calibration"]) == ("VACUUM", "HELIOCEN", "RELATIVE")
    assert (record["spec_uid"], record["fibre_use"], record["flux_unit"]) == ("901000001", "SKY", "")
    assert [m["band"] for m in record["magnitudes"]] == ["g", "i"]  # 99 is no magnitude
    assert record["quality"][3] == 1
    assert record["quality"].sum() == 1  # ANDMASK, not ORMASK


def test_lamost_spectrum_without_heliocentric_correction_carries_the_velocity(
    make_lamost_coadd: Make, tmp_path: Path
) -> None:
    (record,) = read_fits(make_lamost_coadd(tmp_path / "spec.fits", header={"HELIO": False}))
    assert (record["specsys"], record["helio_correction_km_s"]) == ("TOPOCENT", -3.0)


@pytest.mark.parametrize("with_mask", [True, False])
def test_ends_of_a_lamost_spectrum_that_are_exactly_zero_are_masked(
    make_lamost_coadd: Make, tmp_path: Path, with_mask: bool
) -> None:
    path = make_lamost_coadd(tmp_path / "spec.fits")
    with fits.open(path) as hdus:
        hdus[1].data["FLUX"][0, [0, 1, 200, 497, 498, 499]] = 0.0
        if not with_mask:
            hdus[1].columns.del_col("ANDMASK")
        hdus.writeto(path, overwrite=True)
    (record,) = read_fits(path)
    assert np.flatnonzero(record["quality"] & PADDED).tolist() == [0, 1, 497, 498, 499]  # 200 was measured
    assert record["quality"][3] == (1 if with_mask else 0)


def test_lamost_spectrum_without_mask_and_padding_has_no_quality(make_lamost_coadd: Make, tmp_path: Path) -> None:
    path = make_lamost_coadd(tmp_path / "spec.fits")
    with fits.open(path) as hdus:
        hdus[1].columns.del_col("ANDMASK")
        hdus.writeto(path, overwrite=True)
    assert next(read_fits(path)).get("quality") is None


def test_red_end_of_a_real_lamost_spectrum_is_masked_where_nothing_was_measured(data_dir: Path) -> None:
    (record,) = read_fits(data_dir / "fits" / "lamost-spec-58575-sp03-010.fits")
    padded = record["quality"] & PADDED != 0
    assert np.flatnonzero(padded).tolist() == list(range(3889, 3909))
    assert np.all(record["flux"][padded] == 0)
    assert np.all(record["uncertainty"][padded] > 0)
    (earlier,) = read_fits(data_dir / "fits" / "lamost-dr1-spec-55862-B6212_sp06-003.fits")
    padded = earlier["quality"] & PADDED != 0
    assert padded.any()
    assert not np.any(earlier["flux"][padded])
    assert not np.any(earlier["uncertainty"][padded])  # earlier releases gave padding no weight either


def test_newer_4most_single_spectrum_uses_obj_keywords_and_inverse_variance(make_single: Make, tmp_path: Path) -> None:
    (record,) = read_fits(make_single(tmp_path / "single.fits"))
    assert (record["l1_id"], record["object_uid"], record["fibre_use"]) == ("4MOST-00042", "77", "SKY")
    assert (record["uncertainty_kind"], record["product_level"]) == ("IVAR", "JOINED")
    assert record["grid"] == {"kind": "LINEAR", "start": 3700.0, "step": 0.25, "n": 400}
    assert record["assumptions"] == []


def test_axis_with_a_gap_is_given_inline(make_single: Make, tmp_path: Path) -> None:
    wave = np.concatenate([3926 + 0.03 * np.arange(200), 5160 + 0.03 * np.arange(200)])
    (record,) = read_fits(make_single(tmp_path / "single.fits", wave=wave))
    assert "grid" not in record
    np.testing.assert_array_equal(record["wavelength"], wave)


def test_one_spectrum_files_are_selected_by_their_keywords(make_single: Make, tmp_path: Path) -> None:
    path = make_single(tmp_path / "single.fits")
    assert len(list(read_fits(path, rows="FIB_USE == 3"))) == 1
    assert list(read_fits(path, rows="FIB_USE == 1")) == []


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        ([4000.0, 3999.0, 4001.0, 4002.0], "monotonic"),
        ([4000.0, np.nan, 4002.0, 4003.0], "monotonic"),
        ([4000.0, 4000.0, 4001.0, 4002.0], "monotonic"),
    ],
)
def test_wavelengths_that_are_no_axis_are_refused(make_single: Make, tmp_path: Path, wave: Any, says: str) -> None:
    with pytest.raises(FitsError, match=says) as caught:
        list(read_fits(make_single(tmp_path / "single.fits", wave=np.array(wave))))
    assert caught.value.extension == "PHASE3SPECTRUM"


def test_decreasing_axis_is_turned_with_its_arrays(make_single: Make, tmp_path: Path) -> None:
    wave = np.array([4010.0, 4008.0, 4003.0, 4001.0])
    (record,) = read_fits(make_single(tmp_path / "single.fits", wave=wave))
    np.testing.assert_array_equal(record["wavelength"], wave[::-1])


def write_phase3(path: Path, columns: list[tuple[str, str, str, str, Any]], **header: Any) -> Path:
    n = len(columns[0][4])
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, f"{n}D", unit=unit, array=[values]) for name, unit, _, _, values in columns], name="SPECTRUM"
    )
    for number, (_, _, utype, ucd, _) in enumerate(columns, start=1):
        if utype:
            table.header[f"TUTYP{number}"] = utype
        if ucd:
            table.header[f"TUCD{number}"] = ucd
    primary = fits.PrimaryHDU()
    primary.header.update({"ORIGIN": "ESO", "PRODCATG": "SCIENCE.SPECTRUM", "SPECSYS": "BARYCENT", **header})
    fits.HDUList([primary, table]).writeto(path, overwrite=True)
    return path


WAVE = ("WAVE", "nm", "Spectrum.Data.SpectralAxis.Value", "em.wl", 500 + 0.1 * np.arange(50))


def test_calibrated_flux_goes_with_the_error_of_its_own_namespace(tmp_path: Path) -> None:
    path = write_phase3(
        tmp_path / "x.fits",
        [
            WAVE,
            ("SKY", "adu", "Spectrum.Data.BackgroundModel.Value", "phot.flux.density;em.wl", np.full(50, 9.0)),
            ("FLUX_REDUCED", "adu", "eso:Data.FluxAxis.Value", "phot.flux.density;em.wl", np.full(50, 7.0)),
            (
                "ERR_REDUCED",
                "adu",
                "eso:Data.FluxAxis.Accurancy.StatError",
                "stat.error;phot.flux.density",
                np.full(50, 3.0),
            ),
            (
                "FLUX",
                "erg/cm^2/s/A",
                "Spectrum.Data.FluxAxis.Value",
                "phot.flux.density;em.wl;meta.main",
                np.full(50, 5.0),
            ),
            (
                "ERR",
                "erg/cm^2/s/A",
                "Spectrum.Data.FluxAxis.Accuracy.StatError",
                "stat.error;phot.flux.density;meta.main",
                np.full(50, 1.0),
            ),
        ],
        FLUXCAL="ABSOLUTE",
    )
    (record,) = read_fits(path)
    assert (record["flux"][0], record["uncertainty"][0]) == (5.0, 1.0)
    assert record["flux_unit"] == "erg / (Angstrom cm2 s)"
    assert record["grid"] == {"kind": "LINEAR", "start": 5000.0, "step": 1.0, "n": 50}
    assert record["medium"] == "VACUUM"


def test_topocentric_spectrum_takes_the_velocity_of_the_header(tmp_path: Path) -> None:
    columns = [WAVE, ("FLUX", "adu", "", "", np.arange(50.0)), ("ERR", "adu", "", "", np.ones(50))]
    path = write_phase3(tmp_path / "x.fits", columns, SPECSYS="TOPOCENT", **{"HIERARCH ESO QC BERV": -12.5})
    (record,) = read_fits(path)
    assert record["helio_correction_km_s"] == -12.5


@pytest.mark.parametrize(
    ("errors", "says"),
    [(np.nan, "ERR is empty"), (0.0, "ERR has no positive value"), (-1.0, "ERR has no positive value")],
)
def test_estimated_noise_says_what_the_error_column_lacks(tmp_path: Path, errors: float, says: str) -> None:
    flux = np.random.default_rng(1).normal(size=50)
    columns = [WAVE, ("FLUX", "adu", "", "", flux), ("ERR", "adu", "", "", np.full(50, errors))]
    (record,) = read_fits(write_phase3(tmp_path / "x.fits", columns))
    (assumption,) = [each for each in record["assumptions"] if each.startswith("uncertainty")]
    assert assumption == f"uncertainty: {says}, estimated from the flux by DER_SNR (Stoehr et al. 2008)"


@pytest.mark.parametrize(
    ("change", "keyword", "says"),
    [
        ({"SPECSYS": "LSRK"}, "SPECSYS", "LSRK"),
        ({"SPECSYS": "TOPOCENT"}, "SPECSYS", "needs a barycentric velocity"),
        ({"SPECSYS": ""}, "SPECSYS", "missing"),
    ],
)
def test_frame_that_is_unknown_is_refused(tmp_path: Path, change: dict[str, str], keyword: str, says: str) -> None:
    columns = [WAVE, ("FLUX", "adu", "", "", np.arange(50.0)), ("ERR", "adu", "", "", np.ones(50))]
    with pytest.raises(FitsError, match=says) as caught:
        list(read_fits(write_phase3(tmp_path / "x.fits", columns, **change)))
    assert caught.value.keyword == keyword


def test_medium_that_nobody_states_is_refused(tmp_path: Path) -> None:
    wave = ("WAVE", "nm", "", "", WAVE[4])
    columns = [wave, ("FLUX", "adu", "", "", np.arange(50.0)), ("ERR", "adu", "", "", np.ones(50))]
    with pytest.raises(FitsError, match="air or vacuum") as caught:
        list(read_fits(write_phase3(tmp_path / "x.fits", columns)))
    assert caught.value.keyword == "TUCD1"


def test_noise_of_white_noise_is_recovered() -> None:
    rng = np.random.default_rng(1)
    sigma = np.concatenate([np.full(2000, 1.0), np.full(2000, 3.0)])
    estimate = der_snr_sigma(100 + sigma * rng.normal(size=4000))
    assert np.median(estimate[:1800]) == pytest.approx(1.0, rel=0.1)
    assert np.median(estimate[2200:]) == pytest.approx(3.0, rel=0.1)
    assert np.all(np.isnan(der_snr_sigma(np.full(4, 1.0))))
