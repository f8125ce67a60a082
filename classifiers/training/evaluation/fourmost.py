"""Section on one simulated 4MOST low-resolution exposure: every headline measure, on its 1,624 fibres."""

from __future__ import annotations

from collections.abc import Sequence

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Cell, Number, Proportion, Section, Table
from classifiers.training.evaluation.headline import score
from classifiers.training.evaluation.real_spectra import RealLabel
from classifiers.training.evaluation.redshifts import pull_width

INSTRUMENT = "4MOST_LRS"
FIBRES = 1624
"""Low-resolution fibres of an exposure (de Jong et al. 2019, The Messenger 175, 3)."""


def fourmost(labels: Sequence[RealLabel], answers: Answers) -> Section:
    """Return the section.

    Args:
        labels: of the simulated spectra.
        answers: to them.
    """
    found, scored = score(labels, answers, {}), Scored(labels, answers)
    measures: list[Proportion | Number] = [*found.proportions, *found.numbers]
    measures += [Number(f"{group} width of redshift pulls", *pull_width(scored, group)) for group in ("GALAXY", "QSO")]
    rows: list[list[Cell]] = [[each.name, each] for each in measures if each.n]
    text = (
        f"{len(labels):,} spectra in the mixture of training, with the coverage and noise of 4MOST's low-resolution "
        "spectrograph: throughput and sky are those of its exposure-time calculator; no real spectrum of it has been "
        "seen. Labels are what SDSS's rules say at the simulated noise."
    )
    return Section(
        "Simulated 4MOST exposure", text, [Table("Simulated 4MOST LRS exposure", ("measure", "value"), rows)]
    )
