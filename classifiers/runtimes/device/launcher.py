"""What computes between a device's buffers, of torch or of TensorRT; and what may prepare its inputs there first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from classifiers.runtimes.contract import Declared

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = Mapping[str, Tensor]


class Launcher(Protocol):
    """Computes a program; each (slot, bucket) is bound to tensors once and launched many times."""

    def prepare(self, slot: int, bucket: int, inputs: Tensors, outputs: Tensors) -> None:
        """Bind a (slot, bucket) to device tensors of ``bucket`` rows, which live as long as it does; may allocate.

        Args:
            slot: whose stream it will be launched on.
            bucket: rows.
            inputs: by the program's input names, float32.
            outputs: by the names of the program's graph, to be written by ``launch``.

        Raises:
            OutOfMemory: there is no room for it.
        """
        ...

    def launch(self, slot: int, bucket: int) -> None:
        """Enqueue the computation on torch's current stream and return; only kernels, so that it can be captured."""
        ...

    def forget(self, slot: int, bucket: int) -> None:
        """Drop what ``prepare`` made, if it was called: this bucket is not launched in this slot again."""
        ...


class Preparation(Protocol):
    """Turns raw inputs into a program's inputs on the device, in the stream that computes it."""

    @property
    def outputs(self) -> Mapping[str, Declared]:
        """Return what it says beside the program's inputs: names to shapes of a row and dtypes."""
        ...

    def accepts(self, names: frozenset[str]) -> bool:
        """Return whether inputs of these names are raw ones."""
        ...

    def launch(self, raw: Tensors, inputs: Tensors, outputs: Tensors) -> None:
        """Enqueue the preparation on torch's current stream; only kernels, so that it can be captured.

        Args:
            raw: device tensors.
            inputs: the program's, to be written.
            outputs: those of ``outputs``, to be written.
        """
        ...
