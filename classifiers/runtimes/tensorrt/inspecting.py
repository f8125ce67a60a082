"""What a library says of the layers of a built engine: which number format each one answers in.

It says so only where it can load the engine, that is on a machine with a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from classifiers.runtimes.tensorrt.library import Library, listen
from classifiers.runtimes.tensorrt.network import Layer

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "bf16": ("bf16", "bfloat16"),
    "fp16": ("fp16", "half", "float16"),
    "fp32": ("fp32", "float"),
}
"""How libraries write a format, most particular first."""


def inspect(library: Library, engine: bytes) -> tuple[Layer, ...]:
    """Return the layers of an engine that answer in a floating-point format; none where the library cannot tell."""
    logger, _ = listen(library)
    try:
        runtime = library.module.Runtime(logger)
    except (TypeError, RuntimeError):  # how the binding says that there is no driver
        return ()
    loaded = runtime.deserialize_cuda_engine(engine)
    if loaded is None:
        return ()
    inspector = loaded.create_engine_inspector()
    return layers_of(inspector.get_engine_information(library.module.LayerInformationFormat.JSON))


def layers_of(information: str) -> tuple[Layer, ...]:
    """Return the layers of an inspector's JSON.

    Each layer is an object with ``Name`` and ``Outputs``, or, in an engine built without details, its name alone. The
    format of an output is ``Format/Datatype`` in TensorRT 10, and ``DataType`` beside ``Format`` in 11.
    """
    try:
        listed = json.loads(information).get("Layers", ())
    except (ValueError, AttributeError):
        return ()
    layers = []
    for layer in listed if isinstance(listed, list) else ():
        if not isinstance(layer, dict) or not layer.get("Outputs"):
            continue
        dtype = _format(layer["Outputs"][0])
        if dtype:
            layers.append(Layer(str(layer.get("Name", "")), dtype))
    return tuple(layers)


def _format(output: Any) -> str:
    if not isinstance(output, dict):
        return ""
    said = str(output.get("DataType") or output.get("Format/Datatype") or output.get("Format") or "").lower()
    return next((name for name, words in _WORDS.items() if any(word in said for word in words)), "")
