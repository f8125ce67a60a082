"""The version of the program and of the libraries that decide its results."""

from __future__ import annotations

import platform
from importlib import metadata


def version() -> str:
    """Return the version of specstream."""
    return metadata.version("specstream")


def versions() -> dict[str, str]:
    """Return the versions that /metrics and the log name."""
    libraries = ("confluent-kafka", "fastavro", "numpy", "onnxruntime")
    found = {library.replace("-", "_"): metadata.version(library) for library in libraries}
    return {"version": version(), "python": platform.python_version(), **found}
