"""What every runtime does with inputs and outputs, whatever library computes: checks against the manifest, chunks.

Pure arrays; no vendor library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.bundle.manifest import Tensor


class Declared(Protocol):
    """A tensor as a manifest declares it, or what else a device answers; its batch axis is not in ``shape``."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of a row."""
        ...

    @property
    def dtype(self) -> str:
        """Return the name of its dtype."""
        ...


class Named(Protocol):
    """What outputs are of: a manifest, or a program of several bundles."""

    @property
    def name(self) -> str:
        """Return the name of one bundle, or those of several."""
        ...


class Reader(Named, Protocol):
    """What inputs are for: a manifest, or a program of several bundles."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Return the inputs that are read."""
        ...


def check_signature(
    file: str, what: str, wanted: Sequence[Tensor], found: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """Compare a graph's inputs or outputs with those that the manifest declares.

    Args:
        file: the graph, for the error.
        what: "input" or "output".
        wanted: the manifest's tensors.
        found: name to (dtype name, shape with the batch axis first; symbolic sizes are not ints).

    Raises:
        BundleError: a tensor is missing, of another dtype or shape, or its batch axis is fixed.
    """
    for tensor in wanted:
        if tensor.name not in found:
            raise BundleError(file, expected=f"{what} {tensor.name}", found=", ".join(found) or "none")
        dtype, shape = found[tensor.name]
        expected = f"{what} {tensor.name} {tensor.dtype} (batch, {', '.join(map(str, tensor.shape))})"
        fits = len(shape) == len(tensor.shape) + 1 and not isinstance(shape[0], int)
        fits = fits and all(not isinstance(b, int) or a == b for a, b in zip(tensor.shape, shape[1:], strict=False))
        if dtype != tensor.dtype or not fits:
            raise BundleError(file, expected=expected, found=f"{dtype} ({', '.join(map(str, shape))})")
    if what == "input" and len(found) != len(wanted):
        extra = sorted(set(found) - {tensor.name for tensor in wanted})
        raise BundleError(file, expected="no other input", found=", ".join(extra))


def check_inputs(reader: Reader, inputs: Mapping[str, NDArray[Any]]) -> int:
    """Return the number of rows.

    Raises:
        ValueError: an input is missing or of another shape or dtype, which is a mistake of the caller.
    """
    sizes = set()
    for tensor in reader.inputs:
        array = inputs.get(tensor.name)
        if array is None or array.shape[1:] != tensor.shape or array.dtype != tensor.dtype or not len(array):
            got = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ValueError(f"{reader.name} reads {tensor.name} {tensor.dtype} (n, {tensor.shape}), got {got}")
        sizes.add(len(array))
    if len(sizes) != 1:
        raise ValueError(f"{reader.name}: inputs have different numbers of rows: {sorted(sizes)}")
    return sizes.pop()


def chunk(inputs: Mapping[str, NDArray[Any]], start: int, size: int) -> dict[str, NDArray[Any]]:
    """Return rows ``start`` to ``start + size``, padded by repeating the first of them up to ``size`` rows.

    Real rows as padding never raise a floating-point exception that zeros could (a division by a weight of 0).
    """
    chunked = {}
    for name, array in inputs.items():
        rows = array[start : start + size]
        if len(rows) < size:
            rows = np.concatenate([rows, np.broadcast_to(rows[:1], (size - len(rows), *rows.shape[1:]))])
        chunked[name] = np.ascontiguousarray(rows)
    return chunked


def check_output(answerer: Named, tensor: Declared, array: NDArray[Any], rows: int) -> None:
    """Raise BundleError unless an output has the shape and dtype that the manifest declares."""
    if array.shape != (rows, *tensor.shape) or array.dtype != tensor.dtype:
        raise BundleError(
            answerer.name,
            expected=f"output {tensor.name} {tensor.dtype} {(rows, *tensor.shape)}",
            found=f"{array.dtype} {array.shape}",
        )
