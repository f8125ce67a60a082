"""Make the eigenspectra that redshifts of quasars are measured with (``classifiers.quasars.eigenspectra``).

    python -m classifiers.training.quasar_templates --spectra ../shared/data/spectra

writes ``classifiers/quasars/eigenspectra.npz`` anew: an orthonormal basis of what SDSS's four quasar eigenspectra span
(spEigenQSO-55732; Bolton et al. 2012, AJ 144, 144, Sect. 3.2), where none of them is zero. The same input gives the
same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from classifiers.quasars.eigenspectra import FILE

INPUT = "sdss_speigen.npz"
SET = "spEigenQSO-55732"


def build(spectra_folder: Path, path: Path = FILE) -> None:
    """Write the basis.

    Args:
        spectra_folder: holds ``sdss_speigen.npz``.
        path: file to write.

    Raises:
        FileNotFoundError: the input is absent.
    """
    source = spectra_folder / INPUT
    with np.load(source, allow_pickle=False) as stored:
        flux = stored[f"{SET}__flux"].astype(np.float64)
        start, step = (round(float(value), 7) for value in stored[f"{SET}__loglam"])
    covered = np.flatnonzero((flux != 0).all(axis=0))
    window = slice(covered[0], covered[-1] + 1)
    basis, triangle = np.linalg.qr(flux[:, window].T)
    basis *= np.sign(np.diagonal(triangle)) * np.sqrt(len(basis))
    provenance = {"inputs": {INPUT: hashlib.sha256(source.read_bytes()).hexdigest()}, "set": SET}
    np.savez_compressed(
        path,
        flux=basis.T.astype(np.float32),
        log10_start=round(start + step * int(window.start), 7),
        log10_step=step,
        provenance=np.array(json.dumps(provenance, sort_keys=True)),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write classifiers/quasars/eigenspectra.npz.")
    parser.add_argument("--spectra", type=Path, default=Path("../shared/data/spectra"), help=f"folder of {INPUT}")
    build(parser.parse_args().spectra)
