"""The eleven files as surveys published them: every one gives plausible records, without a warning."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.fits import read_fits, recognise
from stream.fits.axes import lattice_wavelength

# file: records, layout, survey, medium, specsys, first and last wavelength [Angstrom], median S/N, position [deg]
SAMPLES: dict[str, tuple[int, str, str, str, str, float, float, float, tuple[float, float] | None]] = {
    "4most-mock-ql1.fits": (1, "4MOST single", "4MOST", "AIR", "HELIOCEN", 3700, 9500, 0.68, (314.1146, -41.1958)),
    "4most-mock-qso-z2.5-G20.1-1hr.fits": (1, "4MOST single", "4MOST", "AIR", "HELIOCEN", 3700, 9500, 5.4, None),
    "boss-spec-10000-57346-0006.fits": (
        1,
        "SDSS",
        "EBOSS",
        "VACUUM",
        "HELIOCEN",
        3608.3,
        10321.9,
        2.0,
        (31.327, 26.81),
    ),
    "boss-spec-10000-57346-0020.fits": (1, "SDSS", "EBOSS", "VACUUM", "HELIOCEN", 3576, 10325, 1.26, (31.374, 27.2486)),
    "desi-coadd-4-80613-thru20210324.fits": (
        1,
        "DESI",
        "DESI",
        "VACUUM",
        "BARYCENT",
        3600,
        9824,
        5.2,
        (105.4898, 56.6693),
    ),
    "desi-coadd-main-dark-9144.fits": (2, "DESI", "DESI", "VACUUM", "BARYCENT", 3600, 9824, 1.3, None),
    "eboss-spec-9367-57758-0396.fits": (
        1,
        "SDSS",
        "EBOSS",
        "VACUUM",
        "HELIOCEN",
        3573.5,
        10332,
        1.15,
        (110.6798, 39.4118),
    ),
    "eso-sdp-ADP.2015-10-15T12_53_33.873.fits": (
        1,
        "ESO",
        "ESO",
        "AIR",
        "TOPOCENT",
        5505.1,
        9694.6,
        8.86,
        (150.482, 2.0372),
    ),
    "lamost-dr1-spec-55862-B6212_sp06-003.fits": (
        1,
        "LAMOST",
        "LAMOST",
        "VACUUM",
        "HELIOCEN",
        3700,
        9088,
        87,
        (99.316, 27.232),
    ),
    "lamost-spec-58575-sp03-010.fits": (1, "LAMOST", "LAMOST", "VACUUM", "HELIOCEN", 3700, 9098, 78, (158.32, 35.8217)),
    "sdss-spec-1599-53089-0469.fits": (1, "SDSS", "SDSS", "VACUUM", "HELIOCEN", 3797.5, 9204, 18.0, (157.738, 11.7205)),
}


def wavelength_of(record: dict[str, Any]) -> Any:
    return lattice_wavelength(record["grid"]) if record.get("grid") else record["wavelength"]


def signal_to_noise(record: dict[str, Any]) -> float:
    uncertainty = record["uncertainty"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.sqrt(uncertainty) if record["uncertainty_kind"] == "IVAR" else 1 / uncertainty
        return float(np.nanmedian(record["flux"] * weight))


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_file_gives_plausible_records(data_dir: Path, name: str) -> None:
    count, layout, survey, medium, specsys, first, last, snr, position = SAMPLES[name]
    path = data_dir / "fits" / name
    assert recognise(path).startswith(layout)
    records = list(read_fits(path))
    assert len(records) == count
    assert len({record["l1_id"] for record in records}) == count
    for record in records:
        wavelength = wavelength_of(record)
        assert record["survey"] == survey
        assert (record["medium"], record["specsys"]) == (medium, specsys)
        assert wavelength[0] == pytest.approx(first, abs=1.5)
        assert wavelength[-1] == pytest.approx(last, abs=1.5)
        assert np.all(np.diff(wavelength) > 0)
        assert "grid" in record  # all eleven are on a lattice
        n = wavelength.size
        assert record["flux"].shape == record["uncertainty"].shape == (n,)
        assert record["flux"].dtype == record["uncertainty"].dtype == np.float32
        if record.get("quality") is not None:
            assert record["quality"].dtype == np.int32
            assert np.mean(record["quality"] == 0) > 0.9
        got = (record.get("ra_deg"), record.get("dec_deg"))
        assert got == (pytest.approx(position, abs=1e-3) if position else (None, None))
    assert np.median([signal_to_noise(record) for record in records]) == pytest.approx(snr, rel=0.05)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_record_survives_the_codec(data_dir: Path, name: str) -> None:
    codec = Codec(Catalogue.embedded())
    for record in read_fits(data_dir / "fits" / name):
        decoded = codec.decode(codec.encode("l1_spectrum", record)).record
        assert set(record) <= set(decoded)
        for field, value in record.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(decoded[field], value)
            elif field not in {"magnitudes"}:
                assert decoded[field] == value, field


def test_lattices_are_the_round_ones_that_the_surveys_use(data_dir: Path) -> None:
    (sdss,) = read_fits(data_dir / "fits" / "sdss-spec-1599-53089-0469.fits")
    assert sdss["grid"] == {"kind": "LOG10", "start": 3.5795, "step": 1e-4, "n": 3846}
    (fourmost,) = read_fits(data_dir / "fits" / "4most-mock-ql1.fits")
    assert fourmost["grid"] == {"kind": "LINEAR", "start": 3700.0, "step": 0.25, "n": 23201}
    (desi,) = read_fits(data_dir / "fits" / "desi-coadd-4-80613-thru20210324.fits")
    assert desi["grid"] == {"kind": "LINEAR", "start": 3600.0, "step": 0.8, "n": 7781}


def test_what_a_file_does_not_state_is_listed_as_an_assumption(data_dir: Path) -> None:
    def assumptions(name: str) -> str:
        return " ".join(next(read_fits(data_dir / "fits" / name))["assumptions"])

    assert assumptions("4most-mock-ql1.fits") == ""
    assert "medium AIR" in assumptions("4most-mock-qso-z2.5-G20.1-1hr.fits")
    assert "Guy et al. 2023" in assumptions("desi-coadd-main-dark-9144.fits")
    eso = assumptions("eso-sdp-ADP.2015-10-15T12_53_33.873.fits")
    assert "DER_SNR" in eso
    assert "helio_correction_km_s" in eso


def test_first_lamost_release_has_no_wavelength_row(data_dir: Path) -> None:
    """Row 3 of a DR1 file is the continuum-subtracted spectrum; the axis is the header's."""
    (record,) = read_fits(data_dir / "fits" / "lamost-dr1-spec-55862-B6212_sp06-003.fits")
    assert record["grid"]["start"] == 3.5682
    assert record["flux_calibration"] == "RELATIVE"
    assert record["mjd_start"] == pytest.approx(
        55861.81894, abs=1e-4
    )  # 03:39:16 in Beijing is 19:39:16 UTC the day before


