"""Cutouts to stamps, by fixed rules.

* The difference image must be there: without it nothing was detected, and nothing can be classified (CUTOUT_MISSING).
* Science or template may be missing (null, empty, or without one finite pixel): classified, with flag CUTOUT_MISSING.
* A cutout that came but cannot be read (truncated bytes, wrong checksum, no FITS, a JPEG preview) means that the
  message was damaged or never held science data: CUTOUT_INVALID names it. One that would unfold beyond the limits is
  CUTOUT_TOO_LARGE.
* Pixels that are not finite, or hold the float32 extreme that ZTF's templates have where there is no data, become NaN
  and are flagged CUTOUT_NON_FINITE.
* A stamp smaller than the survey's nominal size was cut by a chip edge: flag CUTOUT_TRUNCATED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Stamps
from classifiers.quality import Quality
from stream.alerts.compression import GZIP_MAGIC, CorruptGzip, GzipTooLarge, gunzip
from stream.alerts.fits_image import FitsTooLarge, InvalidFits, read_images
from stream.errors import Reason, Rejectable

MAX_CUTOUT_BYTES = 4 << 20
"""Limit of one decompressed cutout; the largest of the supported surveys' is 60 kB."""

NO_DATA = np.float32(1e30)
"""Values of at least this size, of either sign, are no measurement: -3.4e38 stands for "no data" in ZTF's templates."""

Image: TypeAlias = NDArray[np.float32]


def read_cutout(record: Mapping[str, Any], field: str, survey: str) -> Image | None:
    """Return one cutout of an alert.

    Args:
        record: the alert.
        field: field that holds FITS bytes, plain or gzipped, or a sub-record with them in ``stampData``.
        survey: for the rejection.

    Returns:
        (height, width) float32 as stored, NaN and inf included; None when the cutout is absent, null or empty.

    Raises:
        Rejectable: CUTOUT_INVALID or CUTOUT_TOO_LARGE.
    """
    value = record.get(field)
    if isinstance(value, Mapping):
        value = value.get("stampData")
        field += ".stampData"
    if value is None:
        return None
    if not isinstance(value, bytes):
        raise Rejectable(
            Reason.CUTOUT_INVALID,
            "the cutout is not bytes",
            field=field,
            expected="FITS bytes",
            received=type(value).__name__,
            survey=survey,
        )
    if not value:
        return None
    try:
        return _read_fits(value)
    except GzipTooLarge as error:
        raise Rejectable(
            Reason.CUTOUT_TOO_LARGE,
            "the cutout decompresses beyond the limit",
            field=field,
            expected=f"at most {MAX_CUTOUT_BYTES} bytes",
            received=str(error),
            survey=survey,
        ) from error
    except CorruptGzip as error:
        raise Rejectable(
            Reason.CUTOUT_INVALID,
            "the cutout's compressed bytes are damaged",
            field=field,
            expected="intact gzip bytes",
            received=str(error),
            survey=survey,
        ) from error
    except InvalidFits as error:
        too_large = isinstance(error, FitsTooLarge)
        raise Rejectable(
            Reason.CUTOUT_TOO_LARGE if too_large else Reason.CUTOUT_INVALID,
            f"the cutout cannot be read: {error}",
            field=field,
            expected=error.expected,
            received=error.received,
            survey=survey,
        ) from error


def _read_fits(value: bytes) -> Image:
    """Return the first image; where a variance follows it, pixels without a positive one are NaN."""
    if value.startswith(GZIP_MAGIC):
        value = gunzip(value, max_bytes=MAX_CUTOUT_BYTES)
    elif len(value) > MAX_CUTOUT_BYTES:
        raise GzipTooLarge(f"{len(value)} bytes")
    first, *others = read_images(value)
    for other in others:
        if "VARIANCE" in f"{other.utype} {other.name}".upper() and other.image.shape == first.image.shape:
            return np.where(other.image > 0, first.image, np.float32(np.nan))
    return first.image


def _without_invalid(image: Image) -> Image | None:
    """Return the image with NaN wherever it holds no measurement; None when it holds none at all."""
    valid = np.abs(image) < NO_DATA
    return np.where(valid, image, np.float32(np.nan)) if valid.any() else None


def make_stamps(
    science: Image | None,
    template: Image | None,
    difference: Image | None,
    *,
    survey: str,
    names: tuple[str, str, str],
    nominal_side: int | None = None,
    place: Callable[[Image], Image] | None = None,
    flags: int = 0,
) -> Stamps:
    """Check three images and make them stamps.

    Args:
        science: image as read, or None.
        template: image as read, or None.
        difference: image as read, or None.
        survey: upper-case name.
        names: fields of science, template and difference, for the rejection.
        nominal_side: the survey's side [pixel]; a smaller image is flagged as truncated. None where sizes vary.
        place: puts an image that is smaller than nominal where it belongs (NaN elsewhere), when the survey says where.
        flags: quality bits found before.

    Raises:
        Rejectable: CUTOUT_MISSING without a difference image, NO_VALID_PIXELS when it has no finite pixel.
    """
    if difference is None:
        raise Rejectable(
            Reason.CUTOUT_MISSING,
            "the alert has no difference image",
            field=names[2],
            expected="a difference image",
            received="null or empty",
            survey=survey,
        )
    stamps: list[Image | None] = []
    for image, is_difference in ((science, False), (template, False), (difference, True)):
        checked: Image | None = None
        if image is not None:
            checked = image
            if not np.abs(image).max() < NO_DATA:  # True for NaN
                flags |= Quality.CUTOUT_NON_FINITE
                checked = _without_invalid(image)
        if checked is None:
            if is_difference:
                raise Rejectable(
                    Reason.NO_VALID_PIXELS,
                    "the difference image has no finite pixel",
                    field=names[2],
                    expected="finite pixels",
                    received="none",
                    survey=survey,
                )
            flags |= Quality.CUTOUT_MISSING
        elif nominal_side is not None and min(checked.shape) < nominal_side:
            flags |= Quality.CUTOUT_TRUNCATED
            if place is not None:
                checked = place(checked)
        stamps.append(checked)
    return Stamps(science=stamps[0], template=stamps[1], difference=stamps[2], survey=survey, flags=int(flags))
