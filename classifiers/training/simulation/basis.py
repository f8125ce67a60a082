"""The simulator's basis: low-rank templates, population statistics and noise shapes in one small file.

The file is the project's own derived artefact (``basis.npz`` beside this module, written by ``building.build_basis``),
so that simulating needs no data folder. Reading it never unpickles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.training.simulation.grid import Float32

SHIPPED = Path(__file__).with_name("basis.npz")
FORMAT = 1


class BasisError(ValueError):
    """A basis file is missing, foreign or of another format."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Arrays of the simulator by name, as float32 (labels and types as int64).

    Attributes:
        arrays: star_vectors (k, 4771), star_coefficients (n, k), star_class (n,), star_observed (n,), other_* likewise
            with other_type (n,), template_flux (t, 4771), template_class (t,),
            ssp_flux (34, 7161), ssp_age_gyr (34,), qso_vectors, qso_coefficients, qso_redshift, line_vectors,
            line_coefficients, bal_transmission, galaxy_redshift, noise_<group>_{mean,vectors,spread}, sky, telluric ...
        provenance: sha256 of every input file, the builder's format and seed.
    """

    arrays: Mapping[str, Float32]
    provenance: Mapping[str, Any]

    @staticmethod
    def load(path: Path = SHIPPED) -> Basis:
        """Read a basis file.

        Args:
            path: the ``.npz``; the shipped one by default.

        Raises:
            BasisError: the file is absent, not a basis, or of another format.
        """
        if not path.is_file():
            raise BasisError(
                f"simulator basis {path} does not exist; build it with `specstream simulate --build-basis`"
            )
        with np.load(path, allow_pickle=False) as stored:
            if "provenance" not in stored.files:
                raise BasisError(
                    f"{path} is no simulator basis: expected an entry 'provenance', got {stored.files[:5]}"
                )
            provenance = json.loads(str(stored["provenance"]))
            if provenance.get("format") != FORMAT:
                raise BasisError(f"{path} has format {provenance.get('format')}, expected {FORMAT}")
            arrays = {name: stored[name].astype(np.float32) for name in stored.files if name != "provenance"}
        return Basis(arrays, provenance)

    def __getitem__(self, name: str) -> Float32:
        """Return one array."""
        return self.arrays[name]


def write_basis(path: Path, arrays: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write arrays (float16 or small integers) and their provenance; the bytes depend on nothing else."""
    text = json.dumps({"format": FORMAT, **provenance}, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, provenance=np.array(text), **dict(sorted(arrays.items())))
