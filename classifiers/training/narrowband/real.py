"""Real spectra seen through the J-PAS bands: the only test of the narrow-band bundle that is not on its own templates.

SDSS, BOSS and LAMOST spectra are integrated over the bands that they cover (50 of 56 on average; uJava begins below all
of them, J1007 ends beyond them), brought to a common r magnitude, and given the survey's noise there on top of their
own. Near quasars that would be less luminous there than any are left out (``counts.least_quasar_redshift``).

No weight was trained on them; some choices were made after looking: in half of the training set galaxies and stars are
drawn evenly over redshifts and families, as quasars were before; quasars have a least luminosity, and the mocks errors
of colour, since near galaxies with lines were taken for quasars here, and many stars were unknown; sources that lack
bands at both ends are trained on since these do, and were strange to a network that had seen few such. What it cannot
test: the two wide bands, and colours that flux calibration got wrong (LAMOST's is good to 10 %).

    python -m classifiers.training.narrowband.real ../shared/data classifiers/models/jpas-evaluation.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.bundle.folder import load_bundle
from classifiers.classifier import Verdicts
from classifiers.items import InlineAxis, Spectrum, quality_of
from classifiers.suite import MODELS, open_suites
from classifiers.training.evaluation.real_spectra import RealLabel, real_spectra, unique_objects
from classifiers.training.intervals import clopper_pearson
from classifiers.training.narrowband.bands import LOG10_START, LOG10_STEP, NAMES, PIXELS, Photometry
from classifiers.training.narrowband.broad_colours import broad_colours
from classifiers.training.narrowband.counts import least_quasar_redshift
from classifiers.training.narrowband.declared import NAME
from classifiers.training.narrowband.noise import Observed, observe, stated_depths
from classifiers.training.narrowband.realism import Sources, colour_ranks, treated_mocks
from classifiers.training.narrowband.remeasured import remeasured
from classifiers.training.narrowband.section import Depths
from classifiers.training.narrowband.simulator import CLASSES, KINDS, NarrowbandSimulator
from classifiers.training.simulation import grid
from classifiers.training.simulation.grid import Float64, Integers, NDBool
from classifiers.training.simulation.instruments import BY_NAME, Instrument

MAGNITUDES = (20.0, 21.0, 22.0, 23.0)
SEED = 20_261_121
_LEAST_COVERAGE = 0.97
"""Share of a band's weight that a spectrum must cover; where it has holes, the rest stands for them."""


@dataclass(frozen=True, slots=True)
class RealPhotometry:
    """Real spectra in the bands: flux and own error (n, 56) at r = 0 mag scale, which bands are covered, labels."""

    flux: Float64
    sigma: Float64
    covered: NDBool
    labels: Sequence[RealLabel]

    def rows(self, chosen: Integers) -> RealPhotometry:
        """Return some of them."""
        return RealPhotometry(
            self.flux[chosen], self.sigma[chosen], self.covered[chosen], [self.labels[row] for row in chosen]
        )

    def possible_at(self, r: float) -> Integers:
        """Return the rows of sources that could have this r magnitude: all but quasars that are too near."""
        least = float(least_quasar_redshift(np.array([r]))[0])
        far = [label.group != "QSO" or label.redshift >= least for label in self.labels]
        return np.flatnonzero(far)


def real_photometry(spectra_folder: Path, photometry: Photometry) -> RealPhotometry:
    """Integrate the labelled real spectra over the bands, each object once, blank sky and unknown classes left out.

    Fluxes are those of sources of r = 20.
    """
    spectra, labels = real_spectra(spectra_folder)
    chosen = [row for row in unique_objects(labels) if labels[row].group in ("GALAXY", "QSO", "STAR", "OTHER")]
    weights = _native_weights(photometry)
    flux, sigma = np.zeros((2, len(chosen), len(weights)))
    covered = np.zeros((len(chosen), len(weights)), np.bool_)
    for place, row in enumerate(chosen):
        inverse_variance = spectra[row].uncertainty.astype(np.float64)
        good = (inverse_variance > 0) & np.isfinite(spectra[row].flux)
        seen = weights[:, good]
        share = seen.sum(axis=1)
        seen = seen / np.maximum(share, 1e-9)[:, None]
        flux[place] = seen @ spectra[row].flux[good]
        sigma[place] = np.sqrt(seen**2 @ (1.0 / inverse_variance[good]))
        covered[place] = share > _LEAST_COVERAGE
    magnitude = photometry.ab_magnitude(np.maximum(flux[:, -1:], 1e-9) * 1e-17)[:, -1]
    usable = np.flatnonzero(covered[:, -1] & (flux[:, -1] > 0))
    scale = 10.0 ** (0.4 * (magnitude[usable] - 20.0))[:, None]
    bands = slice(0, len(NAMES))
    return RealPhotometry(
        flux[usable, bands] * scale,
        sigma[usable, bands] * scale,
        covered[usable, bands],
        [labels[chosen[row]] for row in usable],
    )


def items_at(real: RealPhotometry, r: float, pivot_angstrom: Float64, rng: np.random.Generator) -> list[Spectrum]:
    """Return the sources as the stream would give them if each had this r magnitude."""
    scale = 10.0 ** (-0.4 * (r - 20.0))
    seen = observe(np.maximum(real.flux, 0.0) * scale, pivot_angstrom, rng, None)
    # the spectrum's own noise is in its flux already; its stated error is that of both
    both = Observed(seen.flux, np.hypot(seen.sigma, real.sigma * scale), seen.good & real.covered)
    return as_spectra(both, pivot_angstrom)


