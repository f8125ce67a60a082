"""What an image bundle is worth, as numbers, through the way that users have: stamps in, verdicts out.

Simulated alerts give recall and the flag rate; kinds of event that no training saw give the power of the p-value. Real
alerts give the agreement with the surveys' own real/bogus scores and with what the alerts say of their place. Those are
development alerts, and their numbers are optimistic: ranges of the simulator follow statistics of them, and after a
first version was scored on them the least distance of an OFF_NUCLEAR source from the nucleus was lowered from 0.6 to
0.4 FWHM (the labelled triplets stand 2 pixels off) and PGIR's crowding and ringing were raised; clumps of dead pixels
were put into PGIR's science images after a look at the five that are there. No weight and no calibration was fitted to
a real alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Classifier, Verdicts
from classifiers.items import Stamps
from classifiers.training.evaluation.document import Matrix, Number, Proportion, Report, Section, Table
from classifiers.training.stamps.anomalies import KINDS, UNSEEN, inject
from classifiers.training.stamps.ranking import auroc, auroc_interval, rank_correlation
from classifiers.training.stamps.scheme import CLASSES, StampClass
from classifiers.training.stamps.simulate import SimulatedStamps, simulate_stamps

TITLE = "Image alerts: simulations of another seed, and real development alerts"
BATCH = 128
SIMULATED_N, SIMULATED_SEED = 2000, 4711
"""Simulated alerts and their seed, which differs from the training's."""
REAL = 0.5
"""A survey's real/bogus score, and our P(not ARTEFACT), above it mean "real"."""


@dataclass(frozen=True, slots=True)
class RealAlert:
    """A real alert with what is known of it.

    Attributes:
        group: survey, or the name of a labelled set.
        stamps: as decoded.
        real_bogus: the survey's own scores by their names; higher is more real.
        expected: the class that the alert's own catalogue matches say, None where they say none.
        why: what says so, for the report.
    """

    group: str
    stamps: Stamps
    real_bogus: dict[str, float]
    expected: StampClass | None = None
    why: str = ""


class Answers:
    """The columns of the verdicts that are scored."""

    def __init__(self, classifier: Classifier, items: Sequence[Stamps]) -> None:
        parts: list[Verdicts] = [
            classifier.classify(items[start : start + BATCH]) for start in range(0, len(items), BATCH)
        ]
        if not parts or parts[0].class_names != CLASSES:
            got = parts[0].class_names if parts else "no alerts"
            raise ValueError(f"expected verdicts in the classes {CLASSES}, got {got}")
        self.top = np.concatenate([part.top_class for part in parts])
        self.real = 1.0 - np.concatenate([part.class_probabilities[:, StampClass.ARTEFACT] for part in parts])
        self.score = np.concatenate([part.columns["anomaly_score"] for part in parts])
        self.p_value = np.concatenate([part.columns["anomaly_p_value"] for part in parts])
        self.unknown = np.concatenate([part.unknown for part in parts])
        self.reason = np.array([reason or "" for part in parts for reason in part.unknown_reason])


def evaluate_images(
    classifier: Classifier, alerts: Sequence[RealAlert], *, seed: int = SIMULATED_SEED, n: int = SIMULATED_N
) -> Report:
    """Evaluate the classifier of the image lane.

    Args:
        classifier: of the image lane, with a bundle of the scheme STAMP-4.
        alerts: real ones; may be empty.
        seed: of the simulations.
        n: simulated alerts.

    Returns:
        Proportions with exact intervals, numbers, and the confusion matrix of the simulations.

    Raises:
        ValueError: the verdicts are of another scheme.
    """
    rng = np.random.default_rng([seed, 3])
    simulated = simulate_stamps(n, rng)
    answers = Answers(classifier, simulated.items())
    proportions, numbers = _on_simulations(simulated, answers)
    flagged, ranked = _on_injected(classifier, simulated, answers, rng)
    proportions += flagged
    numbers += ranked
    if alerts:
        found = Answers(classifier, [alert.stamps for alert in alerts])
        proportions += _on_real(alerts, found)
        numbers += _against_surveys(alerts, found)
    names = np.array([*CLASSES, "none"])
    confusion: dict[str, dict[str, int]] = {}
    for true, top in zip(simulated.labels, answers.top, strict=True):
        row = confusion.setdefault(CLASSES[true], {})
        row[str(names[top])] = row.get(str(names[top]), 0) + 1
    return Report(TITLE, {use.name: use.bundle_sha256 for use in classifier.engines()}, proportions, numbers, confusion)


def as_section(report: Report) -> Section:
    """Return an image report as one section of a larger report."""
    rows = [(each.name, each) for each in report.proportions if each.n]
    values = [(each.name, each) for each in report.numbers if each.n]
    names = [*CLASSES, *(["none"] if any("none" in row for row in report.confusion.values()) else [])]
    counts = [[report.confusion.get(true, {}).get(found, 0) for found in names] for true in CLASSES]
    return Section(
        report.title,
        "No weight and no calibration was fitted to a real alert; ranges of the simulator follow statistics of them.",
        [
            Table("Image alerts: proportions", ("measure", "value"), rows),
            Table("Image alerts: numbers", ("measure", "value"), values),
            Matrix("Classes of simulated alerts", CLASSES, names, counts),
        ],
    )


