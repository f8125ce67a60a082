"""What the narrow-band bundle declares in its manifest: bands, classes, outputs, domain, provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from classifiers.networks.declared import BANDS, NARROWBAND_OUTPUTS, REDSHIFT_THRESHOLD
from classifiers.training.narrowband.bands import NAMES, SHIPPED
from classifiers.training.narrowband.simulator import CLASS_SCHEME, CLASSES, MAXIMUM_REDSHIFT
from classifiers.training.provenance import train_command
from classifiers.training.simulation.basis import SHIPPED as SPECTRAL_BASIS
from classifiers.training.simulation.grid import Float64
from classifiers.training.tolerances import TOLERANCES

NAME, VERSION, PRIOR = "jpas-qso-finder", "0.5.0", "jpas-mocks-1"
ARCHITECTURE = "specstream-jpas-qso-finder-1"
LEAST_COVERAGE, FULL_COVERAGE = 0.6, 0.9
"""Share of the bands below which a source is out of the domain (with half of them, bright known ones are NOVEL in 6 %),
and below which sources are judged among their like."""
LEAST_SNR, NO_SIGNAL_SNR = 1.0, 0.7
"""Median S/N of a band. Of 18,000 mocks to r = 23.5 none is below 1.1 and half of a hundred at r = 24 are above 2; of
20,000 apertures of empty sky none is above 0.7, whatever bands they lack."""
_TOLERANCE_ANGSTROM = 40.0
_WIDE_TOLERANCES_ANGSTROM: Mapping[str, float] = {"uJava": 100.0, "J1007": 330.0}
"""Central wavelengths of the two wide bands depend on their definition: with or without atmosphere and detector."""
_SHAPES: Mapping[str, tuple[int, ...]] = {"class_logits": (len(CLASSES),), "contribution": (BANDS,)}


def manifest(
    pivot_angstrom: Float64, seed: int, settings: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest but for the digests of its files.

    Args:
        pivot_angstrom: (56,) of the bands.
        seed: of the training.
        settings: what decides the weights besides: n, epochs ...
        metrics: what was measured.
    """
    inputs = {"simulation/basis.npz": SPECTRAL_BASIS, "narrowband/basis.npz": SHIPPED}
    return {
        "name": NAME,
        "version": VERSION,
        "role": "narrowband",
        "architecture": ARCHITECTURE,
        "class_scheme": CLASS_SCHEME,
        "class_names": CLASSES,
        "star_classes": ("STAR",),
        "qso_classes": ("QSO_LOW_Z", "QSO_HIGH_Z"),
        "high_z_classes": ("QSO_HIGH_Z",),
        "qso_z_threshold": REDSHIFT_THRESHOLD,
        "redshift_range": (0.0, MAXIMUM_REDSHIFT),
        "zwarn_snr": 3.0,
        "zwarn_coverage": 0.5,
        "prior_id": PRIOR,
        "bands": [
            {
                "name": name,
                "wavelength_angstrom": round(float(wavelength), 1),
                "tolerance_angstrom": _WIDE_TOLERANCES_ANGSTROM.get(name, _TOLERANCE_ANGSTROM),
            }
            for name, wavelength in zip(NAMES, pivot_angstrom, strict=True)
        ],
        "inputs": [{"name": name, "shape": (BANDS,)} for name in ("flux", "inverse_variance")],
        "outputs": [{"name": name, "shape": _SHAPES.get(name, ())} for name in NARROWBAND_OUTPUTS],
        "domain": {
            "min_coverage": LEAST_COVERAGE,
            "full_coverage": FULL_COVERAGE,
            "min_snr": LEAST_SNR,
            "full_snr": 3.0,
            "no_signal_snr": NO_SIGNAL_SNR,
            "samplings": ("NARROWBAND",),
        },
        "batch_buckets": (16, 64, 256),
        "tolerances": TOLERANCES,
        "training": {
            "command": train_command(NAME, seed, settings),
            "seed": seed,
            "data": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in inputs.items()},
            "settings": dict(settings),
        },
        "metrics": dict(metrics),
    }
