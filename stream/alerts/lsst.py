"""LSST: alerts of the Vera C. Rubin Observatory (schemas 7.1 to 11.1), as the observatory and its brokers send them.

Cutouts are plain FITS of three HDUs, image [nJy], variance and PSF, 0.2 arcsec a pixel; their size varies with the
source (30 x 30 is common). Times are TAI, as the alert schemas say; only mid-visit is sent, so start and end of the
exposure are both mid-visit, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifiers.items import Stamps
from classifiers.quality import Quality
from stream.alerts.cutouts import make_stamps, read_cutout
from stream.alerts.fields import Fields
from stream.alerts.survey import AlertFormat, has_fields
from stream.alerts.time_scales import tai_to_utc_mjd
from stream.decoded import Identity

SURVEY = "LSST"
_CUTOUTS = ("cutoutScience", "cutoutTemplate", "cutoutDifference")
_VERSIONS = ("7_0", "7_1", "7_2", "7_3", "7_4", "8_0", "9_0", "10_0", "11_0", "11_1")


def _decode(record: Mapping[str, Any]) -> tuple[Identity, Stamps]:
    alert = Fields(record, SURVEY)
    source = alert.record("diaSource")
    ra_deg, dec_deg = source.position("ra", "dec")
    mjd_tai = source.mjd("midpointMjdTai")
    mjd_utc = None if mjd_tai is None else tai_to_utc_mjd(mjd_tai)
    object_uid = _assigned(source.optional_identifier("diaObjectId"))
    if object_uid is None:
        object_uid = _assigned(alert.optional_record("diaObject").optional_identifier("diaObjectId"))
    solar_system_id = _assigned(source.optional_identifier("ssObjectId"))
    identity = Identity(
        l1_id=alert.identifier("diaSourceId"),
        survey=SURVEY,
        instrument="LSSTCam",
        object_uid=object_uid or solar_system_id,
        object_id=object_uid or solar_system_id,
        ob_id=source.optional_identifier("visit"),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        mjd_start=mjd_utc,
        mjd_end=mjd_utc,
    )
    science, template, difference = (read_cutout(record, field, SURVEY) for field in _CUTOUTS)
    stamps = make_stamps(
        science,
        template,
        difference,
        survey=SURVEY,
        names=_CUTOUTS,
        flags=int(Quality.NO_POSITION) if ra_deg is None else 0,
    )
    return identity, stamps


def _assigned(identifier: str | None) -> str | None:
    """Return an identifier unless it is the survey's 0 for "none"."""
    return None if identifier == "0" else identifier


FORMAT = AlertFormat(
    survey=SURVEY,
    schema_names=frozenset(f"lsst.v{version}.alert" for version in _VERSIONS),
    resembles=lambda record: has_fields(
        record, frozenset({"diaSourceId", "diaSource"}), "diaSource", frozenset({"midpointMjdTai"})
    ),
    decode=_decode,
)
