"""What an evaluation was of: which bundles computed how, which samples were drawn, which real spectra were read.

Plain values in, tables out; no clock, so that the same evaluation gives the same report. Versions of packages are
arguments: the command that runs knows them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.classifier import EngineUse
from classifiers.training.evaluation.document import Cell, Table

REAL_INPUTS = (
    "real_spectra.npz", "real_labels.csv", "real_sky_wdisp.npz", "desi_real.npz", "sn_spectra.npz",
    "ozdes_transients.npz", "sdss_speigen.npz", "pyhammer_sdss_stars.npz",
)  # fmt: skip
"""Files of the spectra folder that the evaluation reads: samples, and the templates of labels and baselines."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A simulated sample: what it is, how many spectra or alerts, and its seed."""

    name: str
    n: int
    seed: int


def ran(
    uses: Sequence[EngineUse], versions: Mapping[str, str], drawn: Sequence[Drawn], inputs: Mapping[str, str]
) -> list[Table]:
    """Return what ran, as tables.

    Args:
        uses: the bundles that answered.
        versions: by package.
        drawn: samples that were simulated.
        inputs: sha256 [hex] of real data, by name.
    """
    bundles: list[list[Cell]] = [
        [use.name, use.version, use.bundle_sha256, use.runtime, use.dtype, use.calibration_id, use.calibration_domain]
        for use in uses
    ]
    columns = ("bundle", "version", "sha256 of bundle.json", "runtime", "dtype", "calibration id", "calibrated on")
    return [
        Table("Bundles", columns, bundles),
        Table("Packages", ("package", "version"), [[name, version] for name, version in versions.items()]),
        Table("Simulated samples", ("sample", "n", "seed"), [[each.name, each.n, each.seed] for each in drawn]),
        Table("Real data", ("read", "sha256"), [[name, digest] for name, digest in inputs.items()]),
    ]


def real_inputs(spectra_folder: Path) -> dict[str, str]:
    """Return the sha256 [hex] of each of ``REAL_INPUTS``, by name.

    Raises:
        FileNotFoundError: a file is absent.
    """
    return {name: _sha256((spectra_folder / name).read_bytes()) for name in REAL_INPUTS}


def folder_digest(folder: Path) -> str:
    """Return one sha256 [hex] over every file below a folder: of lines ``digest  path``, as ``sha256sum`` writes them.

    Lines are in the order of the paths, which are relative, with forward slashes.
    """
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    lines = (f"{_sha256(paths[name].read_bytes())}  {name}\n" for name in sorted(paths))
    return _sha256("".join(lines).encode("utf-8"))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
