"""Section on one simulated 4MOST low-resolution exposure: every measure of the real spectra, on its 1,624 fibres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from classifiers.training.evaluation.baselines import TEMPLATE_FIT
from classifiers.training.evaluation.classification import confusion, recall, reliability
from classifiers.training.evaluation.document import Cell, Item, Number, Proportion, Report, Section, Table
from classifiers.training.evaluation.fourmost_exposure import FourmostExposure
from classifiers.training.evaluation.headline import score
from classifiers.training.evaluation.redshifts import pull_histograms, success_by_snr
from classifiers.training.evaluation.unknown import detected, each_object_once, false_by_reason
from classifiers.training.evaluation.velocities import pull_histogram

Measure = Proportion | Number
_NAME = "4MOST LRS"
_SUBJECTS = (
    "Classes",
    "Star types",
    "Redshifts and radial velocities",
    "Quasar finder",
    "Unknown at the declared rate",
)
# What a name must contain; the first that does decides.
_SUBJECT_BY_WORD = (
    ("QSO finder", "Quasar finder"),
    ("star type", "Star types"),
    ("unknown", "Unknown at the declared rate"),
    ("NO_SIGNAL", "Unknown at the declared rate"),
    ("second redshift", "Unknown at the declared rate"),
    ("VAE p", "Unknown at the declared rate"),
    ("redshift", "Redshifts and radial velocities"),
    ("radial velocity", "Redshifts and radial velocities"),
)


def fourmost(exposure: FourmostExposure, fit: Sequence[Proportion], beside: Mapping[str, Report]) -> Section:
    """Return the section.

    Args:
        exposure: what was seen and said.
        fit: of its stars by templates; see ``baselines.star_fit``.
        beside: the headline of other samples, by what to call them.
    """
    scored, delivered = exposure.scored, exposure.delivered
    measured = _by_name(score(scored.labels, scored.answers, {}))
    more = score(exposure.with_outside.labels, exposure.with_outside.answers, {})
    measured |= {name: each for name, each in _by_name(more).items() if _is_of_outside(name)}
    columns = {
        "this exposure": measured | {each.name: each for each in fit if each.n},
        "on 4MOST's own pixels": _by_name(score(delivered.labels, delivered.answers, {})),
        **{name: _by_name(report) for name, report in beside.items()},
    }
    items: list[Item] = [
        *_side_by_side(columns),
        false_by_reason({_NAME: scored}),
        detected({_NAME: exposure.with_outside}, each_object_once(exposure.kinds, exposure.objects)),
        confusion(f"13 classes, {_NAME}", scored),
        reliability(_NAME, scored),
        recall(_NAME, scored),
        success_by_snr(_NAME, scored),
        pull_histograms(_NAME, scored),
        pull_histogram({_NAME: scored}),
    ]
    outside = len(exposure.with_outside.labels) - len(scored.labels)
    text = (
        f"{len(scored.labels):,} spectra in the mixture of training, with the coverage, noise, sky residuals and "
        "calibration errors of 4MOST's low-resolution spectrograph on the grid of SDSS: throughput and sky are those "
        "of its exposure-time calculator; no real spectrum of it has been seen. The median S/N per pixel of 69 km/s "
        "is log-uniform from 0.7 to 60, so that faint objects weigh more than among the real spectra beside them. "
        f"Labels are what SDSS's rules say at the simulated noise. {len(delivered.labels)} other spectra are as 4MOST "
        "delivers them, 23,201 pixels of 0.25 Angstrom in air with independent noise; their labels are those of "
        "another exposure as deep, which no answer to this one can always meet. The template fit sees the same "
        f"spectra as the classifier. What is outside the scheme is counted with {outside} further objects of these "
        "kinds. Supernovae are real spectra at rest with the instrument's noise, on both kinds of pixel: several are "
        "of one supernova, so intervals of all spectra are too narrow, and those of each object once are right; double "
        "redshifts are pairs of the exposure's galaxies and quasars."
    )
    return Section("Simulated 4MOST exposure", text, items)


def _by_name(report: Report) -> dict[str, Measure]:
    every: list[Measure] = [*report.proportions, *report.numbers]
    return {each.name: each for each in every if each.n}


def _is_of_outside(name: str) -> bool:
    return name.startswith(("unknown: ", "blank sky"))


def _side_by_side(columns: Mapping[str, Mapping[str, Measure]]) -> list[Table]:
    """Return the first column's measures beside those of the others, by subject, a fit below what it is a fit of."""
    first = next(iter(columns.values()))
    rows: dict[str, list[list[Cell]]] = {subject: [] for subject in _SUBJECTS}
    for name in first:
        if name.startswith(TEMPLATE_FIT):
            continue
        subject = next((title for word, title in _SUBJECT_BY_WORD if word in name), "Classes")
        for each in (name, TEMPLATE_FIT + name):
            if each in first:
                rows[subject].append([each, *(found.get(each, "") for found in columns.values())])
    return [
        Table(f"{subject}, {_NAME}", ("measure", *columns), rows[subject]) for subject in _SUBJECTS if rows[subject]
    ]
