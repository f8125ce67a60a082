from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stream.alerts.fits_image import FitsTooLarge, InvalidFits, read_images

DTYPES = [">u1", ">i2", ">i4", ">i8", ">f4", ">f8"]


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    if dtype.kind == "f":
        elements = st.floats(width=32, allow_nan=True, allow_infinity=True)
        return draw(hnp.arrays(dtype, shape, elements=elements))
    return draw(hnp.arrays(dtype, shape))


def with_astropy(value: bytes) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(fits.getdata(io.BytesIO(value)), dtype=np.float32)


@settings(deadline=None, max_examples=60)
@given(images())
def test_pixels_equal_astropys(image: np.ndarray) -> None:
    stream = io.BytesIO()
    fits.PrimaryHDU(image).writeto(stream)
    (read,) = read_images(stream.getvalue())
    assert np.array_equal(read.image, with_astropy(stream.getvalue()), equal_nan=True)
    assert read.image.dtype == np.float32


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(">i2", (4, 5)),
    st.floats(0.01, 100).map(lambda x: round(x, 3)),
    st.floats(-1e5, 1e5).map(lambda x: round(x, 2)),
    st.one_of(st.none(), st.integers(-300, 300)),
)
def test_scaled_integers_follow_the_standard_and_blanks_are_nan(
    stored: np.ndarray, scale: float, zero: float, blank: int | None
) -> None:
    hdu = fits.PrimaryHDU(stored)
    stream = io.BytesIO()
    hdu.writeto(stream)
    value = stream.getvalue()
    cards = f"{'BSCALE  = ' + str(scale):80}{'BZERO   = ' + str(zero):80}"
    if blank is not None:
        cards += f"{'BLANK   = ' + str(blank):80}"
    at = value.index(b"END" + b" " * 77)
    header = value[:at] + cards.encode() + b"END".ljust(80)
    value = header.ljust(2880) + value[2880:]
    reference = zero + scale * stored.astype(np.float64)
    if blank is not None:
        reference[stored == blank] = np.nan
    assert np.allclose(read_images(value)[0].image, reference, rtol=1e-6, atol=0, equal_nan=True)


def test_every_image_of_a_file_is_read_with_its_name(fits_bytes: Callable[[np.ndarray], bytes]) -> None:
    stream = io.BytesIO()
    variance = fits.ImageHDU(np.full((30, 30), 4.0), name="UNCERT")
    variance.header["UTYPE"] = "VarianceUncertainty"
    fits.HDUList([fits.PrimaryHDU(np.ones((30, 30), np.float32)), variance, fits.ImageHDU(np.eye(5))]).writeto(stream)
    first, second, third = read_images(stream.getvalue())
    assert (first.image == 1).all()
    assert (second.name, second.utype) == ("UNCERT", "VarianceUncertainty")
    assert (second.image == 4).all()
    assert third.image.shape == (5, 5)


def test_a_primary_hdu_without_pixels_is_passed_over() -> None:
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.eye(3, dtype=np.float32))]).writeto(stream)
    (only,) = read_images(stream.getvalue())
    assert only.image.trace() == 3


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(3000), "a JPEG picture"),
        (b"\x89PNG" + bytes(100), "a PNG picture"),
        (b"", "0 bytes"),
        (b"SIMPLE  =                    F".ljust(80) + b"END".ljust(2800), "SIMPLE"),
        (b"SIMPLE  =                    T" + b" " * 50, "bytes without it"),
    ],
)
def test_foreign_bytes_are_named(value: bytes, received: str) -> None:
    with pytest.raises(InvalidFits) as caught:
        read_images(value)
    assert received in f"{caught.value} {caught.value.received}"


@pytest.mark.parametrize(
    ("keyword", "card"),
    [
        ("BITPIX", "BITPIX  =                   24"),
        ("BITPIX", "BITPIX  = 'text'"),
        ("NAXIS ", "NAXIS   =                    3"),
        ("NAXIS1", "NAXIS1  =                    0"),
        ("NAXIS1", "NAXIS1  =                   -5"),
        ("NAXIS1", "NAXIS1  =                  5.5"),
        ("NAXIS2", "NAXIS2  =                   64"),
    ],
)
def test_a_header_that_does_not_describe_the_pixels_is_refused(
    keyword: str, card: str, fits_bytes: Callable[[np.ndarray], bytes]
) -> None:
    value = fits_bytes(np.zeros((20, 20), np.float32))
    at = value.index(keyword.encode())
    with pytest.raises(InvalidFits):
        read_images(value[:at] + card.ljust(80).encode() + value[at + 80 :])


@pytest.mark.parametrize("card", ["NAXIS1  =  2000000000", "NAXIS1  =        1025"])
def test_a_side_beyond_the_limit_is_refused_before_anything_is_allocated(
    card: str, fits_bytes: Callable[[np.ndarray], bytes]
) -> None:
    value = fits_bytes(np.zeros((20, 20), np.float32))
    at = value.index(b"NAXIS1")
    with pytest.raises(FitsTooLarge):
        read_images(value[:at] + card.ljust(80).encode() + value[at + 80 :])


def test_a_header_without_end_is_refused_within_a_bound() -> None:
    with pytest.raises(FitsTooLarge):
        read_images(b"SIMPLE  =                    T".ljust(80) + b"COMMENT x".ljust(80) * 50_000)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=6000))
def test_arbitrary_bytes_raise_nothing_else(value: bytes) -> None:
    with pytest.raises(InvalidFits):
        read_images(value)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_files_raise_nothing_else(data: st.DataObject) -> None:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.arange(400, dtype=np.float32).reshape(20, 20)).writeto(stream)
    value = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, 800))] = data.draw(st.integers(0, 255))
    value = value[: data.draw(st.integers(0, len(value)))]
    try:
        images_read = read_images(bytes(value))
    except InvalidFits:
        return
    assert all(max(one.image.shape) <= 1024 for one in images_read)
