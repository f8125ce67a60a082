"""The schemas that the program knows, by name, by fingerprint, by Confluent id and by text.

Our own schemas are part of the package: the current version of each in ``schemas/avro``, every older one in
``schemas/avro/history``. Others come from the user (``{1101: "lsst.v11_1/"}``), from a schema registry, or with the
message (containers). Who supplies the schema of a Confluent id: the user's files, then the registry, then the LSST
versions described in ``schemas.lsst``. Each schema is parsed once.

A catalogue does not change once built (its caches apart); ``with_ids`` and ``with_registry`` return another one.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from schemas.assembly import read_schema_files
from schemas.cache import BoundedCache
from schemas.definitions import parse_text
from schemas.errors import CatalogueError, Undecodable
from schemas.fingerprint import JsonSchema, fingerprint
from schemas.lsst import lsst_schema
from schemas.wire import format_fingerprint
from schemas.writer import WriterSchema, writer_schema

NAMESPACE: Final = "org.specstream"
_MAX_PARSED: Final = 256


class SchemaSource(Protocol):
    """Where the catalogue asks for a schema that it does not know; a registry client is one."""

    def schema_by_id(self, schema_id: int) -> str | None:
        """Return the schema of a Confluent id as JSON text, its references included; None when there is none."""
        ...

    def schema_by_fingerprint(self, fingerprint: int) -> str | None:
        """Return the schema of a CRC-64-AVRO fingerprint as JSON text; None when there is none."""
        ...


class Catalogue:
    """Schemas by name, fingerprint, Confluent id and text.

    Args:
        current: Our current schemas as JSON text.
        older: Older versions of them, as JSON text.
        ids: Parsed schemas by Confluent id, as the user named them.
        registered: Confluent ids under which our own schemas are registered, by full name.
        source: Where to ask for what is not known; None for nowhere.
    """

    def __init__(
        self,
        current: Iterable[str],
        older: Iterable[str] = (),
        *,
        ids: Mapping[int, JsonSchema] | None = None,
        registered: Mapping[str, int] | None = None,
        source: SchemaSource | None = None,
    ) -> None:
        self._texts = (tuple(current), tuple(older))
        self._current: dict[str, JsonSchema] = {}
        for text in self._texts[0]:
            schema = _parse_own(text)
            self._current[_name_of(schema)] = schema
        self._by_fingerprint: dict[int, WriterSchema] = {}
        for schema in (*self._current.values(), *map(_parse_own, self._texts[1])):
            writer = self._own_writer(schema)
            self._by_fingerprint[writer.fingerprint] = writer
        self._by_name = {name: self._by_fingerprint[fingerprint(schema)] for name, schema in self._current.items()}
        self._ids = dict(ids or {})
        self._user_writers = {key: self._writer(schema) for key, schema in self._ids.items()}
        self._registered = dict(registered or {})
        for name in self._registered:
            self.current(name)
        self._source = source
        self._asked: BoundedCache[int | str, WriterSchema] = BoundedCache(_MAX_PARSED)
        self._by_text: BoundedCache[bytes, WriterSchema] = BoundedCache(_MAX_PARSED)

    @classmethod
    def embedded(cls) -> Catalogue:
        """Return the catalogue of the schemas that are part of this package."""
        folder = importlib.resources.files("schemas") / "avro"
        return cls(_texts_in(folder), _texts_in(folder / "history"))

    def with_ids(self, paths: Mapping[int, str | os.PathLike[str]]) -> Catalogue:
        """Return a catalogue that also knows the user's schemas by Confluent id.

        Args:
            paths: For each id an ``.avsc`` file, or a folder of ``.avsc`` files that refer to each other by name.

        Raises:
            CatalogueError: when a path does not hold one whole valid schema.
        """
        ids = dict(self._ids)
        for schema_id, path in paths.items():
            ids[schema_id] = read_schema_files(Path(path))
        try:
            return self._copy(ids=ids)
        except Undecodable as error:
            message = f"a schema file cannot be used: {error.message}"
            raise CatalogueError(message) from error

    def with_registry(self, source: SchemaSource, registered: Mapping[str, int] | None = None) -> Catalogue:
        """Return a catalogue that asks a registry for what it does not know.

        Args:
            source: The registry.
            registered: Confluent ids of our own schemas by name; records of these are written in Confluent framing.
        """
        known = {self.full_name(name): schema_id for name, schema_id in (registered or {}).items()}
        return self._copy(source=source, registered={**self._registered, **known})

    @property
    def names(self) -> tuple[str, ...]:
        """Full names of our own schemas, sorted."""
        return tuple(sorted(self._current))

    def full_name(self, name: str) -> str:
        """Return the full name of one of our own schemas, given with or without its namespace.

        Raises:
            CatalogueError: when there is no such schema.
        """
        full = name if name in self._current else f"{NAMESPACE}.{name}"
        if full not in self._current:
            message = f"no schema is called {name!r}; expected one of {', '.join(self.names)}"
            raise CatalogueError(message)
        return full

    def current(self, name: str) -> WriterSchema:
        """Return our current schema of a name, given with or without its namespace.

        Raises:
            CatalogueError: when there is no such schema.
        """
        return self._by_name[self.full_name(name)]

    def text(self, name: str) -> str:
        """Return the JSON text of our current schema of a name, as it is registered and written into files."""
        full = self.full_name(name)
        return next(text for text in self._texts[0] if _name_of(_parse_own(text)) == full)

    def registered_id(self, name: str) -> int | None:
        """Return the Confluent id under which our schema of this full name is registered; None when it is not."""
        return self._registered.get(name)

    def by_fingerprint(self, value: int) -> WriterSchema:
        """Return the schema of a CRC-64-AVRO fingerprint.

        Raises:
            Undecodable: ``UNKNOWN_SCHEMA`` when nobody knows it.
            RegistryUnavailable: when the registry has to be asked and cannot be.
        """
        known = self._by_fingerprint.get(value) or self._asked.get(format_fingerprint(value))
        if known is not None:
            return known
        text = None if self._source is None else self._source.schema_by_fingerprint(value)
        if text is None:
            raise Undecodable(
                "UNKNOWN_SCHEMA",
                "nobody knows the schema of this fingerprint",
                expected="the fingerprint of a schema of the catalogue",
                received=format_fingerprint(value),
            )
        return self._asked.put(format_fingerprint(value), self._writer(parse_text(text)))

    def by_confluent_id(self, schema_id: int) -> WriterSchema:
        """Return the schema of a Confluent id: the user's, else the registry's, else that of an LSST version.

        Raises:
            Undecodable: ``UNKNOWN_SCHEMA`` when nobody knows it.
            RegistryUnavailable: when the registry has to be asked and cannot be.
        """
        known = self._user_writers.get(schema_id) or self._asked.get(schema_id)
        if known is not None:
            return known
        text = None if self._source is None else self._source.schema_by_id(schema_id)
        schema = lsst_schema(schema_id) if text is None else parse_text(text)
        if schema is None:
            raise Undecodable(
                "UNKNOWN_SCHEMA",
                "nobody knows the schema of this id",
                expected="an id that the user's schema files or the registry name",
                received=str(schema_id),
            )
        return self._asked.put(schema_id, self._writer(schema))

    def by_text(self, text: bytes) -> WriterSchema:
        """Return the schema of a JSON text, parsed once per SHA-256 digest.

        Raises:
            Undecodable: ``INVALID_SCHEMA`` or ``UNSUPPORTED``, see ``writer_schema``.
        """
        digest = hashlib.sha256(text).digest()
        known = self._by_text.get(digest)
        return known if known is not None else self._by_text.put(digest, self._writer(parse_text(text)))

    def _writer(self, schema: JsonSchema) -> WriterSchema:
        return writer_schema(schema, self._current)

    def _own_writer(self, schema: JsonSchema) -> WriterSchema:
        try:
            return self._writer(schema)
        except Undecodable as error:
            message = f"one of the program's own schemas cannot be used: {error.message}"
            raise CatalogueError(message) from error

    def _copy(
        self,
        *,
        ids: Mapping[int, JsonSchema] | None = None,
        registered: Mapping[str, int] | None = None,
        source: SchemaSource | None = None,
    ) -> Catalogue:
        return Catalogue(
            self._texts[0],
            self._texts[1],
            ids=self._ids if ids is None else ids,
            registered=self._registered if registered is None else registered,
            source=self._source if source is None else source,
        )


def _texts_in(folder: importlib.resources.abc.Traversable) -> tuple[str, ...]:
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".avsc")), key=lambda entry: entry.name)
    return tuple(entry.read_text(encoding="utf-8") for entry in files)


def _parse_own(text: str) -> JsonSchema:
    try:
        return parse_text(text)
    except Undecodable as error:
        message = f"one of the program's own schemas cannot be used: {error.message}"
        raise CatalogueError(message) from error


def _name_of(schema: JsonSchema) -> str:
    return str(schema["name"]) if isinstance(schema, dict) else str(schema)
