"""Section on priors: completeness and purity at the class mixture of a sub-survey, before and after prior correction.

Probabilities are those at the prior of training. At another prior they are p'(c|x) ~ p(c|x) pi'(c) / pi(c) (Saerens,
Latinne & Decaestecker 2002, Neural Computation 14, 21, Eq. 2.4). Purity at a prior is pi_c C_cc / sum_t pi_t C_tc,
where C_tc is the share of true t that is called c; its interval joins the exact intervals of the shares, so it is
conservative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from classifiers.training.evaluation.answers import GROUP_OF, GROUPS, Floats, Rows, Scored
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Proportion, Section, Table
from classifiers.training.simulation.scheme import CLASSES


@dataclass(frozen=True, slots=True)
class Prior:
    """A sub-survey's mixture.

    Attributes:
        prior_id: name of it.
        shares: of ``GROUPS``, sum 1; within a group classes keep the proportions of the training mixture.
        source: where the numbers come from.
    """

    prior_id: str
    shares: tuple[float, float, float]
    source: str


PRIORS = (
    Prior(
        "4most-crs-like",
        (0.71, 0.26, 0.03),
        "4MOST cosmology redshift survey: 250 bright and 400 luminous red galaxies per deg2, stellar contamination of "
        "2 to 4 % (Verdier et al. 2025, arXiv:2508.07311); 240 quasars per deg2 (Richard et al. 2019, The Messenger "
        "175, 50)",
    ),
    Prior(
        "4most-galactic-like",
        (0.007, 0.003, 0.99),
        "a Gaia-selected stellar survey such as 4MOST's low-resolution disc and bulge survey (Chiappini et al. 2019, "
        "The Messenger 175, 30); the 1 % of extragalactic contaminants is an assumption",
    ),
    Prior(
        "4most-agn-like",
        (0.15, 0.80, 0.05),
        "X-ray selected targets such as those of the 4MOST AGN survey (Merloni et al. 2019, The Messenger 175, 42): "
        "nearly all of eROSITA's are active nuclei (Aydar et al. 2025, arXiv:2505.03872); the shares are an assumption",
    ),
    Prior(
        "weave-qso-like",
        (0.05, 0.85, 0.10),
        "quasar targets chosen by narrow-band photometry, as WEAVE-QSO's are by J-PAS (Pieri et al. 2016, "
        "arXiv:1611.09388); the shares of contaminants are an assumption",
    ),
)


def priors(samples: Mapping[str, Scored], trained: Floats, trained_id: str) -> Section:
    """Return the section.

    Args:
        samples: by what to call them.
        trained: (13,) class mixture of training.
        trained_id: its prior_id, as in L2 records.
    """
    items: list[Item] = [_definitions(trained, trained_id)]
    for prior in PRIORS:
        for name, scored in samples.items():
            items.append(_coarse(prior, name, scored, trained))
        tables = [_fine(prior, name, scored, trained) for name, scored in samples.items()]
        items += [*tables, *map(_picture, tables)]
    text = (
        "What a sub-survey with another mixture of classes gets from the same answers: completeness is the share of a "
        "class that is called so, purity the share of what is called so that is right. Correction multiplies the "
        "published probabilities by the ratio of the priors; a user can do the same from an L2 record, which names "
        f"the prior of training ({trained_id}). The unknown flag is ignored. Of real spectra some classes have only a "
        "few: their intervals say so. Priors are of surveys like those named, not the surveys' own numbers."
    )
    return Section("Priors of sub-surveys", text, items)


def reweighted(probabilities: Floats, old: Floats, new: Floats) -> Floats:
    """Return probabilities at another prior: (n, k), rows sum to 1; NaN rows stay NaN."""
    weighted = probabilities * np.divide(new, old, out=np.zeros_like(new), where=old > 0)
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float64)


def class_prior(prior: Prior, trained: Floats) -> Floats:
    """Return the mixture of the 13 classes: the prior's groups, split as in training."""
    inside = np.array([trained[index == GROUP_OF].sum() for index in range(len(GROUPS))])
    return np.asarray(np.array(prior.shares)[GROUP_OF] * trained / inside[GROUP_OF], np.float64)


