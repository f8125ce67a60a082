"""What the parts of a device runtime ask of each other; no vendor library.

From the outside in: ``Pipeline`` (``pipeline.py``) cuts a batch into buckets and gives each to a slot of a ``Device``;
a ``Device`` moves arrays and waits; what computes between its buffers is a ``Launcher``, of torch or of TensorRT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from classifiers.errors import ClassifierError
from classifiers.runtimes.device.rows import Column

BUCKETS = (16, 64, 256, 1024, 4096)
"""Batch sizes that devices compute at: a batch is padded to the next one, or cut where it is larger than the last."""
SLOTS = 3
"""Streams, each with buffers of its own: while one batch is computed another comes and a third goes."""


_CARD = (
    "cuda error",
    "cudaerror",
    "cuda runtime",
    "cuda driver",
    "cuda failure",
    "illegal memory access",
    "device-side",
    "cachingallocator",  # torch's: nobody knows what they hold after an assertion
    "cachinghostallocator",
    "execution_failed",
    "internal_error",
)
_NOT_THE_CARD = ("no kernel image", "not_supported", "arch_mismatch", "invalid_value", "bad_param")


class OutOfMemory(ClassifierError):
    """A device cannot hold a bucket; smaller ones may fit.

    Attributes:
        bucket: rows.
        reason: the library's words.
    """

    def __init__(self, bucket: int, reason: str) -> None:
        super().__init__(f"no memory on the device for {bucket} rows: {reason}")
        self.bucket = bucket
        self.reason = reason


class DeviceLost(ClassifierError):
    """A device failed and what is on it is lost: the program must end without committing.

    Attributes:
        reason: the library's words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the device failed: {reason}")
        self.reason = reason


def blames_the_card(words: str) -> bool:
    """Return whether a library's words are of a card that failed, and not of what the library was asked.

    TensorRT and torch name CUDA where the card fails; kernels that are missing for a card, and what cuDNN or cuBLAS do
    not support, are named by the same prefix, but another runtime may serve.
    """
    said = words.lower()
    return any(each in said for each in _CARD) and not any(each in said for each in _NOT_THE_CARD)


class Device(Protocol):
    """Slots that compute independently of each other; each is begun, then waited for, before it is begun again."""

    @property
    def slots(self) -> int:
        """Return how many computations may be in flight."""
        ...

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Start one computation and return before it is done.

        Args:
            slot: 0 .. slots - 1, not in flight.
            bucket: rows to compute.
            inputs: arrays of at most ``bucket`` rows, or rows that stand for one; they are copied out of before the
                call returns, and rows that are missing are filled by repeating the first.

        Raises:
            OutOfMemory: the device cannot hold the bucket; the slot is free again.
            DeviceLost: the device failed.
        """
        ...

    def wait(self, slot: int) -> Mapping[str, NDArray[Any]]:
        """Wait for what ``begin`` started and return its outputs by graph name, ``bucket`` rows each.

        The arrays are the slot's own and hold until it is begun again.

        Raises:
            OutOfMemory: there was no memory after all; the slot is free again.
            DeviceLost: the device failed.
        """
        ...

    def give_up(self, bucket: int) -> None:
        """Drop what is bound to a bucket and larger ones for good; what is in flight may still be waited for.

        Args:
            bucket: had no room; ``begin`` refuses it and larger ones as out of memory from now on.

        Raises:
            DeviceLost: the device failed.
        """
        ...
