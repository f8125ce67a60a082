"""Section on bad input: known real spectra, damaged, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from classifiers.items import Spectrum
from classifiers.training.evaluation import damage
from classifiers.training.evaluation.answers import Answers, Flags, Rows, Scored
from classifiers.training.evaluation.binned import share
from classifiers.training.evaluation.document import Cell, Section, Table

CONFIDENT = 0.9


def robustness(
    scored: Scored,
    spectra: Sequence[Spectrum],
    skies: damage.OtherSky,
    classify: Callable[[list[Spectrum], str], Answers],
) -> Section:
    """Return the section.

    Args:
        scored: the real sample as it is.
        spectra: the same.
        skies: damage by another fibre's sky.
        classify: classifies items; the second argument names the stage.
    """
    items = [spectra[row] for row in scored.known]
    truth = scored.group[scored.known]
    blend = damage.Blend(items)
    rows = [_row("undamaged", scored.answers, scored.known, _wrong(scored.answers, scored.known, truth))]
    todo: dict[str, damage.Damage] = {
        **damage.MEANINGLESS,
        **damage.RECOGNISABLE,
        "sky of another fibre": skies,
        "two spectra blended": blend,
    }
    for number, (name, break_) in enumerate(todo.items()):
        rng = np.random.default_rng((7, number))
        answers = classify([break_(item, rng) for item in items], f"bad input: {name}")
        every = np.arange(len(items))
        wrong = np.ones(len(items), np.bool_) if name in damage.MEANINGLESS else _wrong(answers, every, truth)
        if break_ is blend:
            wrong &= answers.groups != truth[blend.chosen]
        rows.append(_row(name, answers, every, wrong))
    text = (
        f"Confident error: P of GALAXY, QSO or STAR above {CONFIDENT:g}, wrong, and not flagged unknown. Where nothing "
        "is left to recognise (the first seven), every confident answer counts as wrong; of a blend either object is "
        "right. Not finite: records in which a published probability or a p-value is not finite."
    )
    columns = ("damage", "n", "unknown", "confident errors", "not finite")
    return Section("Bad input", text, [Table("Real known spectra, damaged", columns, rows)])


def published_not_finite(answers: Answers) -> Flags:
    """Return where something that would be published is not finite: (n,) bool.

    A record without a class publishes none of its probabilities, and an absent column is null: that is no fault.
    """
    classless = answers.top < 0
    probabilities = answers.probabilities
    faulty = ~np.isfinite(probabilities).all(axis=1) & ~classless
    faulty |= np.isfinite(probabilities).any(axis=1) & classless
    for name in ("p_other", "entropy", "unknown_p_value"):
        faulty |= ~np.isfinite(answers.column(name)) & ~classless
    for values in answers.columns.values():
        faulty |= np.isinf(values)
    return np.asarray(faulty, np.bool_)


def _wrong(answers: Answers, rows: Rows, truth: np.ndarray[tuple[int], np.dtype[np.str_]]) -> Flags:
    return np.asarray(answers.groups[rows] != truth, np.bool_)


def _row(name: str, answers: Answers, rows: Rows, wrong: Flags) -> list[Cell]:
    best = np.where(np.isnan(answers.group_probabilities[rows]), 0.0, answers.group_probabilities[rows]).max(axis=1)
    confident = (best > CONFIDENT) & ~answers.unknown[rows] & wrong
    return [
        name,
        int(rows.size),
        share("unknown", answers.unknown[rows]),
        share("confident errors", confident),
        share("not finite", published_not_finite(answers)[rows]),
    ]
