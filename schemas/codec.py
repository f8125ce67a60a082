"""Messages to records and records to messages, whatever their framing.

``decode`` returns one believable record or raises ``Undecodable`` with its reason; nothing else, for any bytes. Nothing
that a message announces is believed: containers decompress within a limit, a schema must have a memory bound, lengths
beyond the message end the decoding, and bytes left over mean that the schema was another's.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro
from fastavro.read import SchemaResolutionError

from schemas.arrays import ArrayField, pack_arrays, view_arrays
from schemas.catalogue import NAMESPACE, Catalogue
from schemas.compiled_decoder import compile_decoder
from schemas.compiled_encoder import Encoder, compile_encoder
from schemas.container import read_blocks, read_header
from schemas.errors import Undecodable, Unencodable
from schemas.maps import with_maps
from schemas.measure import exceeds
from schemas.plausibility import check_plausible
from schemas.wire import Frame, Framing, confluent_header, format_fingerprint, recognise, single_object_header
from schemas.writer import WriterSchema

MAX_DECODED_BYTES: Final = 256 * 1024 * 1024
MAX_CONTAINER_BYTES: Final = 64 * 1024 * 1024

# What fastavro raises on foreign bytes; ValueError includes what numpy and datetime raise on them.
_BROKEN: Final = (EOFError, IndexError, ValueError, TypeError, KeyError, OverflowError, MemoryError, struct.error)
_MISFIT: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError, struct.error)


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """One decoded message.

    Attributes:
        record: The record; arrays of ours are read-only numpy arrays, maps are ``AvroMap``.
        schema_name: Full Avro name of the writer's top record.
        schema_id: Confluent id (decimal) or CRC-64-AVRO fingerprint (16 hex digits) of the writer's schema.
        framing: How the message was framed: confluent, single-object, container or bare.
        schema_version: The writer schema's own version attribute; empty where it has none.
        header: The bytes of the framing where they tell that the record was written with our current schema: every
            message that begins with them was; else empty.
    """

    record: dict[str, Any]
    schema_name: str
    schema_id: str
    framing: str
    schema_version: str = ""
    header: bytes = b""


@dataclass(frozen=True, slots=True)
class _Output:
    """What encoding needs of one schema of ours: framing, field names, where arrays are, and the compiled encoder."""

    name: str
    header: bytes
    fields: frozenset[str]
    arrays: tuple[ArrayField, ...]
    encoder: Encoder


class Codec:
    """Decodes messages of any framing and encodes our own records.

    Args:
        catalogue: The schemas.
        bare_schema: Name of the schema (of ours) that a message without framing is taken to have; None refuses those.
        max_decoded_bytes: Most memory that one record may take once decoded [byte].
        max_container_bytes: Most bytes that a container may decompress to [byte].
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        bare_schema: str | None = None,
        max_decoded_bytes: int = MAX_DECODED_BYTES,
        max_container_bytes: int = MAX_CONTAINER_BYTES,
    ) -> None:
        self.catalogue = catalogue
        self._bare = None if bare_schema is None else catalogue.current(bare_schema)
        self._max_decoded_bytes = max_decoded_bytes
        self._max_container_bytes = max_container_bytes
        current = [catalogue.current(name) for name in catalogue.names]
        self._decoders = {schema.fingerprint: compile_decoder(schema.schema) for schema in current}
        self._outputs: dict[str, _Output] = {}
        for name in catalogue.names:
            output = self._output(name)
            self._outputs[name] = self._outputs[name.removeprefix(f"{NAMESPACE}.")] = output

    def decode(self, value: bytes) -> DecodedRecord:
        """Return the one record of a message.

        Raises:
            Undecodable: when there is not exactly one believable record.
            RegistryUnavailable: when the schema has to be asked for and the registry cannot be reached.
        """
        frame = recognise(value)
        try:
            if frame.framing is Framing.CONTAINER:
                return self._only_record(value)
            return self._framed_record(value, frame)
        except Undecodable as error:
            if error.schema_id is None:
                error.schema_id = frame.schema_id
            raise

    def decode_all(self, value: bytes) -> Iterator[DecodedRecord]:
        """Yield every record of a message: those of a container one by one, else the one record that ``decode`` gives.

        Raises:
            Undecodable: at the first record that cannot be decoded.
            RegistryUnavailable: see ``decode``.
        """
        if recognise(value).framing is Framing.CONTAINER:
            yield from self._container_records(value)
        else:
            yield self.decode(value)

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Return a record of ours as a message.

        The framing is Confluent where the catalogue has a registry id for the schema, else single-object encoding.

        Args:
            name: Name of the schema, with or without its namespace.
            record: The record; array fields as numpy arrays or little-endian bytes, absent fields take their defaults.

        Raises:
            CatalogueError: when there is no such schema.
            Unencodable: when the record does not fit the schema.
        """
        return self._output_of(name).header + self.encode_datum(name, record)

    def encode_datum(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Return a record of ours as a bare datum, see ``encode``."""
        output = self._output_of(name)
        if not record.keys() <= output.fields:
            field = min(record.keys() - output.fields)
            raise Unencodable(output.name, f"no field is called {field!r}", field=field)
        try:
            return output.encoder(pack_arrays(record, output.arrays, output.name))
        except _MISFIT as error:
            message = f"the record does not fit the schema: {type(error).__name__}: {error}"
            raise Unencodable(output.name, message) from error

    def _output_of(self, name: str) -> _Output:
        return self._outputs.get(name) or self._outputs[self.catalogue.full_name(name)]

    def _output(self, name: str) -> _Output:
        schema = self.catalogue.current(name)
        schema_id = self.catalogue.registered_id(name)
        fields = schema.schema["fields"] if isinstance(schema.schema, dict) else ()
        return _Output(
            name,
            single_object_header(schema.fingerprint) if schema_id is None else confluent_header(schema_id),
            frozenset(field["name"] for field in fields),
            schema.arrays,
            compile_encoder(schema.schema),
        )

    def _framed_record(self, value: bytes, frame: Frame) -> DecodedRecord:
        schema = self._schema_of(frame, value)
        record, end = self._datum(value, frame.start, schema)
        if end != len(value):
            raise Undecodable(
                "WRONG_SCHEMA",
                f"{len(value) - end} bytes are left after the record: it was written with another schema than "
                f"{schema.name}",
                expected=f"{end} bytes",
                received=f"{len(value)} bytes",
            )
        if frame.framing is not Framing.SINGLE_OBJECT:
            check_plausible(record, schema.name)
        schema_id = frame.schema_id or format_fingerprint(schema.fingerprint)
        header = value[: frame.start] if schema.fingerprint in self._decoders else b""
        return DecodedRecord(record, schema.name, schema_id, frame.framing.value, schema.version, header)

    def _schema_of(self, frame: Frame, value: bytes) -> WriterSchema:
        if frame.framing is Framing.CONFLUENT and frame.schema_key is not None:
            return self.catalogue.by_confluent_id(frame.schema_key)
        if frame.framing is Framing.SINGLE_OBJECT and frame.schema_key is not None:
            return self.catalogue.by_fingerprint(frame.schema_key)
        if self._bare is None:
            raise Undecodable(
                "UNKNOWN_FRAMING",
                "the first bytes are those of no Avro framing",
                expected="Confluent (00), single-object (c301) or container (4f626a01) framing",
                received=value[:8].hex(),
            )
        return self._bare

    def _only_record(self, value: bytes) -> DecodedRecord:
        records = self._container_records(value)
        first = next(records, None)
        if first is None:
            raise Undecodable(
                "EMPTY_MESSAGE", "the container holds no record", expected="1 record", received="0 records"
            )
        if next(records, None) is not None:
            raise Undecodable(
                "UNSUPPORTED",
                "the container holds several records; a message is one record",
                expected="1 record",
                received="2 or more records",
                schema_id=first.schema_id,
            )
        return first

    def _container_records(self, value: bytes) -> Iterator[DecodedRecord]:
        header = read_header(value)
        schema = self.catalogue.by_text(header.schema_text)
        schema_id = format_fingerprint(schema.fingerprint)
        try:
            for block in read_blocks(value, header, self._max_container_bytes):
                position = 0
                for _ in range(block.count):
                    record, position = self._datum(block.data, position, schema)
                    yield DecodedRecord(record, schema.name, schema_id, Framing.CONTAINER.value, schema.version)
                if position != len(block.data):
                    raise Undecodable(
                        "UNDECODABLE",
                        f"{len(block.data) - position} bytes are left after the records of a block",
                        expected=f"{position} bytes",
                        received=f"{len(block.data)} bytes",
                    )
        except Undecodable as error:
            error.schema_id = error.schema_id or schema_id
            raise

    def _datum(self, value: bytes, start: int, schema: WriterSchema) -> tuple[dict[str, Any], int]:
        """Return the record that starts at ``start`` and the index after it."""
        if schema.bound.memory_bytes(len(value) - start) > self._max_decoded_bytes and exceeds(
            schema.schema, value, start, self._max_decoded_bytes
        ):
            raise Undecodable(
                "MESSAGE_TOO_LARGE",
                f"the {schema.name} takes too much memory once decoded",
                expected=f"at most {self._max_decoded_bytes} bytes",
                received=f"more, from {len(value) - start} bytes",
            )
        record: Any
        try:
            decoder = self._decoders.get(schema.fingerprint)
            if decoder is not None:
                record, end = decoder(value, start)
            else:
                stream = io.BytesIO(value)
                stream.seek(start)
                record, end = fastavro.schemaless_reader(stream, schema.schema, schema.reader), stream.tell()
        except UnicodeDecodeError as error:
            raise Undecodable(
                "INVALID_TEXT",
                f"a string is no UTF-8: {error.reason}",
                expected="UTF-8",
                received=error.object[error.start : error.start + 8].hex(),
            ) from error
        except (*_BROKEN, SchemaResolutionError) as error:
            raise Undecodable(
                "UNDECODABLE",
                f"the bytes are no {schema.name}: {type(error).__name__}: {error}",
                expected=f"a {schema.name}",
                received=f"{len(value) - start} bytes that are none",
            ) from error
        if not isinstance(record, dict):
            raise Undecodable(
                "UNSUPPORTED",
                "the schema's top type is no record",
                expected="a record",
                received=type(record).__name__,
            )
        view_arrays(record, schema.arrays)
        if schema.maps is not None:
            with_maps(record, schema.maps)
        return record, end
