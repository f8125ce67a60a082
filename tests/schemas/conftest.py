"""Fixtures of the schema tests: the embedded catalogue, its codec, and where the real alerts are."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import Undecodable


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
