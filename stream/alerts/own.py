"""Alerts in specstream's own schema, ``org.specstream.l1_image_alert``: plain float32 stamps with variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from classifiers.items import Stamps
from classifiers.quality import Quality
from stream.alerts.cutouts import Image, make_stamps
from stream.alerts.fields import Fields
from stream.alerts.fits_image import MAX_SIDE_PIXELS
from stream.alerts.survey import AlertFormat, has_fields
from stream.decoded import Identity
from stream.errors import Reason

_ROLES = ("SCIENCE", "TEMPLATE", "DIFFERENCE")


def _decode(record: Mapping[str, Any]) -> tuple[Identity, Stamps]:
    survey = record.get("survey")
    alert = Fields(record, survey.upper() if isinstance(survey, str) else "")
    name = alert.identifier("survey").upper()
    ra_deg, dec_deg = alert.position("ra_deg", "dec_deg")
    mjd = alert.mjd("mjd")
    identity = Identity(
        l1_id=alert.identifier("l1_id"),
        survey=name,
        instrument=alert.optional_identifier("instrument") or "",
        object_id=alert.optional_identifier("object_id"),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        mjd_start=mjd,
        mjd_end=mjd,
    )
    images = _images(alert)
    stamps = make_stamps(
        images.get("SCIENCE"),
        images.get("TEMPLATE"),
        images.get("DIFFERENCE"),
        survey=name,
        names=("stamps[SCIENCE]", "stamps[TEMPLATE]", "stamps[DIFFERENCE]"),
        flags=int(Quality.NO_POSITION) if ra_deg is None else 0,
    )
    return identity, stamps


def _images(alert: Fields) -> dict[str, Image]:
    """Return the images by role; pixels without a positive variance are NaN."""
    stamps = alert.raw("stamps")
    if not isinstance(stamps, list):
        alert.reject(Reason.MISSING_FIELD, "stamps is no list", "stamps", "a list of stamps", type(stamps).__name__)
    images: dict[str, Image] = {}
    for number, stamp in enumerate(stamps):
        if not isinstance(stamp, Mapping):
            alert.reject(Reason.INVALID_VALUE, "a stamp is no record", "stamps", "records", type(stamp).__name__)
        role = stamp.get("role")
        if role not in _ROLES:
            continue
        if role in images:
            alert.reject(Reason.INVALID_VALUE, f"two stamps are {role}", f"stamps[{number}].role", "one of each", role)
        height, width = _side(alert, stamp, number, "height"), _side(alert, stamp, number, "width")
        image = _array(alert, stamp, number, "image", height, width)
        if image is None:
            continue
        variance = _array(alert, stamp, number, "variance", height, width)
        images[role] = image if variance is None else np.where(variance > 0, image, np.float32(np.nan))
    return images


def _side(alert: Fields, stamp: Mapping[str, Any], number: int, name: str) -> int:
    """Return height or width [pixel]."""
    side = stamp.get(name)
    field = f"stamps[{number}].{name}"
    if isinstance(side, bool) or not isinstance(side, int) or side < 1:
        alert.reject(Reason.INVALID_VALUE, f"{name} is no side", field, "at least 1 pixel", side)
    if side > MAX_SIDE_PIXELS:
        alert.reject(
            Reason.CUTOUT_TOO_LARGE, "the stamp is too large", field, f"at most {MAX_SIDE_PIXELS} pixels", side
        )
    return side


def _array(alert: Fields, stamp: Mapping[str, Any], number: int, name: str, height: int, width: int) -> Image | None:
    """Return an array of the stamp as (height, width) float32; None when it is absent or empty."""
    value = stamp.get(name)
    field = f"stamps[{number}].{name}"
    if value is None:
        return None
    if isinstance(value, bytes):
        if len(value) % 4:
            alert.reject(Reason.LENGTH_MISMATCH, f"{name} is cut", field, "whole float32 values", f"{len(value)} bytes")
        value = np.frombuffer(value, dtype="<f4")
    elif not isinstance(value, np.ndarray | list):
        alert.reject(Reason.INVALID_VALUE, f"{name} is no array", field, "float32 values", type(value).__name__)
    flat = np.asarray(value, dtype=np.float32).ravel()
    if flat.size == 0:
        return None
    if flat.size != height * width:
        alert.reject(
            Reason.LENGTH_MISMATCH, f"{name} does not fill the stamp", field, f"{height} x {width} values", flat.size
        )
    return flat.reshape(height, width)


FORMAT = AlertFormat(
    survey="",
    schema_names=frozenset({"org.specstream.l1_image_alert"}),
    resembles=lambda record: has_fields(record, frozenset({"l1_id", "survey", "stamps"})),
    decode=_decode,
)
