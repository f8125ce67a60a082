"""DECam: alerts of the DESIRT survey with the Dark Energy Camera; gzipped FITS, 63 x 63 pixels of 0.26 arcsec."""

from __future__ import annotations

from stream.alerts.survey import AlertFormat, has_fields
from stream.alerts.ztf_style import Layout, decode

LAYOUT = Layout(survey="DECAM", instrument="DECam", time="mjd", side_pixels=63, candid_within_object=True)

FORMAT = AlertFormat(
    survey=LAYOUT.survey,
    schema_names=frozenset({"desirt.alert"}),
    resembles=lambda record: has_fields(
        record,
        frozenset({"objectId", "candid", "candidate", "cutoutDifference"}),
        "candidate",
        frozenset({"mjd", "forcediffimflux"}),
    ),
    decode=lambda record: decode(record, LAYOUT),
)
