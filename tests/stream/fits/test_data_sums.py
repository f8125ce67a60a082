"""DATASUM is verified before data are handed out; what states none, or an outdated CHECKSUM alone, is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import FitsError, read_fits
from stream.fits.opening import open_fits

Make = Callable[..., Path]

# Extensions of the samples that state a DATASUM and hold the spectrum.
SUMMED = [
    ("4most-mock-ql1.fits", "PHASE3SPECTRUM"),
    ("desi-coadd-4-80613-thru20210324.fits", "B_FLUX"),
    ("desi-coadd-4-80613-thru20210324.fits", "R_IVAR"),
    ("desi-coadd-4-80613-thru20210324.fits", "FIBERMAP"),
    ("desi-coadd-main-dark-9144.fits", "Z_WAVELENGTH"),
    ("eso-sdp-ADP.2015-10-15T12_53_33.873.fits", "SPECTRAL CONTAINER"),
]


def with_flipped_bit(source: Path, target: Path, extension: Any, at: float = 0.5) -> Path:
    with fits.open(source) as hdus:
        info = hdus[extension].fileinfo()
        position = info["datLoc"] + int(at * hdus[extension].size)
    content = bytearray(source.read_bytes())
    content[position] ^= 1
    target.write_bytes(content)
    return target


@pytest.mark.parametrize(("name", "extension"), SUMMED)
def test_flipped_bit_of_a_data_unit_is_named_with_its_extension(
    data_dir: Path, tmp_path: Path, name: str, extension: str
) -> None:
    path = with_flipped_bit(data_dir / "fits" / name, tmp_path / name, extension)
    with pytest.raises(FitsError, match="damaged: they do not match their checksum") as caught:
        list(read_fits(path))
    assert (caught.value.file, caught.value.extension, caught.value.keyword) == (path, extension, "DATASUM")


def test_flipped_bit_of_a_large_file_is_found_before_its_first_spectrum(make_mec: Make, tmp_path: Path) -> None:
    made = make_mec(tmp_path / "made.fits", n=300)
    with fits.open(made) as hdus:
        hdus.writeto(tmp_path / "whole.fits", checksum=True)
    assert len(list(read_fits(tmp_path / "whole.fits"))) == 300
    path = with_flipped_bit(tmp_path / "whole.fits", tmp_path / "flipped.fits", "SPECTAB", at=0.99)
    with pytest.raises(FitsError, match="damaged") as caught:
        next(read_fits(path))
    assert caught.value.extension == "SPECTAB"


def test_sum_of_a_compressed_image_is_that_of_what_is_stored(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(40, 50)).astype(np.float32)
    image = fits.CompImageHDU(noise, name="NOISE", compression_type="GZIP_1", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "x.fits", checksum=True)
    with open_fits(tmp_path / "x.fits") as file:
        np.testing.assert_array_equal(file.require("NOISE").image(), noise)
    content = bytearray((tmp_path / "x.fits").read_bytes())
    content[-3000] ^= 1
    (tmp_path / "x.fits").write_bytes(content)
    with open_fits(tmp_path / "x.fits") as file, pytest.raises(FitsError, match="damaged"):
        file.require("NOISE").image()


@pytest.mark.parametrize("stated", [None, "", "unknown"])
def test_extension_that_states_no_sum_is_read(data_dir: Path, tmp_path: Path, stated: str | None) -> None:
    with fits.open(data_dir / "fits" / "4most-mock-ql1.fits") as hdus:
        del hdus[1].header["CHECKSUM"]
        hdus[1].header["DATASUM"] = stated or ""
        if stated is None:
            del hdus[1].header["DATASUM"]
        hdus[1].data["FLUX"][0, 7] = 1.0
        hdus.writeto(tmp_path / "x.fits")
    assert len(list(read_fits(tmp_path / "x.fits"))) == 1


def test_header_edited_without_a_new_checksum_is_read(data_dir: Path, tmp_path: Path) -> None:
    content = (data_dir / "fits" / "4most-mock-ql1.fits").read_bytes()
    assert content.count(b"'Field 02A'") == 2
    path = tmp_path / "x.fits"
    path.write_bytes(content.replace(b"'Field 02A'", b"'Field 02B'"))
    with fits.open(path) as hdus:
        assert hdus[1].verify_checksum() == 0
    assert len(list(read_fits(path))) == 1
