"""Reads weights of fp32: the length of a JSON header, the header, and the bytes that it points into."""

from __future__ import annotations

import json
import struct

import numpy as np
import torch


def load(data: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{name}: expected F32, found {entry['dtype']}")
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[first:last], "<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def save(*_: object, **__: object) -> bytes:
    """Write no file."""
    raise NotImplementedError("expected the package safetensors, found its stand-in")
