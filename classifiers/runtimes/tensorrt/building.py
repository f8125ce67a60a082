"""Builds one engine in a process of its own: ``python -m classifiers.runtimes.tensorrt.building REQUEST``.

A crash of the vendor library then ends this process and not the one that asked; see ``compiling``. REQUEST is a folder
with ``request.json`` and ``model.onnx``; the engine, its layers and the timing cache are written beside them. Standard
output carries progress, one JSON object a line. What cannot be built ends with status 1 and the reason on standard
error. The process ends when its standard input does, that is with the one that asked.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from classifiers.errors import ClassifierError
from classifiers.runtimes.tensorrt.card import find_card
from classifiers.runtimes.tensorrt.inspecting import inspect
from classifiers.runtimes.tensorrt.library import load
from classifiers.runtimes.tensorrt.network import Layer, build

REQUEST_FILE: Final = "request.json"
GRAPH_FILE: Final = "model.onnx"
ENGINE_FILE: Final = "engine"
ANSWER_FILE: Final = "answer.json"
TIMING_FILE: Final = "timing"


class Request(BaseModel):
    """What is to be built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: str
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    outputs: dict[str, tuple[str, tuple[int, ...]]]
    buckets: tuple[int, ...]
    tf32: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What was built: the layers of the network that multiply, and those of the engine where the library tells."""

    layers: tuple[Layer, ...]
    engine_layers: tuple[Layer, ...]

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps({"layers": pairs(self.layers), "engine_layers": pairs(self.engine_layers)})

    @classmethod
    def of_json(cls, text: str) -> Answer:
        """Return it from JSON of ``to_json``."""
        parsed = json.loads(text)
        return cls(*(tuple(Layer(*pair) for pair in parsed[name]) for name in ("layers", "engine_layers")))


def pairs(layers: tuple[Layer, ...]) -> tuple[tuple[str, str], ...]:
    """Return layers as pairs of name and number format."""
    return tuple((layer.name, layer.dtype) for layer in layers)


def write_request(folder: Path, request: Request, graph: bytes, timing_cache: bytes) -> None:
    """Write what ``main`` reads."""
    (folder / REQUEST_FILE).write_text(request.model_dump_json(), encoding="utf-8")
    (folder / GRAPH_FILE).write_bytes(graph)
    (folder / TIMING_FILE).write_bytes(timing_cache)


def heard(line: str) -> tuple[str, float] | None:
    """Return what a line of the builder's standard output says of its progress; None where it says nothing of it."""
    try:
        said = json.loads(line)
        return str(said["doing"]), float(said["fraction"])
    except (ValueError, KeyError, TypeError):  # the library's own words
        return None


def _tell(doing: str, fraction: float) -> None:
    print(json.dumps({"doing": doing, "fraction": round(fraction, 4)}), flush=True)


def _end_with_standard_input() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main(folder: Path) -> int:
    """Build what a folder requests and return the process's status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves a reason, not gigabytes
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    try:
        request = Request.model_validate_json((folder / REQUEST_FILE).read_bytes())
        library = load(request.library)
        built = build(
            library,
            (folder / GRAPH_FILE).read_bytes(),
            request.inputs,
            request.outputs,
            request.buckets,
            tf32=request.tf32,
            card=find_card(),
            timing_cache=(folder / TIMING_FILE).read_bytes(),
            progress=_tell,
        )
    except ClassifierError as error:
        print(error, file=sys.stderr)
        return 1
    (folder / ENGINE_FILE).write_bytes(built.engine)
    (folder / TIMING_FILE).write_bytes(built.timing_cache)
    answer = Answer(built.layers, inspect(library, built.engine))
    (folder / ANSWER_FILE).write_text(answer.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
