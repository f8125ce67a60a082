"""Real galaxies for the structure of simulated hosts: HST COSMOS cut-outs with their noise, and three others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from classifiers.training.stamps.host_building import Cutout, write_hosts
from classifiers.training.stamps.profiles import FWHM_PER_SIGMA
from stream.fits.opening import open_fits

COSMOS: Final = ("real_galaxy_images_extension.fits", "real_galaxy_catalog_26_extension_example.fits")
RESOLVED: Final = ("gal1", "gal2", "gal3")
INPUTS: Final = (
    *(f"cosmos/{name}" for name in COSMOS),
    *(f"sersic/{name}_{what}.npy" for name in RESOLVED for what in ("im", "mask", "psf", "sig")),
)
_COSMOS_FWHM: Final = 3.4
"""Of ACS in F814W, 0.1 arcsec, in pixels of 0.03 arcsec."""


def build_hosts(alerts_folder: Path, output: Path) -> dict[str, Any]:
    """Measure the galaxies and write their maps.

    Args:
        alerts_folder: folder of the files named in ``INPUTS``.
        output: the ``.npz`` to write.

    Returns:
        The provenance: how many galaxies, and sha256 of each input.

    Raises:
        FileNotFoundError: an input is absent; the message names it.
    """
    absent = [name for name in INPUTS if not (alerts_folder / name).is_file()]
    if absent:
        raise FileNotFoundError(f"{alerts_folder} lacks {', '.join(absent)}, which structure of hosts is measured on")
    digests = {name: hashlib.sha256((alerts_folder / name).read_bytes()).hexdigest() for name in INPUTS}
    return write_hosts(cutouts(alerts_folder), digests, output)


def cutouts(alerts_folder: Path) -> Iterator[Cutout]:
    """Yield the galaxies of ``INPUTS``."""
    folder = alerts_folder / "cosmos"
    with open_fits(folder / COSMOS[0]) as images, open_fits(folder / COSMOS[1]) as catalogue:
        rows = next(each for each in catalogue.extensions if each.is_table).rows()
        for place, variance in zip(rows.array("GAL_HDU"), rows.array("NOISE_VARIANCE"), strict=True):
            image = np.asarray(images.extensions[int(place)].image(), np.float64)
            yield Cutout(image, np.full(image.shape, float(variance) ** 0.5), _COSMOS_FWHM / FWHM_PER_SIGMA)
    for name in RESOLVED:
        image, mask, spread, sigma = (
            np.load(alerts_folder / "sersic" / f"{name}_{what}.npy").astype(np.float64)
            for what in ("im", "mask", "psf", "sig")
        )
        width = float(np.sqrt(spread.sum() / (2 * np.pi * spread.max())))
        yield Cutout(image, np.where(mask > 0, np.inf, sigma), width)
