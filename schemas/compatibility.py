"""Whether data written with one schema can be read with another: the rules of Avro 1.11, "Schema Resolution".

``FORWARD_TRANSITIVE`` within a major version means that every older reader can read what the newest writer writes:
``incompatibilities(writer=newest, reader=older)`` is empty for each older version. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from schemas.definitions import named_types, resolve
from schemas.fingerprint import JsonSchema

_PROMOTIONS: Final = {
    "int": frozenset({"int", "long", "float", "double"}),
    "long": frozenset({"long", "float", "double"}),
    "float": frozenset({"float", "double"}),
    "string": frozenset({"string", "bytes"}),
    "bytes": frozenset({"bytes", "string"}),
}


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One reason why a reader cannot read a writer's data.

    Attributes:
        field: Dotted path of the field; empty for the top.
        expected: What the reader needs.
        received: What the writer has.
    """

    field: str
    expected: str
    received: str

    def __str__(self) -> str:
        return f"{self.field or 'top'}: expected {self.expected}, received {self.received}"


def incompatibilities(writer: JsonSchema, reader: JsonSchema) -> tuple[Incompatibility, ...]:
    """Return every reason why data of ``writer`` cannot be read with ``reader``; empty when they can.

    Args:
        writer: Parsed schema that the data were written with.
        reader: Parsed schema that they are to be read with.
    """
    return tuple(_Comparison(named_types(writer), named_types(reader)).compare(writer, reader, ""))


class _Comparison:
    """One comparison: names of both sides, and the pairs of records already under comparison (recursion ends there)."""

    def __init__(self, writer_names: dict[str, dict[str, Any]], reader_names: dict[str, dict[str, Any]]) -> None:
        self._writer_names = writer_names
        self._reader_names = reader_names
        self._pairs: set[tuple[str, str]] = set()

    def compare(self, writer: JsonSchema, reader: JsonSchema, path: str) -> list[Incompatibility]:
        writer_kind, written = resolve(writer, self._writer_names)
        reader_kind, read = resolve(reader, self._reader_names)
        if writer_kind == "union":
            return [problem for branch in written for problem in self.compare(branch, reader, path)]
        if reader_kind == "union":
            if any(not self._trial(writer, branch, path) for branch in read):
                return []
            return [Incompatibility(path, f"one of {_show(read)}", _show(written))]
        if isinstance(written, dict) and isinstance(read, dict) and writer_kind == reader_kind:
            if writer_kind == "record":
                return self._records(written, read, path)
            if writer_kind == "enum":
                return self._enums(written, read, path)
            if writer_kind == "fixed":
                same = _short(written) == _short(read) and written["size"] == read["size"]
                return [] if same else [Incompatibility(path, _show(read), _show(written))]
            if writer_kind in {"array", "map"}:
                key = "items" if writer_kind == "array" else "values"
                return self.compare(written[key], read[key], f"{path}[]")
        if writer_kind == reader_kind or reader_kind in _PROMOTIONS.get(writer_kind, ()):
            return []
        return [Incompatibility(path, _show(read), _show(written))]

    def _trial(self, writer: JsonSchema, branch: JsonSchema, path: str) -> list[Incompatibility]:
        before = set(self._pairs)
        problems = self.compare(writer, branch, path)
        if problems:
            self._pairs = before
        return problems

    def _records(self, writer: dict[str, Any], reader: dict[str, Any], path: str) -> list[Incompatibility]:
        if _short(writer) not in {_short(reader), *(_last(alias) for alias in reader.get("aliases", ()))}:
            return [Incompatibility(path, f"record {reader['name']}", f"record {writer['name']}")]
        pair = (writer["name"], reader["name"])
        if pair in self._pairs:
            return []
        self._pairs.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        problems = []
        for field in reader["fields"]:
            inner = f"{path}.{field['name']}" if path else field["name"]
            source = next((written[n] for n in (field["name"], *field.get("aliases", ())) if n in written), None)
            if source is not None:
                problems += self.compare(source["type"], field["type"], inner)
            elif "default" not in field:
                problems.append(Incompatibility(inner, "a field, as it has no default", "no such field"))
        return problems

    @staticmethod
    def _enums(writer: dict[str, Any], reader: dict[str, Any], path: str) -> list[Incompatibility]:
        if _short(writer) != _short(reader):
            return [Incompatibility(path, f"enum {reader['name']}", f"enum {writer['name']}")]
        unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if unknown and "default" not in reader:
            return [Incompatibility(path, f"one of {', '.join(reader['symbols'])}", ", ".join(unknown))]
        return []


def _short(definition: dict[str, Any]) -> str:
    return _last(definition["name"])


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _show(schema: JsonSchema) -> str:
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return " | ".join(_show(branch) for branch in schema)
    name = schema.get("name", schema.get("logicalType"))
    kind = _show(schema["type"])
    if kind == "array":
        return f"array of {_show(schema['items'])}"
    return f"{kind} {name}" if name else kind
