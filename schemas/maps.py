"""Maps inside Avro records, told apart from records: both are decoded to dictionaries, and only the schema knows.

The keys of a map are data, the fields of a record are its schema's. Where the maps are is worked out once per schema
(``maps_within``). Pure: imports neither the codec nor the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from schemas.definitions import named_types, resolve
from schemas.fingerprint import JsonSchema

_NESTING: Final = frozenset({"record", "map", "array"})


class AvroMap(dict[str, Any]):
    """A decoded map: a key that is not there is a missing value, where a record would have no such field."""


@dataclass(frozen=True, slots=True)
class MapsWithin:
    """Where the values of a type, or the elements of a list of them, hold maps.

    Attributes:
        is_map: The type is a map itself.
        fields: Of a record, the fields that hold maps.
        values: Of a map, where its values hold further maps; None where they hold none.
    """

    is_map: bool = False
    fields: tuple[tuple[str, MapsWithin], ...] = ()
    values: MapsWithin | None = None


def maps_within(schema: JsonSchema) -> MapsWithin | None:
    """Return where a parsed schema holds maps; None where it holds none.

    A union of several records or maps is passed over, because a decoded value does not tell which it is, and so is a
    record within itself.
    """
    return _within(schema, named_types(schema), frozenset())


def _within(schema: JsonSchema, names: dict[str, dict[str, Any]], opened: frozenset[str]) -> MapsWithin | None:
    kind, definition = resolve(schema, names)
    if isinstance(definition, list):
        nesting = [branch for branch in definition if resolve(branch, names)[0] in _NESTING]
        return _within(nesting[0], names, opened) if len(nesting) == 1 else None
    if not isinstance(definition, dict):
        return None
    if kind == "array":
        return _within(definition["items"], names, opened)
    if kind == "map":
        return MapsWithin(is_map=True, values=_within(definition["values"], names, opened))
    if kind != "record" or definition["name"] in opened:
        return None
    opened |= {definition["name"]}
    found = [(field["name"], _within(field["type"], names, opened)) for field in definition["fields"]]
    fields = tuple((name, within) for name, within in found if within is not None)
    return MapsWithin(fields=fields) if fields else None


def with_maps(value: Any, within: MapsWithin) -> Any:
    """Return a decoded value with each of its maps as an ``AvroMap``; its records are changed in place."""
    if isinstance(value, list):
        return [with_maps(element, within) for element in value]
    if not isinstance(value, dict):
        return value
    if within.is_map:
        inner = within.values
        return AvroMap(value if inner is None else {key: with_maps(each, inner) for key, each in value.items()})
    for name, inner in within.fields:
        value[name] = with_maps(value[name], inner)
    return value
