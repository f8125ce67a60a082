"""Measure how sure the label of a star is: how often fits that differ in details name the same template.

    python -m classifiers.training.star_details --spectra ../shared/data/spectra

fits observed stars that are no templates (PyHammer's, and those of the star set that BOSS uses), with noise, by SDSS's
templates: once as labels are made (``simulation.star_labels``), and with other polynomials, windows and weights. It
prints for each S/N what ``DETAIL`` makes the probabilities of the first fit agree best with what the others say, as the
mean negative log likelihood. No survey's label of a real object is read.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.stars.measure import DETAIL
from classifiers.training.simulation.grid import LOG10_STEP, Float64, Integers
from classifiers.training.simulation.low_rank import STAR_LOG10_START, on_star_grid
from classifiers.training.simulation.scheme import STAR_TYPES
from classifiers.training.simulation.star_labels import WINDOW_LOG10, template_class

TEMPLATES, STARS = "spEigenStar-53724__", "spEigenStar-55734__"
SNR = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Of a bin of three pixels, over the root mean square flux."""
TRIED = (0.0, 0.03, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6)
_BIN = 3


@dataclass(frozen=True, slots=True)
class Details:
    """How a fit is made.

    Attributes:
        terms: of the polynomial.
        added: to the template, which is multiplied by it otherwise.
        window: shares of the window of labels where the fit begins and ends.
        power: weights fall with this power of the flux.
    """

    terms: int = 5
    added: bool = False
    window: tuple[float, float] = (0.0, 1.0)
    power: float = 0.0


LABEL = Details()
OTHERS = (
    Details(terms=3),
    Details(terms=7),
    Details(window=(0.0, 0.77)),
    Details(window=(0.13, 1.0)),
    Details(power=1.0),
    Details(terms=4, added=True),
    Details(terms=4, added=True, power=1.0),
)


def misfits(flux: Float64, templates: Float64, details: Details) -> Float64:
    """Fit stars at rest by templates.

    Args:
        flux: (n, bin) float64.
        templates: (t, bin) float64.
        details: of the fit.

    Returns:
        (n, t) float64, mean squared residuals over the mean squared flux, both weighted.
    """
    part = slice(*(round(edge * flux.shape[1]) for edge in details.window))
    flux, templates = flux[:, part], templates[:, part]
    weight = np.maximum(flux, 0.05 * np.median(flux, axis=1, keepdims=True)) ** -details.power
    polynomials = np.polynomial.chebyshev.chebvander(np.linspace(-1.0, 1.0, flux.shape[1]), details.terms - 1)
    power = (weight * flux**2).sum(axis=1)
    explained = np.empty((len(flux), len(templates)))
    for column, template in enumerate(templates):
        columns = np.column_stack([template, polynomials]) if details.added else template[:, None] * polynomials
        normal = np.einsum("nb,bj,bk->njk", weight, columns, columns, optimize=True)
        right = (weight * flux) @ columns
        explained[:, column] = (right * np.linalg.solve(normal, right[..., None])[..., 0]).sum(axis=1)
    return np.asarray(1.0 - explained / power[:, None])


def by_class(misfit: Float64, kinds: Integers) -> Float64:
    """Return the least misfit of the templates of each star type, (n, 7), of (n, t)."""
    return np.stack([misfit[:, kinds == kind].min(axis=1) for kind in range(len(STAR_TYPES))], axis=1)


def likelihoods(misfit: Float64, said: Integers, snr: float, tried: tuple[float, ...] = TRIED) -> list[float]:
    """Return the mean negative log likelihood of what other fits say, for each tried value of ``DETAIL``.

    Args:
        misfit: (n, 7) float64 of the fit that labels are made by.
        said: (m, n) int64, best star types by the m other fits.
        snr: of a bin.
        tried: the values.
    """
    bins = round((WINDOW_LOG10[1] - WINDOW_LOG10[0]) / LOG10_STEP) // _BIN
    chi2 = bins * snr**2 * (misfit - misfit.min(axis=1, keepdims=True))
    found = []
    for detail in tried:
        logarithm = -0.5 * chi2 / (1.0 + (detail * snr) ** 2)
        logarithm -= np.log(np.exp(logarithm).sum(axis=1, keepdims=True))
        found.append(float(-logarithm[np.arange(said.shape[1]), said].mean()))
    return found


