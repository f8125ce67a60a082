"""Damaged and foreign files: an error of one line that names file, extension and keyword, and never a warning."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import FitsError, group_arms, read_fits, recognise

Make = Callable[..., Path]


def failure(path: Path) -> FitsError:
    with pytest.raises(FitsError) as caught:
        list(read_fits(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in str(failure(tmp_path / "none.fits"))


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.fits"
    path.touch()
    assert "is empty" in str(failure(path))


def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "locked.fits"
    path.write_bytes(b"SIMPLE  =")
    path.chmod(0)
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)  # no permission stops root
    try:
        assert list(group_arms([path])) == [(path,)]
        assert "cannot be opened (Permission denied)" in str(failure(path))
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(5000), b"SIMPLE", b"hello world, this is no FITS file"]
)
def test_foreign_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    assert "is not a FITS file" in str(failure(path))


def test_truncated_file_names_the_extension_that_is_cut(data_dir: Path, tmp_path: Path) -> None:
    whole = (data_dir / "fits" / "desi-coadd-4-80613-thru20210324.fits").read_bytes()
    path = tmp_path / "cut.fits"
    path.write_bytes(whole[: len(whole) // 2])
    error = failure(path)
    assert "truncated" in str(error)
    assert error.extension in {"R_RESOLUTION", "R_FLUX", "R_IVAR", "R_MASK", "B_RESOLUTION"}


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.3, 0.7, 0.95, 0.999])
@pytest.mark.parametrize(
    "name", ["4most-mock-ql1.fits", "lamost-spec-58575-sp03-010.fits", "sdss-spec-1599-53089-0469.fits"]
)
def test_file_cut_anywhere_is_an_error_and_never_a_short_spectrum(
    data_dir: Path, tmp_path: Path, name: str, kept: float
) -> None:
    whole = (data_dir / "fits" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * kept)])
    try:
        records = list(read_fits(path))
    except FitsError as error:
        assert str(path) in str(error)  # noqa: PT017 - either this, or the whole spectrum below
    else:  # only what follows the spectrum may be missing
        (original,) = read_fits(data_dir / "fits" / name)
        np.testing.assert_array_equal(records[0]["flux"], original["flux"])


def test_gzipped_file_reads_like_the_plain_one(data_dir: Path, tmp_path: Path) -> None:
    plain = data_dir / "fits" / "desi-coadd-main-dark-9144.fits"
    packed = tmp_path / "desi.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=1))
    for ours, theirs in zip(read_fits(packed), read_fits(plain), strict=True):
        np.testing.assert_array_equal(ours["flux"], theirs["flux"])
        np.testing.assert_array_equal(ours["quality"], theirs["quality"])
        assert ours["l1_id"] == theirs["l1_id"]


def test_tile_compressed_images_read_like_plain_ones(make_weave: Make, tmp_path: Path) -> None:
    plain = make_weave(tmp_path / "single_1.fit", "RED")
    with fits.open(plain) as hdus:
        packed = [
            fits.CompImageHDU(h.data, h.header, name=h.name, compression_type="GZIP_1", quantize_level=0)
            if isinstance(h, fits.ImageHDU)
            else h
            for h in hdus
        ]
        fits.HDUList(packed).writeto(tmp_path / "single_1.fit.fz")
    for ours, theirs in zip(read_fits(tmp_path / "single_1.fit.fz"), read_fits(plain), strict=True):
        np.testing.assert_array_equal(ours["flux"], theirs["flux"])


def test_damaged_gzip(data_dir: Path, tmp_path: Path) -> None:
    packed = gzip.compress((data_dir / "fits" / "sdss-spec-1599-53089-0469.fits").read_bytes(), compresslevel=1)
    path = tmp_path / "x.fits.gz"
    path.write_bytes(packed[: len(packed) // 2])
    assert "gzip stream is truncated or corrupt" in str(failure(path))
    path.write_bytes(gzip.compress(b"not FITS at all" * 400))
    assert "is not a FITS file" in str(failure(path))


def test_unknown_layout_says_what_it_holds_and_what_is_supported(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((4, 4)), name="SCI")]).writeto(path)
    error = failure(path)
    assert "SCI" in str(error)
    assert "DESI" in str(error)
    with pytest.raises(FitsError):
        recognise(path)
    assert list(group_arms([path, tmp_path / "none.fits"])) == [(path,), (tmp_path / "none.fits",)]


def test_corrupt_header_of_an_extension(data_dir: Path, tmp_path: Path) -> None:
    whole = bytearray((data_dir / "fits" / "4most-mock-ql1.fits").read_bytes())
    at = whole.index(b"XTENSION")
    whole[at : at + 8] = b"YTENSION"
    path = tmp_path / "x.fits"
    path.write_bytes(whole)
    assert "header is corrupt" in str(failure(path))


def edit(path: Path, target: Path, change: Callable[[fits.HDUList], object]) -> Path:
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(target, overwrite=True, output_verify="ignore")
    return target


def test_missing_column_is_named_with_those_present(data_dir: Path, tmp_path: Path) -> None:
    def drop(hdus: fits.HDUList) -> None:
        hdus[1].columns.change_name("ERR_FLUX", "NOISE")

    error = failure(edit(data_dir / "fits" / "4most-mock-ql1.fits", tmp_path / "x.fits", drop))
    assert (error.extension, error.keyword) == ("PHASE3SPECTRUM", "FLUX_IVAR or ERR_FLUX")
    assert "NOISE" in str(error)


def test_missing_extension_is_named_with_those_present(data_dir: Path, tmp_path: Path) -> None:
    def drop(hdus: fits.HDUList) -> None:
        del hdus["R_IVAR"]

    error = failure(edit(data_dir / "fits" / "desi-coadd-main-dark-9144.fits", tmp_path / "x.fits", drop))
    assert error.extension == "R_IVAR"
    assert "B_IVAR" in str(error)


@pytest.mark.parametrize("unit", ["mag", "furlong", "erg/s", "K"])
def test_wrong_flux_unit_is_named(data_dir: Path, tmp_path: Path, unit: str) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[1].header["TUNIT2"] = unit

    error = failure(edit(data_dir / "fits" / "4most-mock-ql1.fits", tmp_path / "x.fits", change))
    assert (error.extension, error.keyword) == ("PHASE3SPECTRUM", "TUNIT2")
    assert repr(unit) in str(error)


@pytest.mark.parametrize(
    ("unit", "keyword", "said"),
    [
        ({"TUNIT2": None}, "TUNIT2", "the unit of FLUX_REDUCED is missing, that of ERR is 'erg/cm**2/s/Angstrom'"),
        ({"TUNIT3": None}, "TUNIT3", "the unit of ERR is missing, that of FLUX_REDUCED is 'erg/cm**2/s/Angstrom'"),
        ({"TUNIT3": "adu"}, "TUNIT3", "the unit of ERR differs from that of FLUX_REDUCED"),
    ],
)
def test_flux_and_error_in_different_units_are_refused(
    data_dir: Path, tmp_path: Path, unit: dict[str, str | None], keyword: str, said: str
) -> None:
    """The keyword that is named is the one to mend."""

    def change(hdus: fits.HDUList) -> None:
        for name, value in unit.items():
            if value is None:
                del hdus[1].header[name]
            else:
                hdus[1].header[name] = value

    name = "eso-sdp-ADP.2015-10-15T12_53_33.873.fits"
    error = failure(edit(data_dir / "fits" / name, tmp_path / "x.fits", change))
    assert error.keyword == keyword
    assert said in str(error)


def test_wrong_wavelength_unit_is_named(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[1].header["TUNIT1"] = "s"

    error = failure(edit(data_dir / "fits" / "4most-mock-ql1.fits", tmp_path / "x.fits", change))
    assert error.keyword == "TUNIT1"


def test_missing_axis_keyword_is_named(data_dir: Path, tmp_path: Path) -> None:
    def drop(hdus: fits.HDUList) -> None:
        del hdus[0].header["COEFF1"]

    error = failure(edit(data_dir / "fits" / "lamost-spec-58575-sp03-010.fits", tmp_path / "x.fits", drop))
    assert error.keyword == "COEFF1"


def test_axis_keyword_that_contradicts_the_wavelengths_is_refused(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[0].header["COEFF0"] = 3.60

    error = failure(edit(data_dir / "fits" / "lamost-spec-58575-sp03-010.fits", tmp_path / "x.fits", change))
    assert "contradict COEFF0" in str(error)


def test_desi_arms_of_different_size_are_refused(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus["B_FLUX"].data = hdus["B_FLUX"].data[:, :-1]

    error = failure(edit(data_dir / "fits" / "desi-coadd-main-dark-9144.fits", tmp_path / "x.fits", change))
    assert (error.extension, error.keyword) == ("B_FLUX", "NAXIS")


def test_desi_resolution_matrices_of_another_shape_are_refused(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus["R_RESOLUTION"].data = hdus["R_RESOLUTION"].data[:, :-1]

    error = failure(edit(data_dir / "fits" / "desi-coadd-main-dark-9144.fits", tmp_path / "x.fits", change))
    assert (error.extension, error.keyword) == ("R_RESOLUTION", "NAXIS")
    assert "expected (2, odd number, 2326)" in str(error)


def test_desi_file_without_resolution_matrices_states_no_resolving_power(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        for arm in "BRZ":
            del hdus[f"{arm}_RESOLUTION"]

    path = edit(data_dir / "fits" / "desi-coadd-main-dark-9144.fits", tmp_path / "x.fits", change)
    assert [record["resolving_power"] for record in read_fits(path)] == [None, None]


def test_sdss_v_file_is_refused_by_name(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[0].header["RUN2D"] = "v6_1_3"

    error = failure(edit(data_dir / "fits" / "boss-spec-10000-57346-0006.fits", tmp_path / "x.fits", change))
    assert "SDSS-V" in str(error)


def test_nan_coordinates_of_a_header_become_null(data_dir: Path, tmp_path: Path) -> None:
    def change(hdus: fits.HDUList) -> None:
        hdus[2].data["PLUG_RA"] = np.nan
        del hdus[0].header["PLUG_RA"]

    path = edit(data_dir / "fits" / "boss-spec-10000-57346-0006.fits", tmp_path / "x.fits", change)
    (record,) = read_fits(path)
    assert record["ra_deg"] is None
    assert record["dec_deg"] is not None


def test_careless_cards_do_not_leak_warnings(data_dir: Path, tmp_path: Path) -> None:
    whole = (data_dir / "fits" / "4most-mock-ql1.fits").read_bytes()
    at = whole.index(b"TDISP1")
    card = b"TDISP1  = 'nonsense'".ljust(80)
    path = tmp_path / "x.fits"
    path.write_bytes(whole[:at] + card + whole[at + 80 :])
    assert len(list(read_fits(path))) == 1  # warnings are errors here
