"""Schemas of the LSST (Rubin) alert packets 7.0 to 11.1, so that they decode without a registry.

The packets come in Confluent framing and their registry numbers the versions: id = 100 x major + minor. What follows
describes each version by what changed from its neighbour; the Avro schema is built from that. A user's schema files and
registry are asked before this table (see ``schemas.catalogue``), and a wrong row cannot pass for data unnoticed: the
codec refuses bytes left over and implausible records.

How sure each version is: each of 7.0 to 11.1 decodes a packet of that version to its last byte, 9.0 also a packet taken
at the telescope. Records that are null in those packets rest on the published definitions alone: ``ssSource`` of 9.0
was revised while that version was in use, and its first form is described here; the records of 7.0 to 7.3 other than
``diaSource`` are taken to be those of 7.4. Version 10.1 was never seen and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from schemas import lsst_fields
from schemas.assembly import assemble
from schemas.definitions import parse
from schemas.fingerprint import JsonSchema

Fields: TypeAlias = tuple[str, ...]
"""Fields of one record in the notation of ``schemas.lsst_fields``."""

Version: TypeAlias = tuple[int, int]
"""Major and minor version."""

_TYPES: Final[Mapping[str, JsonSchema]] = {
    "i": "int",
    "l": "long",
    "f": "float",
    "d": "double",
    "s": "string",
    "b": "boolean",
    "y": "bytes",
    "t": {"type": "long", "logicalType": "timestamp-micros"},
}
_NULLABLE_FLOAT: Final = "?f"
_CUTOUTS: Final = ("cutoutDifference:?y", "cutoutScience:?y", "cutoutTemplate:?y")


def _fields(text: str) -> Fields:
    return tuple(text.split())


def _name(field: str) -> str:
    return field.partition(":")[0]


def _without(fields: Fields, *names: str) -> Fields:
    return tuple(field for field in fields if _name(field) not in names)


def _with(fields: Fields, after: str, *added: str) -> Fields:
    index = [_name(field) for field in fields].index(after) + 1
    return fields[:index] + added + fields[index:]


def _nullable(fields: Fields, pattern: str) -> Fields:
    """Return the fields with the integers whose name matches made nullable."""
    return tuple(re.sub(r":i$", ":?i", field) if re.fullmatch(pattern, _name(field)) else field for field in fields)


def _renamed(fields: Fields, old: str, new: str) -> Fields:
    return tuple(new if field == old else field for field in fields)


Records: TypeAlias = dict[str, Fields]
"""Fields of each record of one version, by record name; ``alert`` is the top."""


def _version_11_1() -> Records:
    return {
        "alert": (
            *_fields("diaSourceId:l observation_reason:?s target_name:?s diaSource:diaSource"),
            *_fields("prvDiaSources:?[diaSource] prvDiaForcedSources:?[diaForcedSource] diaObject:?diaObject"),
            *_fields("ssSource:?ssSource mpc_orbits:?mpc_orbits"),
            *_CUTOUTS,
        ),
        "diaSource": _fields(lsst_fields.DIA_SOURCE),
        "diaForcedSource": _fields(lsst_fields.FORCED_SOURCE),
        "diaObject": _fields(lsst_fields.DIA_OBJECT),
        "ssSource": _fields(lsst_fields.SS_SOURCE),
        "mpc_orbits": _fields(lsst_fields.MPC_ORBITS),
    }


def _version_11_0() -> Records:
    records = _version_11_1()
    added = ("exposureTime", "trailAlgorithm", "trail_flag", "reliabilityVersion")
    return records | {"diaSource": _without(records["diaSource"], *added)}


def _version_10_0() -> Records:
    records = _version_11_0()
    return records | {
        "diaSource": _nullable(records["diaSource"], "psfNdata|trailNdata|dipoleNdata|bboxSize"),
        "diaObject": _nullable(records["diaObject"], "._psfFluxNdata"),
    }


def _version_9_0() -> Records:
    records = _version_10_0()
    del records["mpc_orbits"]
    return records | {
        "alert": _renamed(records["alert"], "mpc_orbits:?mpc_orbits", "MPCORB:?MPCORB"),
        "ssSource": _fields(lsst_fields.SS_SOURCE_8),
        "MPCORB": _fields(lsst_fields.MPCORB_8),
    }


def _version_8_0() -> Records:
    records = _version_9_0()

    def older_times(fields: Fields) -> Fields:
        return _without(_renamed(fields, "timeProcessedMjdTai:d", "time_processed:t"), "timeWithdrawnMjdTai")

    return records | {
        "diaSource": older_times(records["diaSource"]),
        "diaForcedSource": older_times(records["diaForcedSource"]),
        "diaObject": _renamed(records["diaObject"], "validityStartMjdTai:d", "validityStart:t"),
    }


def _version_7_4() -> Records:
    return {
        "alert": (
            *_fields("alertId:l diaSource:diaSource prvDiaSources:?[diaSource] prvDiaForcedSources:?[diaForcedSource]"),
            *_fields("prvDiaNondetectionLimits:?[diaNondetectionLimit] diaObject:?diaObject ssObject:?ssObject"),
            *_CUTOUTS,
        ),
        "diaSource": _fields(lsst_fields.DIA_SOURCE_7),
        "diaForcedSource": _fields(lsst_fields.FORCED_SOURCE_7),
        "diaNondetectionLimit": _fields(lsst_fields.NONDETECTION_LIMIT_7),
        "diaObject": _fields(lsst_fields.DIA_OBJECT_7),
        "ssObject": _fields(lsst_fields.SS_OBJECT_7),
    }


def _version_7_3() -> Records:
    records = _version_7_4()
    fields = _without(records["diaSource"], "pixelFlags_nodata", "pixelFlags_nodataCenter", "is_negative")
    return records | {"diaSource": _with(fields, "centroid_flag", "is_negative:?b")}


def _version_7_2() -> Records:
    records = _version_7_3()
    return records | {"diaSource": _without(records["diaSource"], "is_negative")}


def _version_7_1() -> Records:
    records = _version_7_2()
    return records | {"diaSource": _without(records["diaSource"], "dipoleFitAttempted")}


_VERSIONS: Final[Mapping[Version, Callable[[], Records]]] = {
    (7, 0): _version_7_1,
    (7, 1): _version_7_1,
    (7, 2): _version_7_2,
    (7, 3): _version_7_3,
    (7, 4): _version_7_4,
    (8, 0): _version_8_0,
    (9, 0): _version_9_0,
    (10, 0): _version_10_0,
    (11, 0): _version_11_0,
    (11, 1): _version_11_1,
}

CONFLUENT_IDS: Final = tuple(100 * major + minor for major, minor in _VERSIONS)
"""Confluent ids of the versions described here, ascending."""


@cache
def lsst_schema(schema_id: int) -> JsonSchema | None:
    """Return the parsed schema of an LSST alert packet.

    Args:
        schema_id: Confluent id, 100 x major + minor.

    Returns:
        The schema, or None where this module describes no such version.
    """
    version = divmod(schema_id, 100)
    if version not in _VERSIONS:
        return None
    namespace = f"lsst.v{version[0]}_{version[1]}"
    records = _VERSIONS[version]()
    definitions: dict[str, dict[str, Any]] = {
        f"{namespace}.{name}": {
            "type": "record",
            "namespace": namespace,
            "name": name,
            "version": f"{version[0]}.{version[1]}",
            "fields": [_field(field) for field in fields],
        }
        for name, fields in records.items()
    }
    return parse(assemble(f"{namespace}.alert", definitions))


def _field(text: str) -> dict[str, Any]:
    name, _, code = text.partition(":")
    code = code or _NULLABLE_FLOAT
    kind = _type(code.removeprefix("?"))
    return {"name": name, "type": ["null", kind], "default": None} if code[0] == "?" else {"name": name, "type": kind}


def _type(code: str) -> JsonSchema:
    if code.startswith("["):
        return {"type": "array", "items": code[1:-1]}
    return _TYPES.get(code, code)
