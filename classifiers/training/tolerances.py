"""How far runtimes and number formats may be from a bundle's golden answers; every bundle declares the same.

Measured on the golden answers of the bundles that ship, against onnxruntime in fp32: fp16 differs by 5e-4 in a
probability and an entropy, 2e-6 in a redshift and 0.003 of the size of any other output; bf16, which keeps three bits
fewer, by some eight times as much, and tf32 as fp16. What is declared is ten times that, since golden answers are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HALF: Final[Mapping[str, float]] = {
    "class_agreement": 0.99, "probability": 5e-3, "entropy": 5e-3, "redshift": 2e-4, "p_value": 0.02, "relative": 0.03,
}  # fmt: skip
TOLERANCES: Final[Mapping[str, Mapping[str, float]]] = {
    "fp32": {"probability": 1e-3, "entropy": 1e-3, "redshift": 1e-4, "p_value": 1e-3, "relative": 1e-3},
    "tf32": _HALF,
    "fp16": _HALF,
    "bf16": {
        "class_agreement": 0.99, "probability": 0.04, "entropy": 0.04, "redshift": 1e-3, "p_value": 0.1,
        "relative": 0.2,
    },
}  # fmt: skip
"""Fields of ``Tolerance`` by number format."""
