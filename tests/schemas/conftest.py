"""Fixtures of the schema tests: the embedded catalogue, its codec, and where the real alerts are."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import fastavro
import pytest
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.definitions import named_types, resolve
from schemas.errors import Undecodable

Values: TypeAlias = Callable[..., st.SearchStrategy[Any]]


@pytest.fixture(scope="session")
def own(catalogue: Catalogue) -> Callable[[str], Any]:
    """Return a function from the name of a schema of ours to its definition."""
    return lambda name: json.loads(catalogue.text(name))


@pytest.fixture(scope="session")
def container() -> Callable[..., bytes]:
    """Return a function that writes an object container of a schema and any number of records."""

    def write(schema: Any, *records: Any) -> bytes:
        out = io.BytesIO()
        fastavro.writer(out, schema, records)
        return out.getvalue()

    return write


@pytest.fixture(scope="session")
def reason_of(codec: Codec) -> Callable[[bytes], str]:
    """Return a function that decodes what must be refused and returns the reason."""

    def refused(value: bytes) -> str:
        with pytest.raises(Undecodable) as caught:
            codec.decode(value)
        return caught.value.reason

    return refused


@pytest.fixture(scope="session")
def alerts(data_dir: Path) -> Path:
    """Return the folder of real alerts."""
    return data_dir / "alerts"


@pytest.fixture(scope="session")
def ztf_messages(alerts: Path) -> dict[str, bytes]:
    """Return every real ZTF message by name: 42 files and the 30 of a tar archive."""
    folders = ("ztf_ocf", "fink_ztf")
    messages = {
        f"{folder}/{path.name}": path.read_bytes() for folder in folders for path in (alerts / folder).glob("*.avro")
    }
    messages.update({f"ztf_legacy/{path.name}": path.read_bytes() for path in (alerts / "ztf_legacy").glob("*.avro")})
    ztf_of_boom = alerts / "boom" / "2695378462115010012.avro"
    messages[f"boom/{ztf_of_boom.name}"] = ztf_of_boom.read_bytes()
    messages.update(_archived(alerts / "ztf_legacy" / "ztf_public_20180819_mod1000.tar.gz"))
    return messages


def _archived(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            handle = archive.extractfile(member)
            if handle is not None:
                yield f"{path.name}/{member.name}", handle.read()


@pytest.fixture(scope="session")
def records_of() -> Values:
    """Return a function that makes the strategy for the records of a parsed schema.

    ``leave_out`` lets fields with a default be absent; ``whole_arrays`` keeps array fields a whole number of values.
    """

    def strategy(schema: Any, *, leave_out: bool = False, whole_arrays: bool = False) -> st.SearchStrategy[Any]:
        return _values(schema, named_types(schema), leave_out, whole_arrays)

    return strategy


def _values(schema: Any, names: dict[str, Any], leave_out: bool, whole_arrays: bool) -> st.SearchStrategy[Any]:
    kind, definition = resolve(schema, names)

    def inner(part: Any) -> st.SearchStrategy[Any]:
        return _values(part, names, leave_out, whole_arrays)

    if kind == "union":
        return st.one_of([inner(branch) for branch in definition])
    if kind == "record":
        fields = {field["name"]: inner(field["type"]) for field in definition["fields"]}
        optional = {field["name"] for field in definition["fields"] if leave_out and "default" in field}
        required = {name: values for name, values in fields.items() if name not in optional}
        return st.fixed_dictionaries(required, optional={name: fields[name] for name in optional})
    if kind == "array":
        return st.lists(inner(definition["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=5), inner(definition["values"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(definition["symbols"])
    if whole_arrays and isinstance(definition, dict) and definition.get("logicalType"):
        width_bytes = 8 if definition["logicalType"] == "float64-le" else 4
        return st.sampled_from([0, 1, 2, 5]).map(lambda count: bytes(range(count * width_bytes)))
    return _SIMPLE[kind]


_SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -1, 63, 64, 1023, 1024, 8191, 8192]),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=20),
    "string": st.text(max_size=20),
}