def as_spectra(observed: Observed, pivot_angstrom: Float64) -> list[Spectrum]:
    """Return observed sources as the stream would give them."""
    axis = InlineAxis(pivot_angstrom, pivot_angstrom.tobytes())
    return [
        Spectrum(
            axis, "VACUUM", flux.astype(np.float32), sigma.astype(np.float32), "SIGMA", "1e-17 erg/s/cm2/Angstrom",
            quality_of(good), 0.0, None, "NARROWBAND", sky_fibre=False,
        )
        for flux, sigma, good in zip(observed.flux, observed.sigma, observed.good, strict=True)
    ]  # fmt: skip


def evaluate_real(bundle: Path, spectra_folder: Path) -> dict[str, Any]:
    """Return recall by class, redshifts and the unknown rate of a narrow-band bundle on real spectra, by magnitude."""
    simulator = NarrowbandSimulator.load()
    suite = open_suites([bundle])["narrowband"]
    real = real_photometry(spectra_folder, simulator.photometry)
    rng = np.random.default_rng(SEED)
    found = {}
    for r in MAGNITUDES:
        seen = real.rows(real.possible_at(r))
        found[f"{r:g}"] = figures(suite.classify(items_at(seen, r, simulator.pivot_angstrom, rng)), seen.labels)
    sources = Sources(
        real.flux,
        real.covered,
        np.array([KINDS.index(_kind(label)) for label in real.labels]),
        np.array([label.redshift for label in real.labels]),
    )
    control = treated_mocks(sources, real.sigma, [_instrument(label) for label in real.labels], simulator, SEED)
    return {
        "bands_covered": round(float(real.covered.sum(axis=1).mean()), 1),
        "by_r": found,
        "colours_among_mocks": colour_ranks(sources, simulator, SEED),
        "colours_of_control_among_mocks": colour_ranks(control, simulator, SEED),
        "broad_colours": broad_colours(simulator, spectra_folder, SEED),
    }


def mock_depths() -> Depths:
    """Return the depths that the mocks' stated errors mean."""
    pivot = NarrowbandSimulator.load().pivot_angstrom
    return Depths(pivot, stated_depths(pivot, np.random.default_rng(SEED)))


def figures(verdicts: Verdicts, labels: Sequence[RealLabel]) -> dict[str, Any]:
    """Return recall of each kind, contamination of quasars, redshift scatter and unknown rate, with n and intervals."""
    kind = np.array([_kind(label) for label in labels])
    redshift = np.array([label.redshift for label in labels])
    names = np.array([CLASSES[index] if index >= 0 else "" for index in verdicts.top_class.tolist()])
    quasar = np.char.startswith(names, "QSO")
    counted: dict[str, Any] = {
        "QSO": _share(quasar[kind == "QSO"]),
        "GALAXY": _share(names[kind == "GALAXY"] == "GALAXY"),
        "STAR": _share(names[kind == "STAR"] == "STAR"),
        "others taken for quasars": _share(quasar[kind != "QSO"]),
        "unknown": _share(verdicts.unknown),
    }
    for name, wanted in (("QSO_LOW_Z", redshift < 2.1), ("QSO_HIGH_Z", redshift >= 2.1)):
        counted[name] = _share(names[(kind == "QSO") & wanted] == name)
    rows = np.flatnonzero((kind == "QSO") & quasar)
    error = (verdicts.columns["redshift"][rows] - redshift[rows]) / (1.0 + redshift[rows])
    counted["quasar redshifts"] = {
        "n": int(rows.size),
        "nmad": round(float(1.4826 * np.median(np.abs(error - np.median(error)))), 4) if rows.size else None,
        "within_0.05": _share(np.abs(error) < 0.05),
    }
    return counted


def _kind(label: RealLabel) -> str:
    """Return the kind: stars outside the spectral scheme are stars."""
    return "STAR" if label.group == "OTHER" else label.group


def _instrument(label: RealLabel) -> Instrument:
    """Return what took a spectrum; releases of one survey ("LAMOST-DR1") are calibrated alike."""
    return BY_NAME[label.survey.split("-")[0]]


def _share(hit: NDBool) -> dict[str, Any]:
    low, high = clopper_pearson(int(hit.sum()), int(hit.size))
    return {"n": int(hit.size), "right": int(hit.sum()), "interval_95": [round(low, 4), round(high, 4)]}


def _native_weights(photometry: Photometry) -> Float64:
    """Return the bands' weights on the grid of the spectra, (57, 4671); rows sum to the share that the grid covers."""
    edges = LOG10_START + LOG10_STEP * (np.arange(PIXELS + 1) - 0.5)
    native = grid.native_log10()
    native_edges = np.append(native, native[-1] + grid.LOG10_STEP) - 0.5 * grid.LOG10_STEP
    cumulative = np.concatenate([np.zeros((len(photometry.weights), 1)), np.cumsum(photometry.weights, axis=1)], axis=1)
    return np.diff([np.interp(native_edges, edges, row) for row in cumulative], axis=1)


def main() -> None:
    """Evaluate the shipped bundle and write the figures, those on mocks beside those on real spectra."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with spectra/real_spectra.npz")
    parser.add_argument("output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    bundle = MODELS / NAME
    figures_of = {
        "bundle": load_bundle(bundle).sha256,
        "mocks": load_bundle(bundle).manifest.metrics,
        "mocks_anew": remeasured(bundle),
        "real_spectra": evaluate_real(bundle, arguments.data / "spectra"),
    }
    arguments.output.write_text(json.dumps(figures_of, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
