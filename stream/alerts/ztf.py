"""ZTF: alerts of the Zwicky Transient Facility (schemas 1.3 to 4.02), as the survey and its brokers send them.

Cutouts are gzipped FITS, 63 x 63 pixels of 1.01 arcsec (Masci et al. 2019, PASP 131, 018003), cut at chip edges.
Schema 1.3 held JPEG previews instead, which are no science data: such an alert is a dead letter.
"""

from __future__ import annotations

from stream.alerts.survey import AlertFormat, has_fields
from stream.alerts.ztf_style import Layout, decode

LAYOUT = Layout(
    survey="ZTF",
    instrument="ZTF",
    programme="programid",
    observation="pid",
    chip_position=("xpos", "ypos"),
    side_pixels=63,
)

FORMAT = AlertFormat(
    survey=LAYOUT.survey,
    schema_names=frozenset({"ztf.alert"}),
    resembles=lambda record: has_fields(
        record,
        frozenset({"objectId", "candid", "candidate", "cutoutDifference"}),
        "candidate",
        frozenset({"jd", "fid", "rcid"}),
    ),
    decode=lambda record: decode(record, LAYOUT),
)
