"""From the bytes of a bundle's graph to an ONNX model: what is no valid model is an error that names the file.

A digest says that a file is the one that was shipped, not that it was a graph when it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import COPY_AGAIN


def load_graph(file: str, serialised: bytes) -> Any:
    """Return a graph as ``onnx.ModelProto``, checked against the rules of ONNX.

    Args:
        file: where the graph lies, for the error.
        serialised: its bytes.

    Raises:
        BundleError: the bytes are no ONNX model, or not a valid one.
    """
    import onnx  # takes a third of a second, which only programs that classify spend

    with refusals(file, "a valid ONNX graph"):
        model = onnx.load_model_from_string(serialised)
        onnx.checker.check_model(model)
    return model


@contextmanager
def refusals(file: str, expected: str) -> Iterator[None]:
    """Turn what onnx raises on a graph that it cannot use into an error of the bundle.

    Args:
        file: where the graph lies.
        expected: what the graph should be or become.

    Raises:
        BundleError: with the first line of the library's words.
    """
    import onnx
    from google.protobuf.message import DecodeError  # onnx brings it

    refused = (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        onnx.version_converter.ConvertError,
        RuntimeError,  # how the native parts of onnx say whatever else they find
    )
    try:
        yield
    except refused as error:
        words = str(error).strip().partition("\n")[0]
        raise BundleError(file, expected=expected, found=words or type(error).__name__, hint=COPY_AGAIN) from error
