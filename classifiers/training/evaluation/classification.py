"""Section on classes: confusion, recall against S/N and redshift, reliability, rejection, survey by survey."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.training.evaluation.answers import GROUPS, Flags, Rows, Scored
from classifiers.training.evaluation.binned import FEWEST, binned_share, by_snr, share
from classifiers.training.evaluation.document import Cell, Curve, Item, Matrix, Plot, Section, Table
from classifiers.training.evaluation.other_samples import HELD_OUT_SEED
from classifiers.training.evaluation.reliability import calibration_error
from classifiers.training.simulation.scheme import CLASSES

_REDSHIFT_EDGES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.1, 2.6, 3.2, 4.5)
_RELIABILITY_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0 + 1e-9)
_OUTSIDE = ("unknown: sky, other", "flagged unknown")


def classification(samples: Mapping[str, Scored], more: Mapping[str, Scored]) -> Section:
    """Return the section.

    Args:
        samples: by what to call them (real, simulated).
        more: too small for pictures, shown in the table of surveys alone.
    """
    items: list[Item] = []
    for name, scored in samples.items():
        items.append(confusion(f"13 classes, {name}", scored))
        items.append(coarse_confusion(f"GALAXY, QSO, STAR, {name}", scored))
    for name, scored in samples.items():
        items += [reliability(name, scored), recall(name, scored), _recall_by_redshift(name, scored)]
        items.append(_rejection(name, scored))
    items.append(_by_survey({**samples, **more}))
    sizes = ", ".join(f"{len(scored.labels)} {name}" for name, scored in samples.items())
    text = (
        f"Spectra: {sizes} (held-out simulations, seed {HELD_OUT_SEED}). Rows are the truth, "
        "columns the most probable class; the unknown flag is ignored but in the last column of the coarse matrices. "
        "Bands are exact 95 % binomial intervals; bins of fewer than five spectra are joined, and "
        "points against S/N and redshift stand at the mean (of log S/N) of the spectra inside. "
        "Reliability: accuracy among spectra of similar "
        "probability of the top class; a calibrated classifier lies on the diagonal. Rejection: accuracy of what is "
        "kept when the spectra of highest entropy are set aside."
    )
    return Section("Classes", text, items)


def confusion(title: str, scored: Scored) -> Matrix:
    """Return true against found class of the labelled known objects."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    names = {name: index for index, name in enumerate(CLASSES)}
    for row in scored.labelled:
        found = int(scored.answers.top[row])
        if found >= 0:
            counts[names[str(scored.truth[row])], found] += 1
    return Matrix(title, CLASSES, CLASSES, counts.tolist())


def coarse_confusion(title: str, scored: Scored) -> Matrix:
    """Return true group (and what is outside the scheme) against found group, flagged unknown apart."""
    true = (*GROUPS, "SKY", "OTHER")
    columns = (*GROUPS, _OUTSIDE[1])
    counts = np.zeros((len(true), len(columns)), np.int64)
    for row, name in enumerate(true):
        members = scored.group == name
        flagged = scored.answers.unknown & members
        counts[row, -1] = np.count_nonzero(flagged)
        for column, found in enumerate(GROUPS):
            counts[row, column] = np.count_nonzero(members & ~flagged & (scored.answers.groups == found))
    return Matrix(title, true, columns, counts.tolist())


def reliability(name: str, scored: Scored) -> Plot:
    """Return accuracy against probability of the top class, for classes and groups; ``name`` of the sample."""
    rows = scored.labelled
    top = scored.answers.probabilities.max(axis=1)
    coarse = scored.answers.group_probabilities.max(axis=1)
    curves = []
    for what, confidence, right, members in (
        ("13 classes", top, scored.right, rows),
        ("GALAXY, QSO, STAR", coarse, scored.right_likely_group, scored.known),
    ):
        error = calibration_error(confidence[members], right[members])
        title, x, hits = f"{what} (ECE {error:.3f})", confidence[members], right[members]
        curves.append(binned_share(title, x, hits, _RELIABILITY_EDGES, place="mean", fewest=FEWEST))
    return Plot(
        f"Reliability, {name}", "probability of the top class", "accuracy", curves, "points", diagonal=True,
        y_range=(0.0, 1.02),
    )  # fmt: skip


def recall(name: str, scored: Scored) -> Plot:
    """Return recall of groups and of classes against S/N; ``name`` of the sample."""
    snr = scored.answers.column("snr")
    curves = []
    for group in GROUPS:
        rows = np.flatnonzero(scored.group == group)
        curves.append(by_snr(group, snr[rows], scored.right_group[rows]))
    rows = scored.labelled
    curves.append(by_snr("13 classes", snr[rows], scored.right[rows]))
    return Plot(
        f"Recall against S/N, {name}", "median S/N per bin of 207 km/s", "recall", curves, "points", x_log=True,
        y_range=(0.0, 1.02),
    )  # fmt: skip


def _recall_by_redshift(name: str, scored: Scored) -> Plot:
    curves = []
    for group in ("GALAXY", "QSO"):
        rows = np.flatnonzero(scored.group == group)
        right, redshift = scored.right_group[rows], scored.redshift[rows]
        curves.append(binned_share(group, redshift, right, _REDSHIFT_EDGES, place="mean", fewest=FEWEST))
    return Plot(f"Recall against redshift, {name}", "redshift", "recall", curves, "points", y_range=(0.0, 1.02))


def _rejection(name: str, scored: Scored) -> Plot:
    curves = [
        _kept_accuracy("13 classes", scored, scored.labelled, scored.right),
        _kept_accuracy("GALAXY, QSO, STAR", scored, scored.known, scored.right_group),
    ]
    return Plot(
        f"Rejection by entropy, {name}", "share kept (lowest entropy first)", "accuracy of what is kept", curves
    )


def _kept_accuracy(name: str, scored: Scored, members: Rows, right: Flags) -> Curve:
    entropy = scored.answers.column("entropy")
    rows = members[np.isfinite(entropy[members])]
    order = rows[np.argsort(entropy[rows], kind="stable")]
    kept = np.unique(np.linspace(0.05 * order.size, order.size, 60).astype(int))
    kept = kept[kept > 0]
    proportions = [share(name, right[order[:count]]) for count in kept.tolist()]
    bands = [each.interval for each in proportions]
    return Curve(
        name,
        (kept / max(1, order.size)).tolist(),
        [each.value for each in proportions],
        [band[0] for band in bands],
        [band[1] for band in bands],
        kept.tolist(),
    )


def _by_survey(samples: Mapping[str, Scored]) -> Table:
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        for survey in sorted(set(scored.survey.tolist())):
            here = scored.survey == survey
            labelled = scored.labelled[here[scored.labelled]]
            known = scored.known[here[scored.known]]
            cells: list[Cell] = [f"{survey} ({name})"]
            cells += [share(group, scored.right_group[here & (scored.group == group)]) for group in GROUPS]
            cells += [share("13 classes", scored.right[labelled]), share("unknown", scored.answers.unknown[known])]
            good = np.flatnonzero(here & np.isfinite(scored.redshift_error) & np.isin(scored.group, ("GALAXY", "QSO")))
            cells.append(share("redshift", np.abs(scored.redshift_error[good]) < 0.0033))
            rows.append(cells)
    columns = ("survey", "GALAXY", "QSO", "STAR", "13 classes", "false unknown", "redshift within 0.0033 (1+z)")
    return Table("Scores survey by survey (no retraining: every survey's weights are the same)", columns, rows)
