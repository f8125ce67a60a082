"""PGIR: alerts of Palomar Gattini-IR; gzipped FITS cutouts, 61 x 61 pixels of about 4.4 arcsec."""

from __future__ import annotations

from stream.alerts.survey import AlertFormat, has_fields
from stream.alerts.ztf_style import Layout, decode

LAYOUT = Layout(survey="PGIR", instrument="PGIR", programme="program", observation="stackquadid", side_pixels=61)

FORMAT = AlertFormat(
    survey=LAYOUT.survey,
    schema_names=frozenset({"pgir.alert"}),
    resembles=lambda record: has_fields(
        record,
        frozenset({"objectId", "candid", "candidate", "cutoutDifference"}),
        "candidate",
        frozenset({"jd", "stackquadid"}),
    ),
    decode=lambda record: decode(record, LAYOUT),
)
