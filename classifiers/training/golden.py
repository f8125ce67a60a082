"""Golden answers of a spectral bundle: what torch says of some inputs, which every runtime must say too."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from classifiers.training.samples import Samples

GOLDEN_ROWS = 8


def golden(module: nn.Module, names: Sequence[str], samples: Samples) -> bytes:
    """Return an ``.npz`` of the first samples and what torch computes for them, prefixed input_ and output_.

    Args:
        module: whose outputs they are.
        names: of the outputs, in order.
        samples: at least 2.
    """
    flux, inverse_variance = samples.rows(slice(0, GOLDEN_ROWS)).inputs()
    with torch.no_grad():
        outputs = module(torch.from_numpy(flux), torch.from_numpy(inverse_variance))
    arrays: dict[str, Any] = {"input_flux": flux, "input_inverse_variance": inverse_variance}
    arrays |= {f"output_{name}": value.numpy() for name, value in zip(names, outputs, strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