def stars_and_templates(spectra_folder: Path) -> tuple[Float64, Float64, Integers]:
    """Return observed stars (n, bin) and templates (t, bin) float64, and the star types (t,) of these.

    Args:
        spectra_folder: holds ``pyhammer_sdss_stars.npz`` and ``sdss_speigen.npz``.

    Raises:
        FileNotFoundError: a file is absent.
    """
    with np.load(spectra_folder / "sdss_speigen.npz", allow_pickle=False) as stored:
        names = [template_class(str(name)) for name in stored[TEMPLATES + "names"]]
        rows = [row for row, kind in enumerate(names) if kind is not None and kind < len(STAR_TYPES)]
        kinds = np.array([names[row] for row in rows], np.int64)
        templates = _binned(stored[TEMPLATES + "flux"][rows], float(stored[TEMPLATES + "loglam"][0]))
        wanted = [row for row, name in enumerate(stored[STARS + "names"]) if _is_in_scheme(str(name))]
        stars = [_binned(stored[STARS + "flux"][wanted], float(stored[STARS + "loglam"][0]))]
    with np.load(spectra_folder / "pyhammer_sdss_stars.npz", allow_pickle=False) as stored:
        wanted = [row for row, name in enumerate(stored["names"]) if _is_in_scheme(str(name))]
        stars.append(_binned(stored["flux"][wanted], float(stored["loglam"][0])))
    joined = np.concatenate(stars)
    return joined[np.isfinite(joined).all(axis=1)], templates, kinds


def _is_in_scheme(name: str) -> bool:
    return name[0] in "AFGK" and "p" not in name[:4]


def _binned(flux: Float64, log10_start: float) -> Float64:
    first, last = (round((edge - STAR_LOG10_START) / LOG10_STEP) for edge in WINDOW_LOG10)
    pixels = on_star_grid(flux.astype(np.float64), log10_start)[:, first : last - (last - first) % _BIN]
    return np.asarray(pixels.reshape(len(flux), -1, _BIN).mean(axis=2))


def measured(spectra_folder: Path, others: tuple[Details, ...], seed: int = 1) -> Float64:
    """Return the likelihoods of what some fits say, (S/N, tried) float64.

    Args:
        spectra_folder: as in ``stars_and_templates``.
        others: these fits.
        seed: of the noise.
    """
    stars, templates, kinds = stars_and_templates(spectra_folder)
    rng = np.random.default_rng(seed)
    scale = np.sqrt((stars**2).mean(axis=1, keepdims=True))
    found = []
    for snr in SNR:
        noisy = stars + rng.standard_normal(stars.shape) * scale / snr
        label = by_class(misfits(noisy, templates, LABEL), kinds)
        said = np.stack([by_class(misfits(noisy, templates, each), kinds).argmin(axis=1) for each in others])
        found.append(likelihoods(label, said, snr))
    return np.array(found)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Measure how sure labels of stars are.")
    parser.add_argument("--spectra", type=Path, default=Path("../shared/data/spectra"), help="folder of the libraries")
    folder = parser.parse_args().spectra
    for what, others in (
        ("all fits", OTHERS),
        ("fits that multiply", tuple(each for each in OTHERS if not each.added)),
    ):
        found = measured(folder, others)
        sys.stdout.write(f"{what:<20}" + "".join(f"{detail:7.2f}" for detail in TRIED) + "\n")
        for name, values in (
            *zip((f"S/N {snr:.0f}" for snr in SNR), found, strict=True),
            ("all S/N", found.mean(axis=0)),
        ):
            sys.stdout.write(f"{name:<20}" + "".join(f"{value:7.3f}" for value in values) + "\n")
        sys.stdout.write(f"best of these {TRIED[int(found.mean(axis=0).argmin())]}, labels are made with {DETAIL}\n")


if __name__ == "__main__":
    main()
