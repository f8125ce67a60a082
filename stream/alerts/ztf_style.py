"""Alerts laid out like ZTF's, which others copied: object, ``candidate`` record, three cutouts; only names differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from classifiers.items import Stamps
from classifiers.quality import Quality
from stream.alerts.cutouts import Image, make_stamps, read_cutout
from stream.alerts.fields import MJD_OF_JD_ZERO, Fields
from stream.alerts.placing import place_truncated
from stream.decoded import Identity

_SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Layout:
    """What differs between the surveys.

    Attributes:
        survey: upper-case name.
        instrument: camera.
        object_id: field of the object's name.
        time: field of the start of the exposure within ``candidate``, UTC: ``jd`` or ``mjd``, of which it is the unit.
        programme, observation: fields of ``candidate`` for programme_id and ob_id; "" where there is none.
        cutouts: fields of science, template and difference.
        side_pixels: nominal side of a stamp.
        chip_position: fields of ``candidate`` with the source's 1-based column and row on the chip, None without them.
        candid_within_object: True when ``candid`` is unique only together with the object's name.
    """

    survey: str
    instrument: str
    object_id: str = "objectId"
    time: str = "jd"
    programme: str = ""
    observation: str = ""
    cutouts: tuple[str, str, str] = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
    side_pixels: int = 63
    chip_position: tuple[str, str] | None = None
    candid_within_object: bool = False


def decode(record: Mapping[str, Any], layout: Layout) -> tuple[Identity, Stamps]:
    """Return identity and stamps of one alert.

    Raises:
        Rejectable: see ``stream.alerts.fields`` and ``stream.alerts.cutouts``.
    """
    alert = Fields(record, layout.survey)
    candidate = alert.record("candidate")
    ra_deg, dec_deg = candidate.position("ra", "dec")
    mjd_start = candidate.mjd(layout.time, zero=MJD_OF_JD_ZERO if layout.time == "jd" else 0.0)
    object_id, candid = alert.identifier(layout.object_id), alert.identifier("candid")
    identity = Identity(
        l1_id=f"{object_id}:{candid}" if layout.candid_within_object else candid,
        survey=layout.survey,
        instrument=layout.instrument,
        object_id=object_id,
        programme_id=candidate.optional_identifier(layout.programme),
        ob_id=candidate.optional_identifier(layout.observation),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        mjd_start=mjd_start,
        mjd_end=_end(mjd_start, candidate.number("exptime")),
    )
    science, template, difference = (read_cutout(record, field, layout.survey) for field in layout.cutouts)
    x, y = (candidate.number(name) for name in layout.chip_position or ("", ""))

    def place(image: Image) -> Image:
        return place_truncated(image, layout.side_pixels, x, y)

    stamps = make_stamps(
        science,
        template,
        difference,
        survey=layout.survey,
        names=layout.cutouts,
        nominal_side=layout.side_pixels,
        place=place,
        flags=int(Quality.NO_POSITION) if ra_deg is None else 0,
    )
    return identity, stamps


def _end(mjd_start: float | None, exptime_s: float | None) -> float | None:
    """Return the end of the exposure, None where start or exposure time are unknown."""
    if mjd_start is None or exptime_s is None or not 0 < exptime_s < _SECONDS_PER_DAY:
        return None
    return mjd_start + exptime_s / _SECONDS_PER_DAY
