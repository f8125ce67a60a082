"""Section on exposures and their coadd: what is said of a part of the light, against what is said of all of it.

Two samples. Of known spectra (real and simulated) each is split into ``PARTS`` exposures whose mean it is: exposure i
is x + e_i - mean(e) with e_i of variance n sigma^2, which has the variance of an exposure of a part of the time, and is
independent of the others where the noise is Gaussian; what is systematic in the spectrum stays in all of them. And of
the object with many epochs, whose epochs are real exposures, the coadd is their mean weighted by inverse variance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from classifiers.items import Spectrum, quality_of
from classifiers.training.evaluation.answers import GROUPS, Answers, Floats, Rows, Scored
from classifiers.training.evaluation.binned import by_snr, share, spread
from classifiers.training.evaluation.document import Cell, Item, Number, Plot, Section, Table

PARTS = 3
"""Exposures of an observation block, as 4MOST takes them."""
FEWEST_EPOCHS = 10
_LIMIT = 0.0033
_COLUMNS = (
    "", "exposure has its coadd's group", "its class", "redshift within 0.0033 (1+z) of the coadd's",
    "width of redshift differences over their error", "width if errors were right", "exposures unknown",
    "coadds unknown",
)  # fmt: skip


def exposures(
    samples: Mapping[str, tuple[Scored, Sequence[Spectrum]]],
    classify: Callable[[list[Spectrum], str], Answers],
    rng: np.random.Generator,
) -> Section:
    """Return the section.

    Args:
        samples: by what to call them: the scored sample and its spectra, on one grid each with inverse variances.
        classify: classifies items; the second argument names the stage.
        rng: source of the noise that splits spectra.
    """
    rows: list[list[Cell]] = []
    plots: list[Item] = []
    for name, (scored, spectra) in samples.items():
        known = [spectra[row] for row in scored.known]
        parts = [part for item in known for part in split(item, PARTS, rng)]
        found = classify(parts, f"exposures, {name}")
        coadd = np.repeat(scored.known, PARTS)
        rows.append(_row(f"a third of the time, made up ({name})", found, scored.answers, coadd, PARTS))
        plots.append(_against_snr(name, found, scored.answers, coadd))
    for identity, members, scored, spectra in _epochs(samples):
        together = classify([coadded([spectra[row] for row in members])], "coadd of epochs")
        parts_of_one = scored.answers.rows(members)
        rows.append(_row(f"{members.size} epochs of {identity}", parts_of_one, together, 0 * members, members.size))
    text = (
        f"In the first rows no exposure was ever taken: a spectrum, itself a coadd, is split into {PARTS} by made-up "
        f"Gaussian noise, whose mean is zero and which makes each as noisy as a part of the time would. What is "
        "systematic in the spectrum stays in all of them, so that real exposures agree less. In the last row the "
        "epochs of one quasar are real exposures, and their coadd is made of them. Differences of redshift are over "
        "the exposure's published error. The coadd has part of its noise: of n exposures, the difference from their "
        f"coadd has 1 - 1/n of an exposure's variance, so that right errors give a width of {_expected(PARTS):.2f} "
        f"(n = {PARTS}), not 1. A smaller width means that errors of exposures are too wide, a larger one that they "
        "are too small."
    )
    return Section(
        "Exposures against coadds", text, [Table("Answers to exposures and to their coadd", _COLUMNS, rows), *plots]
    )


def split(item: Spectrum, parts: int, rng: np.random.Generator) -> list[Spectrum]:
    """Return exposures whose mean is the spectrum, each with the noise of its share of the time.

    Args:
        item: with inverse variances.
        parts: how many.
        rng: source of the noise.

    Raises:
        ValueError: its uncertainties are of another kind.
    """
    if item.uncertainty_kind != "IVAR":
        raise ValueError(f"expected inverse variances, got {item.uncertainty_kind}")
    weight = item.uncertainty
    sigma = np.where(weight > 0, np.maximum(weight, np.float32(1e-30)) ** np.float32(-0.5), np.float32(0.0))
    noise = rng.standard_normal((parts, sigma.size)).astype(np.float32)
    noise -= noise.mean(axis=0)
    scale = np.float32(np.sqrt(parts))
    return [
        replace(item, flux=item.flux + scale * sigma * row, uncertainty=weight / np.float32(parts)) for row in noise
    ]


def coadded(items: Sequence[Spectrum]) -> Spectrum:
    """Return the mean of spectra on one grid, weighted by inverse variance."""
    weight = np.stack([item.uncertainty for item in items]).astype(np.float64)
    flux = np.where(weight > 0, np.stack([item.flux for item in items]), 0.0)
    total = weight.sum(axis=0)
    mean = np.divide((flux * weight).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return replace(
        items[0], flux=mean.astype(np.float32), uncertainty=total.astype(np.float32), quality=quality_of(total > 0)
    )


def _expected(parts: int) -> float:
    """Return the width of (exposure - coadd) / error of exposure for right errors: sqrt(1 - 1/n) of n alike."""
    return float(np.sqrt(1.0 - 1.0 / parts))


def _row(name: str, parts: Answers, coadds: Answers, rows: Rows, of: int) -> list[Cell]:
    """Compare answers to exposures with those to coadds ``of`` so many; ``rows`` names one for each exposure."""
    both = np.isin(parts.groups, GROUPS[:2]) & (parts.groups == coadds.groups[rows])
    difference = parts.column("redshift") - coadds.column("redshift")[rows]
    relative = np.abs(difference[both]) / (1.0 + coadds.column("redshift")[rows][both])
    pull: Floats = difference[both] / parts.column("redshift_error")[both]
    once = np.unique(rows)
    return [
        name,
        share("group", parts.groups == coadds.groups[rows]),
        share("class", parts.names == coadds.names[rows]),
        share("redshift", relative < _LIMIT),
        Number("width", spread(pull[np.isfinite(pull)]), int(np.isfinite(pull).sum())),
        round(_expected(of), 3),
        share("unknown", parts.unknown),
        share("unknown", coadds.unknown[once]),
    ]


def _against_snr(name: str, parts: Answers, coadds: Answers, rows: Rows) -> Plot:
    snr = parts.column("snr")
    curves = [
        by_snr("same group", snr, parts.groups == coadds.groups[rows]),
        by_snr("same class", snr, parts.names == coadds.names[rows]),
    ]
    return Plot(
        f"Exposures that say what their coadd says, {name}", "median S/N of the exposure per bin of 207 km/s", "share",
        curves, "points", x_log=True, y_range=(0.0, 1.02),
    )  # fmt: skip


def _epochs(
    samples: Mapping[str, tuple[Scored, Sequence[Spectrum]]],
) -> list[tuple[str, Rows, Scored, Sequence[Spectrum]]]:
    """Return the objects with many epochs: identity, rows, and the sample they are in."""
    found = []
    for scored, spectra in samples.values():
        for identity, count in Counter(label.object_id for label in scored.labels).items():
            if count >= FEWEST_EPOCHS:
                members = np.array([row for row, label in enumerate(scored.labels) if label.object_id == identity])
                found.append((identity, members, scored, spectra))
    return found
