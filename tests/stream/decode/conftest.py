"""What was decoded, read back."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from schemas.codec import Codec
from stream.decoded import Accepted


@pytest.fixture(scope="session")
def identity_of(codec: Codec) -> Callable[[Accepted], dict[str, Any]]:
    """Return a reader of the identity fields that an L2 record will hold."""
    schema = codec.catalogue.current("l2_classification").schema
    names = [field["name"] for field in schema["fields"]]
    fields = schema["fields"][names.index("l1_id") : names.index("mjd_end") + 1]
    parsed = fastavro.parse_schema({"type": "record", "name": "identity", "fields": fields})

    def read(accepted: Accepted) -> dict[str, Any]:
        stream = io.BytesIO(accepted.identity.fields)
        record = fastavro.schemaless_reader(stream, parsed, None)
        assert stream.read() == b""
        return dict(record)

    return read
