"""Section on surveys that training has not seen: what small classifiers say of a survey with and without its model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifiers.training.evaluation.document import Cell, Proportion, Section, Table

FILE = "leave-one-survey-out.json"
SHIPPED = Path(__file__).resolve().parents[2] / "models" / FILE
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "SDSS": ("SDSS",),
    "BOSS": ("BOSS",),
    "LAMOST": ("LAMOST", "LAMOST_BRIGHT"),
    "DESI": ("DESI",),
}
"""Survey of real spectra: the simulated instruments that are its model."""
MEASURES = (
    "GALAXY",
    "QSO",
    "STAR",
    "13 classes",
    "star type",
    "redshift within 0.0033 (1+z)",
    "sky and other kinds called OTHER",
    "known objects beyond the novelty score of 1 % of simulations",
)


@dataclass(frozen=True, slots=True)
class SurveyScores:
    """What a classifier gets right of one survey's real spectra.

    Attributes:
        survey: whose spectra they are.
        seen: whether training had the survey's instruments.
        counts: successes and spectra by measure, of ``MEASURES``.
    """

    survey: str
    seen: bool
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """All surveys, and how the classifiers were trained; ``basis`` is the SHA-256 of the simulator's basis file."""

    simulations: int
    epochs: int
    seed: int
    basis: str
    scores: Sequence[SurveyScores]

    def to_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str) -> LeaveOneOut:
        """Return what ``to_json`` wrote.

        Raises:
            ValueError: the text is nothing of the kind.
        """
        try:
            stored: dict[str, Any] = json.loads(text)
            scores = [
                SurveyScores(each["survey"], each["seen"], {name: (k, n) for name, (k, n) in each["counts"].items()})
                for each in stored["scores"]
            ]
            return LeaveOneOut(stored["simulations"], stored["epochs"], stored["seed"], stored["basis"], scores)
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected the numbers of a leave-one-survey-out run, found {text[:60]!r}") from error


def left_out(found: LeaveOneOut) -> Section:
    """Return the section."""
    rows: list[list[Cell]] = []
    for scores in found.scores:
        trained = "with it" if scores.seen else "without it"
        cells: list[Cell] = [scores.survey, trained]
        cells += [Proportion(name, *scores.counts[name]) for name in MEASURES]
        rows.append(cells)
    models = "; ".join(f"{survey}: {' and '.join(names)}" for survey, names in LEFT_OUT.items() if len(names) > 1)
    text = (
        f"Classifiers of the shipped architecture, but trained on {found.simulations:,} simulations in {found.epochs} "
        f"epochs only (seed {found.seed}, simulator basis {found.basis[:8]}), so that they can be compared with each "
        "other and not with the rest of the report: one with every instrument, and one for each survey without the "
        "simulated instruments that are its "
        f"model ({models}). Left out is the model of the instrument: coverage, resolution of the noise, its size and "
        "correlation, masks, residuals of sky and air, errors of the flux calibration, range of S/N. Not left out are "
        "the templates and populations, which rest on SDSS spectra, and the labels, which follow SDSS's rules. The "
        "network alone is scored: no measured lines, no star fit, no calibration on real spectra. The last column is "
        "the share of known objects whose novelty score is above that of 99 % of the held-out simulations of the same "
        "instruments as in training: 0.01 is expected where the survey looks like what was trained on."
    )
    columns = ("survey", "trained", *MEASURES)
    table = Table("Real spectra of a survey, by a classifier that was trained with and without it", columns, rows)
    return Section("Leave one survey out", text, [table])
