"""What a bare GPU machine lacks: stand-ins with which the tests and the benchmark of GPUs need nothing to be installed.

Beside torch, numpy and onnxruntime the project has pydantic, numba, safetensors and onnx. Importing this package puts a
stand-in on the path for each of the four that is not installed, for this process and those that it starts. They do what
these tests need and no more: models and graphs are not validated (bundles are verified by their digests all the same),
graphs are not joined, loops are interpreted. Nothing that ships imports them.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("pydantic", "numba", "safetensors", "onnx")


def stand_in() -> tuple[str, ...]:
    """Put stand-ins on the path; return the names of those that were needed."""
    lacking = tuple(name for name in PACKAGES if find_spec(name) is None)
    folders = [str(HERE / name) for name in lacking]
    sys.path += folders
    inherited = [path for path in (os.environ.get("PYTHONPATH"),) if path]
    if folders:
        os.environ["PYTHONPATH"] = os.pathsep.join([*inherited, *folders])
    return lacking


STOOD_IN = stand_in()
