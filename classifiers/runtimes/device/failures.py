"""What errors of torch mean for a device, and how they let go of its memory.

An error holds the frames that it came through, and frames hold what was in their hands: buffers, activations, a graph
and the memory that it computes in. None of that is free as long as the error lives, so a lack of memory is told on in
words alone.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence

import torch

from classifiers.errors import ClassifierError
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory

_MEMORY = (
    "out of memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",  # of cuDNN 9, of the host's memory, too
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "NVML_SUCCESS",  # asserted while a lack of memory is being worded: github.com/pytorch/pytorch/issues/112377
    "unable to find an engine",  # cuDNN found no plan that ran; plans that found no memory count as such
    "unable to find a valid cuDNN algorithm",
)
_DEVICE = (
    "CUDA error",
    "CUDA driver error",
    "cuda runtime error",
    "cuDNN error",
    "CUDNN_STATUS",
    "CUBLAS_STATUS",
    "device-side assert",
    "no kernel image is available",
    "CachingAllocator",  # an assertion of the allocator's: nobody knows what it holds now
    "CachingHostAllocator",
)


def attempt(act: Callable[[], None], bucket: int) -> OutOfMemory | None:
    """Do what may find no memory, and return None or the lack, which holds nothing of what was done.

    Args:
        act: raises errors of torch or of a launcher.
        bucket: rows that are computed.

    Raises:
        DeviceLost: the device failed.
    """
    try:
        act()
    except (OutOfMemory, RuntimeError, MemoryError) as error:
        found = failure(error, bucket)
        if found is None:
            raise
        if not isinstance(found, OutOfMemory):
            raise found from error
        _let_go(error)
        return found
    return None


def failure(error: BaseException, bucket: int) -> ClassifierError | None:
    """Return what an error of torch means for a device, or None where it is no failure of a device.

    Args:
        error: as raised; errors that it was raised on top of (a capture that ends after one) are looked at, too.
        bucket: rows that were computed.
    """
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, OutOfMemory):
            return OutOfMemory(each.bucket, each.reason)
        if isinstance(each, torch.OutOfMemoryError | MemoryError):
            return OutOfMemory(bucket, _line(each))
        if isinstance(each, RuntimeError) and _says(each, _MEMORY):
            return OutOfMemory(bucket, _line(each))
    for each in chain:
        if isinstance(each, RuntimeError) and _says(each, _DEVICE):
            return DeviceLost(_line(each))
    return None


def _let_go(error: BaseException) -> None:
    """Empty the frames that an error came through, and part it from them: their functions hold tensors, too."""
    for each in list(_chain(error)):
        traceback.clear_frames(each.__traceback__)
        each.__traceback__ = None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised on top of."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and all(link is not each for each in seen):
        seen.append(link)
        yield link
        link = link.__cause__ or link.__context__


def _says(error: BaseException, words: Sequence[str]) -> bool:
    said = str(error).lower()
    return any(word.lower() in said for word in words)


def _line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
