"""The digest of simulated samples: a change of the simulator, or of numpy's generators, shows in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def arrays_digest(arrays: Iterable[NDArray[Any]]) -> str:
    """Return the SHA-256 [hex] of arrays in their order: type, shape and bytes of each."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