def purity(prior: Floats, called: Rows, members: Rows, target: int) -> Number:
    """Return the purity of a class at a prior.

    Args:
        prior: (k,) mixture.
        called: (k,) of each true class, how many are called ``target``.
        members: (k,) of each true class, how many there are; classes without members are left out.
        target: the class.
    """
    good, bad_low, bad, bad_high = 0.0, 0.0, 0.0, 0.0
    own = Proportion("own", int(called[target]), int(members[target]))
    good = prior[target] * own.value if own.n else float("nan")
    good_low, good_high = (prior[target] * bound for bound in own.interval)
    for true in range(len(prior)):
        if true != target and members[true]:
            wrong = Proportion("wrong", int(called[true]), int(members[true]))
            bad += prior[true] * wrong.value
            bad_low += prior[true] * wrong.interval[0]
            bad_high += prior[true] * wrong.interval[1]
    value = good / (good + bad) if good + bad > 0 else float("nan")
    low = good_low / (good_low + bad_high) if good_low + bad_high > 0 else 0.0
    high = good_high / (good_high + bad_low) if good_high + bad_low > 0 else 1.0
    return Number("purity", float(value), int(members.sum()), (float(low), float(high)))


def _definitions(trained: Floats, trained_id: str) -> Table:
    own = [float(trained[index == GROUP_OF].sum()) for index in range(len(GROUPS))]
    rows: list[list[Cell]] = [
        [trained_id, *own, "the mixture of the simulated training set, measured on the held-out draw"]
    ]
    rows += [[prior.prior_id, *prior.shares, prior.source] for prior in PRIORS]
    return Table("Priors", ("prior_id", *GROUPS, "source"), rows)


def _coarse(prior: Prior, name: str, scored: Scored, trained: Floats) -> Table:
    rows = scored.known[np.isfinite(scored.answers.probabilities[scored.known, 0])]
    truth = np.array([GROUPS.index(group) for group in scored.group[rows]])
    fine_prior = class_prior(prior, trained)
    probabilities = scored.answers.probabilities[rows]
    before = GROUP_OF[probabilities.argmax(axis=1)]
    corrected = reweighted(probabilities, trained, fine_prior)
    after = GROUP_OF[corrected.argmax(axis=1)]
    return _table(f"{prior.prior_id}, {name}", GROUPS, truth, before, after, np.array(prior.shares))


def _fine(prior: Prior, name: str, scored: Scored, trained: Floats) -> Table:
    rows = scored.labelled[np.isfinite(scored.answers.probabilities[scored.labelled, 0])]
    truth = np.array([CLASSES.index(name) for name in scored.truth[rows]])
    fine_prior = class_prior(prior, trained)
    probabilities = scored.answers.probabilities[rows]
    before = probabilities.argmax(axis=1)
    after = reweighted(probabilities, trained, fine_prior).argmax(axis=1)
    return _table(f"{prior.prior_id}, 13 classes, {name}", CLASSES, truth, before, after, fine_prior)


def _picture(table: Table) -> Plot:
    """Return completeness and purity of each class that has members, before and after correction."""
    names = [str(row[0]) for row in table.rows]
    curves = []
    for column, heading in enumerate(table.columns[2:], start=2):
        points = []
        for place, row in enumerate(table.rows):
            cell = row[column]
            if isinstance(cell, Proportion | Number) and np.isfinite(cell.value) and cell.interval is not None:
                points.append((float(place), cell.value, *cell.interval))
        x, y, low, high = (list(values) for values in zip(*points, strict=True)) if points else ([], [], [], [])
        curves.append(Curve(heading, x, y, low, high))
    return Plot(
        f"{table.title}: completeness and purity", "", "share", curves, "marks", y_range=(0.0, 1.02), x_names=names
    )


def _table(title: str, names: tuple[str, ...], truth: Rows, before: Rows, after: Rows, prior: Floats) -> Table:
    members = np.bincount(truth, minlength=len(names))
    rows: list[list[Cell]] = []
    for target, name in enumerate(names):
        cells: list[Cell] = [name, round(float(prior[target]), 4)]
        for found in (before, after):
            called = np.bincount(truth[found == target], minlength=len(names))
            cells.append(Proportion("completeness", int(called[target]), int(members[target])))
            cells.append(purity(prior, called, members, target))
        rows.append(cells)
    columns = ("class", "prior", "completeness", "purity", "completeness, corrected", "purity, corrected")
    return Table(title, columns, rows)