def test_desi_overlap_has_more_weight_than_either_arm(data_dir: Path) -> None:
    from astropy.io import fits

    path = data_dir / "fits" / "desi-coadd-4-80613-thru20210324.fits"
    (record,) = read_fits(path)
    with fits.open(path) as hdus:
        blue, red = hdus["B_IVAR"].data[0], hdus["R_IVAR"].data[0]
        flux_blue, flux_red = hdus["B_FLUX"].data[0], hdus["R_FLUX"].data[0]
    first = round((5760 - 3600) / 0.8)
    overlap = slice(first, 2751)
    n = 2751 - first
    np.testing.assert_allclose(record["uncertainty"][overlap], blue[first:] + red[:n], rtol=1e-6)
    expected = (flux_blue[first:] * blue[first:] + flux_red[:n] * red[:n]) / (blue[first:] + red[:n])
    np.testing.assert_allclose(record["flux"][overlap], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(record["flux"][:first], flux_blue[:first])


def test_boss_spectrum_with_fibre_wide_warnings_is_not_masked_away(data_dir: Path) -> None:
    """BADFLAT is set on 99.7 % of this spectrum's pixels, which are good; only pixel-wide bits count."""
    (record,) = read_fits(data_dir / "fits" / "boss-spec-10000-57346-0006.fits")
    assert np.mean(record["quality"] != 0) < 0.05


@pytest.mark.parametrize("name", ["desi-coadd-4-80613-thru20210324.fits", "desi-coadd-main-dark-9144.fits"])
def test_desi_spectra_state_the_resolving_power_of_their_matrices(data_dir: Path, name: str) -> None:
    """It grows from some 2,000 in the blue to 5,500 in the red; the median is that of the red arm, or nearly."""
    assert all(4000 < record["resolving_power"] < 4700 for record in read_fits(data_dir / "fits" / name))


@pytest.mark.slow
def test_desi_file_of_many_targets_streams_in_bounded_memory(data_dir: Path, tmp_path: Path) -> None:
    """The sample's two targets, repeated to 500; one chunk is held at a time, of resolution matrices one target's."""
    from astropy.io import fits

    n = 500
    path = tmp_path / "coadd.fits"
    with fits.open(data_dir / "fits" / "desi-coadd-main-dark-9144.fits") as hdus:
        kept = [hdus[0]]
        for hdu in hdus[1:]:
            if hdu.name.endswith(("_FLUX", "_IVAR", "_MASK", "_RESOLUTION")):
                data = np.repeat(
                    np.asarray(hdu.data, dtype=np.int32 if "MASK" in hdu.name else np.float32), n // 2, axis=0
                )
                kept.append(fits.ImageHDU(data, name=hdu.name))
                kept[-1].header["BUNIT"] = hdu.header.get("BUNIT", "")
            elif hdu.name.endswith("_WAVELENGTH"):
                kept.append(hdu)
        targets = fits.Column("TARGETID", "K", array=np.arange(n))
        kept.append(fits.BinTableHDU.from_columns([targets], name="FIBERMAP"))
        fits.HDUList(kept).writeto(path)
    assert path.stat().st_size > 200e6
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_fits(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == n
    assert peak < 20e6
