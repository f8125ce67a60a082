"""Fixtures of the schema tests: the embedded catalogue, its codec, and where the real alerts are."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.catalogue import Catalogue
from schemas.codec import Codec


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.embedded()


@pytest.fixture(scope="session")
def codec(catalogue: Catalogue) -> Codec:
    return Codec(catalogue)


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
