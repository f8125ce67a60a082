"""One whole schema from ``.avsc`` files: a single file, or a folder whose files refer to each other's types by name.

LSST publishes its alert schema as a folder of seven files, one record each. Reads files; nothing else here does I/O.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.definitions import PRIMITIVES, parse
from schemas.errors import CatalogueError, Undecodable
from schemas.fingerprint import JsonSchema


def read_schema_files(path: Path) -> JsonSchema:
    """Return the parsed schema that a file or folder holds.

    Args:
        path: An ``.avsc`` file that is whole by itself or refers to files beside it, or a folder of ``.avsc`` files in
            which exactly one type refers to others and is referred to by none: the top one.

    Raises:
        CatalogueError: naming the file, when there is no such schema.
    """
    try:
        if path.is_dir():
            definitions = _read_all(sorted(path.glob("*.avsc")))
            return parse(assemble(_top(path, definitions), definitions))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read: {error}"
        raise CatalogueError(message) from error
    except Undecodable as error:
        message = f"{path}: {error.message}"
        raise CatalogueError(message) from error
    return _read_file(path, text)


def assemble(name: str, definitions: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the definition of a name with each type that it refers to defined where it is first used.

    Args:
        name: Full name of the top type.
        definitions: Definitions by full name.
    """
    return _Assembly(definitions).define(name)


def assemble_texts(text: str, others: Iterable[str]) -> str:
    """Return the schema of a JSON text with the types that it refers to taken from other texts, as JSON text.

    Raises:
        Undecodable: ``INVALID_SCHEMA`` when one of the texts is no schema of a named type.
    """
    definitions: dict[str, dict[str, Any]] = {}
    top = ""
    for part in (*others, text):
        try:
            definition = json.loads(part)
            top = _full_name(definition, "")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Undecodable(
                "INVALID_SCHEMA",
                f"a schema that is put together from several is no named type: {error}",
                expected="a record, enum or fixed",
                received=part[:40],
            ) from error
        definitions[top] = definition
    return json.dumps(assemble(top, definitions))


class _Assembly:
    """One assembly: the definitions at hand and the names that are defined already."""

    def __init__(self, definitions: Mapping[str, dict[str, Any]]) -> None:
        self._definitions = definitions
        self._defined: set[str] = set()

    def define(self, name: str) -> dict[str, Any]:
        self._defined.add(name)
        definition = copy.deepcopy(self._definitions[name])
        namespace = name.rpartition(".")[0]
        for field in definition.get("fields", ()):
            field["type"] = self._expand(field["type"], namespace)
        return definition

    def _expand(self, schema: JsonSchema, namespace: str) -> JsonSchema:
        if isinstance(schema, list):
            return [self._expand(branch, namespace) for branch in schema]
        if isinstance(schema, dict):
            expanded = dict(schema)
            for key in ("items", "values"):
                if key in expanded:
                    expanded[key] = self._expand(expanded[key], namespace)
            if isinstance(expanded["type"], dict | list):
                expanded["type"] = self._expand(expanded["type"], namespace)
            if "fields" in expanded:
                inner = _full_name(expanded, namespace).rpartition(".")[0]
                expanded["fields"] = [{**f, "type": self._expand(f["type"], inner)} for f in expanded["fields"]]
            return expanded
        full = schema if "." in schema or not namespace else f"{namespace}.{schema}"
        if schema in PRIMITIVES or full not in self._definitions or full in self._defined:
            return schema
        return self.define(full)


def _read_all(paths: list[Path]) -> dict[str, dict[str, Any]]:
    definitions: dict[str, dict[str, Any]] = {}
    for path in paths:
        definition = _load(path, path.read_text(encoding="utf-8"))
        if not isinstance(definition, dict) or "name" not in definition:
            message = f"{path}: expected the definition of a named type"
            raise CatalogueError(message)
        definitions[_full_name(definition, "")] = definition
    return definitions


def _read_file(path: Path, text: str) -> JsonSchema:
    schema = _load(path, text)
    if isinstance(schema, dict) and "name" in schema:
        others = [other for other in sorted(path.parent.glob("*.avsc")) if other != path]
        name = _full_name(schema, "")
        if set(_references(schema, "")) - {name}:
            schema = assemble(name, {**_read_all(others), name: schema})
    try:
        return parse(schema)
    except Undecodable as error:
        message = f"{path}: {error.message}"
        raise CatalogueError(message) from error


def _load(path: Path, text: str) -> JsonSchema:
    try:
        schema: JsonSchema = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{path}: no JSON: {error}"
        raise CatalogueError(message) from error
    return schema


def _top(path: Path, definitions: Mapping[str, dict[str, Any]]) -> str:
    """Return the name of the type that the others serve; a stray one that nobody uses (LSST's ssObject) is no rival."""
    uses = {name: set(_references(definition, "")) - {name} for name, definition in definitions.items()}
    used = set().union(*uses.values())
    unused = [name for name in definitions if name not in used]
    tops = unused if len(unused) == 1 else [name for name in unused if uses[name]]
    if len(tops) != 1:
        found = ", ".join(tops or unused) or "none"
        message = f"{path}: expected exactly one type that uses others and that no other uses, found {found}"
        raise CatalogueError(message)
    return tops[0]


def _references(schema: JsonSchema, namespace: str) -> Iterator[str]:
    """Yield the full name of each type that a schema uses without being a primitive."""
    if isinstance(schema, str):
        if schema not in PRIMITIVES:
            yield schema if "." in schema or not namespace else f"{namespace}.{schema}"
    elif isinstance(schema, list):
        for branch in schema:
            yield from _references(branch, namespace)
    elif isinstance(schema, dict):
        inner = _full_name(schema, namespace).rpartition(".")[0] if "name" in schema else namespace
        for field in schema.get("fields", ()):
            yield from _references(field["type"], inner)
        for key in ("items", "values"):
            if key in schema:
                yield from _references(schema[key], inner)
        if isinstance(schema.get("type"), dict | list):
            yield from _references(schema["type"], inner)


def _full_name(definition: dict[str, Any], namespace: str) -> str:
    name = str(definition["name"])
    if "." in name:
        return name
    own = definition.get("namespace", namespace)
    return f"{own}.{name}" if own else name
