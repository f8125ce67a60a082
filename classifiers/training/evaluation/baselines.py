"""What classical methods and the most common class reach on the same real spectra, as rows of the headline table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classifiers.items import Spectrum
from classifiers.training.evaluation.answers import Rows, Scored
from classifiers.training.evaluation.binned import share, spread
from classifiers.training.evaluation.cross_correlation import best_redshifts
from classifiers.training.evaluation.document import Cell, Number, Proportion, Section, Table
from classifiers.training.evaluation.star_fit import star_types
from classifiers.training.simulation.grid import Float32
from classifiers.training.simulation.scheme import STAR_TYPES


def baselines(
    scored: Scored, spectra: Sequence[Spectrum], spectra_folder: Path
) -> tuple[list[Proportion], list[Number]]:
    """Return the rows, named ``baseline: ...``.

    Args:
        scored: the real sample; its answers are not read.
        spectra: the same, on the native grid.
        spectra_folder: holds the templates.
    """
    proportions = _majority(scored) + star_fit(scored, spectra, spectra_folder)
    more, numbers = _redshifts(scored, spectra, spectra_folder)
    return proportions + more, numbers


_MAJORITY = "baseline: most common class"
TEMPLATE_FIT, _EIGENSPECTRA = "baseline: template fit: ", "baseline: eigenspectra: "


def side_by_side(proportions: Sequence[Proportion], numbers: Sequence[Number]) -> Section:
    """Return the section that sets measures beside what the baselines reach on the same spectra.

    Args:
        proportions: of the headline, the baselines' among them.
        numbers: likewise.
    """
    every: list[Proportion | Number] = [*proportions, *numbers]
    measures = {each.name: each for each in every}
    common = {name.rsplit(": ", 1)[-1]: name for name in measures if name.startswith(_MAJORITY)}
    rows: list[list[Cell]] = []
    for name in [name for name in measures if not name.startswith("baseline")]:
        fitted = [
            prefix + name + end for prefix in (TEMPLATE_FIT, _EIGENSPECTRA) for end in ("", " (no stars offered)")
        ]
        found = [measures.get(each) for each in (*fitted, common.get(name, ""))]
        if any(each is not None for each in found):
            template, eigen = found[0], found[2] or found[3]
            rows.append([name, measures[name], *(each or "" for each in (template, eigen, found[4]))])
    text = (
        "The same real spectra throughout. Template fit: SDSS's stellar templates times a polynomial. Eigenspectra: "
        "cross-correlation with SDSS's galaxy and quasar eigenspectra, with galaxies and quasars alone to choose from, "
        "which spares it the hardest question; its redshifts count where its choice is right. The labels of SDSS and "
        "BOSS come from fits of the same templates and eigenspectra."
    )
    columns = ("measure", "these bundles", "template fit", "eigenspectra", "most common class")
    return Section("Beside classical methods", text, [Table("Beside classical methods", columns, rows)])


def _arrays(spectra: Sequence[Spectrum], rows: Rows) -> tuple[Float32, Float32]:
    chosen = [spectra[row] for row in rows]
    return np.stack([item.flux for item in chosen]), np.stack([item.uncertainty for item in chosen])


def _majority(scored: Scored) -> list[Proportion]:
    truth = scored.truth[scored.labelled]
    stars = truth[np.char.startswith(truth, "STAR_")]
    rows = []
    for what, values in (("13 classes", truth), ("star type, exact", stars)):
        if values.size:
            name, count = Counter(values.tolist()).most_common(1)[0]
            rows.append(Proportion(f"baseline: most common class ({name}): {what}", count, values.size))
    return rows


def star_fit(scored: Scored, spectra: Sequence[Spectrum], spectra_folder: Path) -> list[Proportion]:
    """Return the rows of the template fit of stars, named as those of the headline after ``TEMPLATE_FIT``.

    Args:
        scored: a sample; its answers are not read.
        spectra: the same, on the native grid.
        spectra_folder: holds the templates.
    """
    rows = scored.labelled[np.char.startswith(scored.truth[scored.labelled], "STAR_")]
    if not rows.size:
        return []
    found = star_types(spectra_folder, *_arrays(spectra, rows))
    true = np.array([STAR_TYPES.index(name.removeprefix("STAR_")) for name in scored.truth[rows].tolist()])
    difference = np.abs(np.array([STAR_TYPES.index(name) for name in found]) - true)
    exact = np.array([scored.labels[row].exact_type for row in rows])
    measures = []
    for what, chosen in (("star type", np.ones_like(exact)), ("star type, labels with template names", exact)):
        measures.append(share(f"{TEMPLATE_FIT}{what}, exact", difference[chosen] == 0))
        measures.append(share(f"{TEMPLATE_FIT}{what}, within one", difference[chosen] <= 1))
    return measures


def _redshifts(
    scored: Scored, spectra: Sequence[Spectrum], spectra_folder: Path
) -> tuple[list[Proportion], list[Number]]:
    rows = np.flatnonzero(np.isin(scored.group, ("GALAXY", "QSO")) & np.isfinite(scored.redshift))
    if not rows.size:
        return [], []
    kinds, found = best_redshifts(spectra_folder, *_arrays(spectra, rows))
    error = (found - scored.redshift[rows]) / (1.0 + scored.redshift[rows])
    proportions: list[Proportion] = []
    numbers: list[Number] = []
    for name in ("GALAXY", "QSO"):
        members = scored.group[rows] == name
        called = np.array(kinds) == name
        right = members & called
        title = f"baseline: eigenspectra: {name}"
        proportions.append(share(f"{title} recall (no stars offered)", called[members]))
        proportions.append(share(f"{title} redshift within 0.01 (1+z)", np.abs(error[right]) < 0.01))
        proportions.append(share(f"{title} redshift within 0.0033 (1+z)", np.abs(error[right]) < 0.0033))
        numbers.append(Number(f"{title} redshift NMAD", spread(error[right]), int(right.sum())))
    return proportions, numbers