def _share(name: str, hits: NDArray[np.bool_]) -> Proportion:
    return Proportion(name, int(np.count_nonzero(hits)), int(hits.size))


def _on_simulations(simulated: SimulatedStamps, answers: Answers) -> tuple[list[Proportion], list[Number]]:
    labels, surveys = simulated.labels, np.array(simulated.surveys)
    kinds = np.array(simulated.kinds)
    artefact = labels == StampClass.ARTEFACT
    proportions = [
        _share(f"simulated: recall of {name}", answers.top[labels == i] == i) for i, name in enumerate(CLASSES)
    ]
    proportions += [
        _share(f"simulated: {kind} called ARTEFACT", answers.top[kinds == kind] == StampClass.ARTEFACT)
        for kind in sorted(set(simulated.kinds) - {""})
    ]
    proportions += [
        _share(f"simulated: NOVEL, {name} conditions", answers.reason[surveys == name] == "NOVEL")
        for name in sorted(set(simulated.surveys))
    ]
    proportions.append(_share("simulated: NOVEL", answers.reason == "NOVEL"))
    proportions.append(_share("simulated: p-value at most 0.05", answers.p_value <= 0.05))
    value = auroc(answers.real[artefact], answers.real[~artefact])
    return proportions, [Number("simulated: AUROC of P(not ARTEFACT)", value, len(labels))]


def _on_injected(
    classifier: Classifier, simulated: SimulatedStamps, answers: Answers, rng: np.random.Generator
) -> tuple[list[Proportion], list[Number]]:
    """Return how well events of ``KINDS`` in alerts of real changes are told from those alerts as they are."""
    rows = np.flatnonzero((simulated.labels != StampClass.ARTEFACT) & np.isfinite(answers.score))
    items = simulated.items()
    proportions, numbers = [], []
    for kind in KINDS:
        changed = [inject(items[row], kind, float(simulated.fwhm_pixels[row]), rng) for row in rows]
        found = Answers(classifier, changed)
        what = f"{kind}, never trained on" if kind in UNSEEN else kind
        proportions.append(_share(f"injected, NOVEL: {what}", found.reason == "NOVEL"))
        value = auroc(answers.score[rows], found.score)
        numbers.append(Number(f"AUROC of the anomaly score: {what}", value, rows.size))
        numbers.append(Number(f"AUROC of P(ARTEFACT): {what}", auroc(-answers.real[rows], -found.real), rows.size))
    return proportions, numbers


def _on_real(alerts: Sequence[RealAlert], found: Answers) -> list[Proportion]:
    groups = np.array([alert.group for alert in alerts])
    why = np.array([alert.why for alert in alerts])
    expected = np.array([-2 if alert.expected is None else int(alert.expected) for alert in alerts])
    proportions = []
    for group in sorted(set(groups)):
        rows = groups == group
        proportions += [
            _share(f"{group}: NOVEL", found.reason[rows] == "NOVEL"),
            _share(f"{group}: p-value at most 0.05", found.p_value[rows] <= 0.05),
            _share(f"{group}: unknown for any reason", found.unknown[rows]),
        ]
        proportions += [_share(f"{group}: called {name}", found.top[rows] == i) for i, name in enumerate(CLASSES)]
        for name in sorted({name for alert in alerts if alert.group == group for name in alert.real_bogus}):
            scored, score = _scored(alerts, rows, name)
            proportions.append(
                _share(f"{group}: same side of {REAL} as {name}", (found.real[scored] > REAL) == (score > REAL))
            )
    for what in sorted(set(why) - {""}):
        rows = why == what
        proportions.append(_share(f"{what}", found.top[rows] == expected[rows]))
    return proportions


def _against_surveys(alerts: Sequence[RealAlert], found: Answers) -> list[Number]:
    """Return rank correlations and AUROC of P(not ARTEFACT) against each survey's real/bogus score."""
    groups = np.array([alert.group for alert in alerts])
    numbers = []
    for group in sorted(set(groups)):
        for name in sorted({name for alert in alerts if alert.group == group for name in alert.real_bogus}):
            rows, score = _scored(alerts, groups == group, name)
            correlation = rank_correlation(found.real[rows], score)
            if correlation is not None and rows.size >= 3:
                numbers.append(
                    Number(f"{group}: rank correlation of P(not ARTEFACT) with {name}", correlation, rows.size)
                )
            bogus, real = found.real[rows[score <= REAL]], found.real[rows[score > REAL]]
            if bogus.size and real.size:
                value = auroc(bogus, real)
                what = f"{group}: AUROC of P(not ARTEFACT) for {name} > {REAL} ({bogus.size} below)"
                numbers.append(Number(what, value, rows.size, auroc_interval(value, bogus.size, real.size)))
    return numbers


def _scored(
    alerts: Sequence[RealAlert], rows: NDArray[np.bool_], name: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which of the rows have a real/bogus score of this name, and the scores."""
    chosen = np.array([row for row in np.flatnonzero(rows).tolist() if name in alerts[row].real_bogus], dtype=np.int64)
    return chosen, np.array([alerts[row].real_bogus[name] for row in chosen.tolist()], dtype=np.float64)
