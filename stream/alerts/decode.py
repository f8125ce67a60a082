"""One image alert of any supported survey: recognised by its schema's name, else by its fields, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifiers.items import Stamps
from stream.alerts import decam, lsst, own, pgir, winter, ztf
from stream.alerts.survey import AlertFormat
from stream.decoded import Identity
from stream.errors import Reason, Rejectable

FORMATS: tuple[AlertFormat, ...] = (ztf.FORMAT, lsst.FORMAT, decam.FORMAT, winter.FORMAT, pgir.FORMAT, own.FORMAT)
_BY_SCHEMA = {name: known for known in FORMATS for name in known.schema_names}


def recognise_alert(record: Mapping[str, Any], schema_name: str) -> AlertFormat | None:
    """Return the format of an alert, None when it is none of the supported ones."""
    known = _BY_SCHEMA.get(schema_name)
    if known is not None:
        return known
    return next((candidate for candidate in FORMATS if candidate.resembles(record)), None)


def decode_alert(record: Mapping[str, Any], schema_name: str) -> tuple[Identity, Stamps]:
    """Return identity and stamps of one decoded alert.

    Args:
        record: the record as the codec decoded it.
        schema_name: full Avro name of the writer's top record.

    Returns:
        Identity and stamps; quality flags that decoding found are in ``Stamps.flags``.

    Raises:
        Rejectable: the alert is of no supported survey (UNSUPPORTED), a mandatory field is missing or of a wrong type,
            position or time are implausible, or the cutouts do not allow a classification (``stream.alerts.cutouts``).
    """
    known = recognise_alert(record, schema_name)
    if known is None:
        raise Rejectable(
            Reason.UNSUPPORTED,
            "the record is no image alert of a supported survey",
            field="",
            expected="an alert of "
            + ", ".join(known.survey for known in FORMATS if known.survey)
            + " or l1_image_alert",
            received=f"{schema_name or 'a record without a name'} with {', '.join(list(record)[:6])}",
        )
    return known.decode(record)
