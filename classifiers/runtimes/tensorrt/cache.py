"""Engines kept in a folder: found by everything that they depend on, never by their own bytes.

Beside each engine lies a JSON with every part of its key and the engine's digest. It is written last, so that an engine
without one is none. An engine that was made for another GPU, library or driver, or that does not have its digest, is
refused with a reason; the caller builds it anew. Its record's time of modification is when the engine was last found:
``pruning`` deletes by it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifiers.runtimes.tensorrt.card import Card

RECIPES: Final[Mapping[str, int]] = {"tensorrt": 2, "tensorrt_rtx": 3}
"""Counted up when a library's engines must be built in another way: part of every key."""
READABLE: Final = 0o644
"""Replicas of other users may share a folder; digests are checked whoever wrote."""
TIMING_SUFFIX: Final = ".timing"
"""Of files of what builds have measured, beside the engines."""
_SAME_PROGRAM: Final = ("onnx_sha256", "dtype", "buckets")
_MEANINGS: Final[Mapping[str, str]] = {
    "library": "library",
    "version": "version of the library",
    "gpu": "GPU",
    "compute_capability": "compute capability",
    "driver": "driver",
    "recipe": "way of building",
}


@dataclass(frozen=True, slots=True)
class Key:
    """Everything that an engine depends on.

    Attributes:
        onnx_sha256: of the graph as the library gets it, number formats cast [hex].
        library: tensorrt or tensorrt_rtx.
        version: of the library.
        gpu: name of the GPU; "" where it is built without one.
        compute_capability: of the GPU; "" without one.
        driver: version of the GPU's driver; "" without one.
        buckets: batch sizes, one profile each.
        dtype: fp32, tf32, fp16 or bf16.
        recipe: of ``RECIPES``.
    """

    onnx_sha256: str
    library: str
    version: str
    gpu: str
    compute_capability: str
    driver: str
    buckets: tuple[int, ...]
    dtype: str
    recipe: int

    @property
    def name(self) -> str:
        """Return the name of the engine's files: the digest of all parts [hex]."""
        parts = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(parts.encode()).hexdigest()


def engine_key(graph: bytes, library: str, version: str, card: Card | None, buckets: Sequence[int], dtype: str) -> Key:
    """Return the key of an engine.

    Args:
        graph: ONNX in the number formats that it is to be computed in.
        library: tensorrt or tensorrt_rtx.
        version: of the library.
        card: the GPU; None where the engine is built without one.
        buckets: batch sizes.
        dtype: fp32, tf32, fp16 or bf16.
    """
    return Key(
        hashlib.sha256(graph).hexdigest(),
        library,
        version,
        card.name if card else "",
        card.compute_capability if card else "",
        card.driver if card else "",
        tuple(buckets),
        dtype,
        RECIPES[library],
    )


class Record(BaseModel):
    """The JSON beside an engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: dict[str, Any] = Field(description="every part of the engine's key")
    program: str = Field(description="names of the bundles, for people")
    seconds: float = Field(ge=0, description="how long the build took [s]")
    engine_bytes: int = Field(ge=1, description="size of the engine [byte]")
    engine_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    layers: tuple[tuple[str, str], ...] = Field(description="layers that multiply: name and number format")
    engine_layers: tuple[tuple[str, str], ...] = Field(description="the same of the engine, where the library told")


@dataclass(frozen=True, slots=True)
class Kept:
    """An engine of the cache."""

    path: Path
    engine: bytes
    record: Record


class EngineCache:
    """A folder of engines."""

    def __init__(self, folder: Path) -> None:
        """Name a folder, which is made when the first engine is kept."""
        self.folder = folder

    def path(self, key: Key) -> Path:
        """Return where the engine of a key lies, if there is one."""
        return self.folder / f"{key.name}.engine"

    def find(self, key: Key) -> Kept | str:
        """Return the engine of a key, or why there is none that serves; "" where none was ever made.

        The reason names file, expected and found. That an engine was found counts as its use.
        """
        path = self.path(key)
        try:
            content = path.with_suffix(".json").read_bytes()
            engine = path.read_bytes()
        except FileNotFoundError:
            return self._made_elsewhere(key)
        try:
            record = Record.model_validate_json(content)
        except ValidationError as error:
            return f"{path.with_suffix('.json')}: expected the record of an engine, found {error.error_count()} faults"
        difference = _difference(key, record.key)
        if difference:
            return f"{path}: expected {difference}"
        if len(engine) != record.engine_bytes:
            return f"{path}: expected {record.engine_bytes} bytes, found {len(engine)}"
        digest = hashlib.sha256(engine).hexdigest()
        if digest != record.engine_sha256:
            return f"{path}: expected sha256 {record.engine_sha256}, found {digest}"
        with suppress(OSError):  # a folder that cannot be written is read all the same, and nothing is deleted there
            os.utime(path.with_suffix(".json"))
        return Kept(path, engine, record)

    def keep(
        self,
        key: Key,
        engine: bytes,
        *,
        program: str,
        seconds: float,
        layers: Sequence[tuple[str, str]] = (),
        engine_layers: Sequence[tuple[str, str]] = (),
    ) -> Kept:
        """Write an engine and its record, each of them whole or not at all, in the place of an earlier one."""
        record = Record(
            key=json.loads(json.dumps(asdict(key))),
            program=program,
            seconds=seconds,
            engine_bytes=len(engine),
            engine_sha256=hashlib.sha256(engine).hexdigest(),
            layers=tuple(layers),
            engine_layers=tuple(engine_layers),
        )
        path = self.path(key)
        path.with_suffix(".json").unlink(missing_ok=True)
        write_whole(path, engine)
        write_whole(path.with_suffix(".json"), record.model_dump_json(indent=1).encode() + b"\n")
        return Kept(path, engine, record)

    def records(self) -> Iterator[tuple[Path, Record]]:
        """Yield where engines lie, and their records; whatever has none that can be read is left out."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = Record.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue
            yield path.with_suffix(".engine"), record

    def _made_elsewhere(self, key: Key) -> str:
        """Return how an engine of the same program, made for something else, differs; "" where there is none."""
        wanted = json.loads(json.dumps(asdict(key)))
        for path, record in self.records():
            if all(record.key.get(part) == wanted[part] for part in _SAME_PROGRAM):
                return f"{path}: expected {_difference(key, record.key)}"
        return ""


def _difference(key: Key, found: Mapping[str, Any]) -> str:
    """Return the first part that differs, expected and found; "" where all agree."""
    wanted = json.loads(json.dumps(asdict(key)))
    for part, value in wanted.items():
        if found.get(part) != value:
            return f"{_MEANINGS.get(part, part)} {value or 'none'}, found {found.get(part) or 'none'}"
    return ""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there with all its bytes or not at all, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path) as (file, name):
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), READABLE)
            os.fsync(stream.fileno())
        name.replace(path)


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[int, Path]]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        yield descriptor, temporary
    finally:
        temporary.unlink(missing_ok=True)


def default_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return where engines are kept unless a folder is named: by the XDG base directory specification."""
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else home / ".cache") / "specstream" / "engines"
