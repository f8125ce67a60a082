"""Fingerprints follow the Avro specification and see through what does not change the bytes."""

import fastavro.schema
import pytest

from schemas.catalogue import Catalogue
from schemas.fingerprint import crc_64_avro, fingerprint


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [(b"", 0xC15D213AA4D7A795), (b'"int"', 0x7275D51A3F395C8F), (b'"string"', 0x8F014872634503C7)],
)
def test_fingerprint_of_the_specifications_examples(canonical: bytes, expected: int) -> None:
    assert crc_64_avro(canonical) == expected


@pytest.mark.parametrize("name", Catalogue.embedded().names)
def test_fingerprint_agrees_with_the_library(name: str) -> None:
    schema = Catalogue.embedded().current(name)
    canonical = fastavro.schema.to_parsing_canonical_form(schema.schema)
    library = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    assert schema.fingerprint.to_bytes(8, "little").hex() == library


def test_documentation_defaults_and_logical_types_do_not_enter() -> None:
    plain = {"type": "record", "name": "a.r", "fields": [{"name": "x", "type": "bytes"}]}
    field = {"name": "x", "type": {"type": "bytes", "logicalType": "float32-le"}, "doc": "flux", "default": ""}
    told = {"type": "record", "name": "r", "namespace": "a", "doc": "spectrum", "fields": [field]}
    assert fingerprint(plain) == fingerprint(told)


def test_field_order_enters() -> None:
    first = {"type": "record", "name": "r", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int"}]}
    second = {"type": "record", "name": "r", "fields": [{"name": "y", "type": "int"}, {"name": "x", "type": "int"}]}
    assert fingerprint(first) != fingerprint(second)
