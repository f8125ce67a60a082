"""WINTER: alerts of Palomar's 1-m near-infrared survey; gzipped FITS cutouts, 81 x 81 pixels of about 1.1 arcsec."""

from __future__ import annotations

from stream.alerts.survey import AlertFormat, has_fields
from stream.alerts.ztf_style import Layout, decode

LAYOUT = Layout(
    survey="WINTER",
    instrument="WINTER",
    object_id="objectid",
    programme="progname",
    observation="field",
    cutouts=("cutout_science", "cutout_template", "cutout_difference"),
    side_pixels=81,
)

FORMAT = AlertFormat(
    survey=LAYOUT.survey,
    schema_names=frozenset({"winter.alert"}),
    resembles=lambda record: has_fields(
        record,
        frozenset({"objectid", "candid", "candidate", "cutout_difference"}),
        "candidate",
        frozenset({"jd", "progname"}),
    ),
    decode=lambda record: decode(record, LAYOUT),
)
