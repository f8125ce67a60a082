"""Where a training computes, and how arrays get there.

Simulations stay in the host's memory and go to the device batch by batch. Random numbers are drawn on the host as well,
whatever computes with them: a GPU is given the weights, the batches and the noise that the processor would be given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

Device: TypeAlias = torch.device
CPU: Final = torch.device("cpu")
CUDA: Final = torch.device("cuda")


def tensor_on(device: Device, array: NDArray[Any]) -> Tensor:
    """Return an array as a tensor on a device; the processor's is the array's own memory."""
    return torch.from_numpy(array).to(device)


@contextmanager
def full_precision() -> Iterator[None]:
    """Have a GPU convolve in fp32: torch would round to the 10 bits of TF32. The processor's setting is no other."""
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before
