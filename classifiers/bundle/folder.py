"""Writing and reading a bundle's folder: every byte is accounted for by a digest in ``bundle.json``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from classifiers.bundle.calibration import Calibration, calibration_file
from classifiers.bundle.errors import BundleError
from classifiers.bundle.manifest import Manifest

MANIFEST_FILE = "bundle.json"
GRAPH_FILE = "model.onnx"
COPY_AGAIN = "copy the bundle again from where it was made"
GOLDEN_FILE = "golden.npz"
WEIGHTS_FILE = "weights.safetensors"
REFERENCE = ("onnxruntime", "fp32")
_KNOWN_FILE = re.compile(
    r"model\.onnx|golden\.npz|weights\.safetensors|README\.md|calibration/[a-z0-9_]+-[a-z0-9]+\.json"
)
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: where it lies.
        manifest: ``bundle.json``.
        sha256: digest of ``bundle.json``, which holds the digest of every other file [hex].
        graph: the ONNX graph's bytes, as verified.
        calibrations: by (runtime, dtype).
    """

    folder: Path
    manifest: Manifest
    sha256: str
    graph: bytes
    calibrations: Mapping[tuple[str, str], Calibration]

    def calibration(self, runtime: str, dtype: str) -> Calibration:
        """Return the calibration of a runtime and number format.

        Where there is none, the reference calibration (onnxruntime, fp32) is returned with an id that says so.

        Raises:
            BundleError: the bundle has no calibration at all.
        """
        own = self.calibrations.get((runtime, dtype))
        if own is not None:
            return own
        reference = self.calibrations.get(REFERENCE)
        if reference is None:
            raise BundleError(
                str(self.folder / calibration_file(runtime, dtype)),
                expected="a calibration",
                found="none for any runtime",
            )
        return reference.model_copy(update={"id": f"{reference.id}+borrowed-for-{runtime}-{dtype}"})

    def with_calibration(self, calibration: Calibration) -> Bundle:
        """Return the bundle with a calibration of the same runtime and dtype replaced, in memory only."""
        key = (calibration.runtime, calibration.dtype)
        return replace(self, calibrations={**self.calibrations, key: calibration})


def write_bundle(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Manifest:
    """Write a bundle: the files first, ``bundle.json`` last, so that an interrupted write is never a valid bundle.

    The bytes of ``bundle.json`` depend on the arguments alone. Files of an earlier version of the bundle are removed.

    Args:
        folder: made if absent.
        manifest: fields of ``Manifest`` without ``files``.
        files: relative path (``model.onnx``, ``calibration/onnxruntime-fp32.json`` ...) to content.

    Returns:
        The manifest as written.

    Raises:
        BundleError: a field or a file name is not allowed.
    """
    for name in files:
        if not _KNOWN_FILE.fullmatch(name):
            raise BundleError(str(folder / name), expected=f"a file name matching {_KNOWN_FILE.pattern}", found=name)
    if GRAPH_FILE not in files:
        raise BundleError(str(folder / GRAPH_FILE), expected="the graph", found="nothing")
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    checked = _validated(Manifest, {**manifest, "files": digests}, folder / MANIFEST_FILE)
    for name, content in files.items():
        if name.startswith("calibration/"):
            _calibration(content, folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    for old in _present(folder) - set(files):
        (folder / old).unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    temporary = folder / f".{MANIFEST_FILE}.{os.getpid()}"
    temporary.write_text(checked.model_dump_json(indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST_FILE)
    return checked


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every file of it by its digest.

    Raises:
        BundleError: a file is missing, unknown, of another digest, or not what the manifest says.
    """
    path = folder / MANIFEST_FILE
    raw = _read(path)
    manifest = _validated(Manifest, raw, path)
    present = _present(folder)
    for name in sorted(present - set(manifest.files)):
        raise BundleError(
            str(folder / name), expected="no file that bundle.json does not list", found="an unknown file"
        )
    contents: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        if not _KNOWN_FILE.fullmatch(name):
            raise BundleError(str(path), expected=f"file names matching {_KNOWN_FILE.pattern}", found=name)
        content = _read(folder / name)
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            file = str(folder / name)
            raise BundleError(file, expected=f"sha256 {expected}", found=f"sha256 {found}", hint=COPY_AGAIN)
        if name == GRAPH_FILE or name.startswith("calibration/"):
            contents[name] = content
    if GRAPH_FILE not in contents:
        raise BundleError(str(folder / GRAPH_FILE), expected="the graph, listed in bundle.json", found="nothing")
    calibrations: dict[tuple[str, str], Calibration] = {}
    for name, content in contents.items():
        if name != GRAPH_FILE:
            calibration = _calibration(content, folder / name)
            calibrations[calibration.runtime, calibration.dtype] = calibration
    digest = hashlib.sha256(raw).hexdigest()
    return Bundle(folder, manifest, digest, contents[GRAPH_FILE], calibrations)


def _calibration(content: bytes, path: Path) -> Calibration:
    calibration = _validated(Calibration, content, path)
    wanted = calibration_file(calibration.runtime, calibration.dtype)
    if not path.as_posix().endswith(wanted):
        raise BundleError(str(path), expected=f"the file name {wanted} for its runtime and dtype", found=path.name)
    return calibration


def _validated(model: type[_Model], value: bytes | Mapping[str, Any], path: Path) -> _Model:
    try:
        return model.model_validate_json(value) if isinstance(value, bytes) else model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BundleError(
            str(path), expected=f"a valid {model.__name__.lower()}", found=f"{where}: {first['msg']}"
        ) from error


def _present(folder: Path) -> set[str]:
    """Return the relative paths of all files but ``bundle.json``; editors' and desktops' dot files do not count."""
    found = (
        PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()
    )
    return {str(path) for path in found if not path.name.startswith(".")} - {MANIFEST_FILE}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            str(path), expected="a readable file", found=error.strerror or type(error).__name__
        ) from error
