"""Section on bad input: known real spectra, damaged, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from classifiers.items import Spectrum
from classifiers.training.evaluation import damage
from classifiers.training.evaluation.answers import Answers, Flags, Floats, Rows, Scored
from classifiers.training.evaluation.binned import share
from classifiers.training.evaluation.document import Cell, Number, Section, Table
from classifiers.training.evaluation.redshifts import CATASTROPHIC_KM_S, velocity_error
from classifiers.training.evaluation.velocities import median_interval
from classifiers.training.simulation.grid import SPEED_OF_LIGHT_KM_S

CONFIDENT = 0.9
COLUMNS = (
    "damage", "n", "unknown", "OUT_OF_DOMAIN, of these", "confident errors",
    "confident errors of the 13 classes", "galaxies off by > 1,000 km/s at zwarn = 0",
    "quasars off by > 3,000 km/s at zwarn = 0", "shift of stars' velocities [km/s]",
    "not finite",
)  # fmt: skip


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
    labels = [scored.labels[row] for row in scored.known]
    before = Scored(labels, scored.answers.rows(scored.known))
    rows = [_row("undamaged", before, before)]
    blend = damage.Blend(items)
    todo: dict[str, damage.Damage] = {
        **damage.MEANINGLESS,
        **damage.RECOGNISABLE,
        "sky of another fibre": skies,
        "two spectra blended": blend,
    }
    for number, (name, break_) in enumerate(todo.items()):
        rng = np.random.default_rng((7, number))
        after = Scored(labels, classify([break_(item, rng) for item in items], f"bad input: {name}"))
        other = np.array(blend.chosen) if break_ is blend else None
        rows.append(_row(name, before, after, other, recognisable=name not in damage.MEANINGLESS))
    text = (
        f"Confident error: P of GALAXY, QSO or STAR, or of one of the 13 classes, above {CONFIDENT:g}, wrong, and not "
        "flagged unknown. Where nothing is left to recognise (the first seven), every confident answer counts as "
        "wrong; of a blend either object is right. A redshift is catastrophic as in the section on redshifts, of "
        "objects found to be of their group with zwarn = 0, flagged unknown or not; where half of a spectrum is lost, "
        "zwarn says so of nearly all, and few are left. Shift of velocities: the median over stars with a published "
        "velocity before and after. Nothing flags air that is called vacuum: velocities move by about -85 km/s, and "
        "redshifts as much. OUT_OF_DOMAIN: of those flagged unknown, how many have this reason, which says that the "
        "spectrum covers too little, not that it is strange. Not finite: records in which a published probability or "
        "a p-value is not finite."
    )
    return Section("Bad input", text, [Table("Real known spectra, damaged", COLUMNS, rows)])


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


def _row(
    name: str, before: Scored, after: Scored, other: Rows | None = None, *, recognisable: bool = True
) -> list[Cell]:
    """Return the cells of one kind of damage.

    Args:
        name: of the damage.
        before: undamaged known objects.
        after: the same, damaged.
        other: (n,) row of the object whose light each has too; None where there is none.
        recognisable: False where every confident answer is an error.
    """
    answers, unknown = after.answers, after.answers.unknown
    groups, classes = ~after.right_group, ~after.right
    labelled = after.truth != ""
    if other is not None:
        groups &= answers.groups != after.group[other]
        classes &= answers.names != after.truth[other]
        labelled &= labelled[other]
    if not recognisable:
        groups, classes = np.ones_like(groups), np.ones_like(classes)
    likely, top = (_highest(each) > CONFIDENT for each in (answers.group_probabilities, answers.probabilities))
    shift = velocity_shift(before, after)
    return [
        name,
        int(unknown.size),
        share("unknown", unknown),
        share("OUT_OF_DOMAIN", answers.reason[unknown] == "OUT_OF_DOMAIN"),
        share("confident errors", likely & ~unknown & groups),
        share("confident errors of the 13 classes", (top & ~unknown & classes)[labelled]),
        *(share(group, catastrophic(after, group, other)) for group in CATASTROPHIC_KM_S),
        Number("shift", float(np.median(shift)) if shift.size else float("nan"), shift.size, median_interval(shift)),
        share("not finite", published_not_finite(answers)),
    ]


def catastrophic(after: Scored, group: str, other: Rows | None = None) -> Flags:
    """Return which redshifts of a group with zwarn = 0 are off by more than ``CATASTROPHIC_KM_S``: (m,) bool.

    Args:
        after: n answers.
        group: GALAXY or QSO; of objects found to be of their group.
        other: (n,) row of the object whose light each has too: its redshift is as right.
    """
    rows = after.with_redshift(group)
    rows = rows[after.answers.zwarn[rows] == 0]
    error = np.abs(velocity_error(after))[rows]
    if other is not None:
        theirs = after.redshift[other[rows]]
        off = SPEED_OF_LIGHT_KM_S * np.abs(after.answers.column("redshift")[rows] - theirs) / (1.0 + theirs)
        error = np.fmin(error, off)
    return np.asarray(error > CATASTROPHIC_KM_S[group], np.bool_)


def velocity_shift(before: Scored, after: Scored) -> Floats:
    """Return after less before [km/s], to a metre a second, of stars with a published velocity both times: (m,)."""
    shift = after.answers.column("radial_velocity_km_s") - before.answers.column("radial_velocity_km_s")
    found = shift[(before.group == "STAR") & np.isfinite(shift)]
    return np.asarray(np.round(found, 3) + 0.0, np.float64)  # no -0


def _highest(probabilities: Floats) -> Floats:
    return np.asarray(np.nan_to_num(probabilities).max(axis=1), np.float64)
