"""What a survey's module offers: how its alerts are recognised, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from classifiers.items import Stamps
from stream.decoded import Identity


@dataclass(frozen=True, slots=True)
class AlertFormat:
    """One survey's alert.

    Attributes:
        survey: upper-case name.
        schema_names: full names of the writer schemas' top records.
        resembles: True when a record of another schema name (a broker's derived stream) has this survey's fields.
        decode: the record's identity and stamps; raises ``stream.errors.Rejectable``.
    """

    survey: str
    schema_names: frozenset[str]
    resembles: Callable[[Mapping[str, Any]], bool]
    decode: Callable[[Mapping[str, Any]], tuple[Identity, Stamps]]


def has_fields(
    record: Mapping[str, Any], names: frozenset[str], nested: str = "", nested_names: frozenset[str] = frozenset()
) -> bool:
    """Return True when the record has all of ``names``, and its sub-record ``nested`` all of ``nested_names``."""
    if not names <= record.keys():
        return False
    if not nested:
        return True
    inner = record.get(nested)
    return isinstance(inner, Mapping) and nested_names <= inner.keys()
