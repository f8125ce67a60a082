"""The section on bad input: what counts as an error after damage, of classes, redshifts and velocities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.items import Spectrum
from classifiers.training.evaluation import damage
from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Table
from classifiers.training.evaluation.real_spectra import native_spectra
from classifiers.training.evaluation.robustness import catastrophic, robustness
from classifiers.training.simulation.grid import PIXELS, SPEED_OF_LIGHT_KM_S
from tests.classifiers.training.evaluation.answered import label, verdicts

CLASSES = ("GALAXY_AGN", "QSO_nan", "STAR_F5", "STAR_K1")
REDSHIFT = np.array([0.2, 2.0, 0.0, 0.0])
LABELS = [label(row, name, float(z)) for row, (name, z) in enumerate(zip(CLASSES, REDSHIFT, strict=True))]
OFF = 1.0 + 2000.0 / SPEED_OF_LIGHT_KM_S
"""2,000 km/s: too much for a galaxy, not for a quasar."""


def answers(names: tuple[str, ...] = CLASSES, **more: Any) -> Answers:
    """Return right answers but for what is given."""
    right: dict[str, Any] = {
        "redshift": REDSHIFT, "radial_velocity_km_s": [np.nan, np.nan, 10.0, -20.0], "p_other": 0.0, "entropy": 0.1,
        "unknown_p_value": 0.5,
    }  # fmt: skip
    return Answers.of([verdicts(names, **{**right, **more})])


def damaged(canned: dict[str, Answers]) -> dict[str, dict[str, Any]]:
    """Return the table's rows by kind of damage; what is not canned is answered rightly."""
    items = native_spectra(np.full((4, PIXELS), 2.0, np.float32), np.ones((4, PIXELS), np.float32))
    skies = damage.OtherSky(np.ones((3, PIXELS), np.float32))

    def classify(spectra: list[Spectrum], stage: str) -> Answers:
        assert len(spectra) == 4
        return canned.get(stage.removeprefix("bad input: "), answers())

    section = robustness(Scored(LABELS, answers()), items, skies, classify)
    (table,) = section.items
    assert isinstance(table, Table)
    assert "-85 km/s" in section.text
    return {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}


def counted(cell: Any) -> tuple[int, int]:
    return cell.successes, cell.n


def test_a_wrong_subclass_is_a_confident_error_of_the_13_classes_alone_unless_flagged() -> None:
    wrong = ("GALAXY_AGN", "QSO_nan", "STAR_G2", "STAR_G2")
    rows = damaged({"half of the pixels NaN": answers(wrong, reasons=[None, None, None, "OUT_OF_DOMAIN"])})
    row = rows["half of the pixels NaN"]
    assert counted(row["confident errors"]) == (0, 4)
    assert counted(row["confident errors of the 13 classes"]) == (1, 4)
    assert (counted(row["unknown"]), counted(row["OUT_OF_DOMAIN, of these"])) == ((1, 4), (1, 1))
    assert counted(rows["undamaged"]["confident errors of the 13 classes"]) == (0, 4)
    assert counted(rows["pure noise"]["confident errors of the 13 classes"]) == (4, 4)  # right by chance, of nothing
    doubtful = damaged({"half of the pixels NaN": answers(wrong, probability=0.85)})["half of the pixels NaN"]
    assert counted(doubtful["confident errors of the 13 classes"]) == (0, 4)


def test_a_redshift_is_catastrophic_by_the_measure_of_its_group_where_zwarn_is_zero() -> None:
    far = (1.0 + REDSHIFT) * OFF - 1.0
    row = damaged({"without its red half": answers(redshift=far)})["without its red half"]
    assert counted(row["galaxies off by > 1,000 km/s at zwarn = 0"]) == (1, 1)
    assert counted(row["quasars off by > 3,000 km/s at zwarn = 0"]) == (0, 1)
    warned = damaged({"without its red half": answers(redshift=far, zwarn=4)})["without its red half"]
    assert counted(warned["galaxies off by > 1,000 km/s at zwarn = 0"]) == (0, 0)


def test_of_a_blend_either_class_and_either_redshift_is_right() -> None:
    after = Scored(LABELS, answers(("QSO_nan", "QSO_nan", "STAR_F5", "STAR_K1"), redshift=[2.0, 0.2, 0.0, 0.0]))
    other = np.array([1, 0, 2, 3])
    assert catastrophic(after, "QSO").tolist() == [True]
    assert catastrophic(after, "QSO", other).tolist() == [False]
    swapped = answers(tuple(reversed(CLASSES)))
    row = damaged({"two spectra blended": swapped})["two spectra blended"]
    rng = np.random.default_rng((7, len(damage.MEANINGLESS) + len(damage.RECOGNISABLE) + 1))
    both = [{own, CLASSES[int(rng.integers(4))]} for own in CLASSES]  # as ``Blend`` draws them
    wrong = sum(name not in pair for name, pair in zip(reversed(CLASSES), both, strict=True))
    assert counted(row["confident errors of the 13 classes"]) == (wrong, 4)
    assert 0 < wrong < 4


def test_the_shift_of_velocities_is_that_of_stars_that_have_one_before_and_after() -> None:
    rows = damaged({"air called vacuum": answers(radial_velocity_km_s=[3.0, 3.0, -75.0, np.nan])})
    shift = rows["air called vacuum"]["shift of stars' velocities [km/s]"]
    assert (shift.value, shift.n) == (pytest.approx(-85.0), 1)
    assert (rows["undamaged"]["shift of stars' velocities [km/s]"].value, shift.interval) == (0.0, None)
    lost = damaged({"all NaN": answers(radial_velocity_km_s=np.nan)})["all NaN"]
    assert lost["shift of stars' velocities [km/s]"].n == 0
