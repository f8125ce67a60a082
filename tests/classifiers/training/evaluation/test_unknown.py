"""The section on the unknown flag: rates of classes, frames that hold their bars, curves readable at the rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Plot, Section
from classifiers.training.evaluation.unknown import Transients, unknown
from classifiers.training.simulation.scheme import CLASSES
from tests.classifiers.training.evaluation.answered import label, verdicts

NAMES = [*CLASSES] * 12
"""Twelve spectra of each class; the first star of each type is flagged."""


def sample() -> Scored:
    rng = np.random.default_rng(1)
    labels = [label(row, name) for row, name in enumerate(NAMES)]
    labels.append(replace(labels[0], group="SKY", class_name=None, other_type="SKY"))
    names = [*NAMES, "STAR_A0"]
    flagged = [i for i, name in enumerate(NAMES) if name.startswith("STAR") and i < len(CLASSES)]
    reasons = ["NOVEL" if i in flagged else None for i in range(len(names))]
    snr = 2.0 ** rng.uniform(0.0, 7.0, len(names))
    found = verdicts(names, reasons=reasons, snr=snr, unknown_p_value=rng.uniform(size=len(names)))
    return Scored(labels, Answers.of([found]))


def section() -> Section:
    strange = Answers.of([verdicts(["QSO_nan"] * 30, unknown_p_value=np.linspace(0.001, 0.1, 30))])
    return unknown({"real": sample(), "simulated": sample()}, Transients({"supernovae": strange}, {}))


def pictures() -> dict[str, Plot]:
    return {item.title: item for item in section().items if isinstance(item, Plot)}


def test_each_of_the_13_classes_has_its_rate_with_a_band_real_and_simulated() -> None:
    plot = pictures()["False unknown by class"]
    assert list(plot.x_names) == list(CLASSES)
    real, simulated, declared = plot.curves
    assert (real.name, simulated.name, list(declared.y)) == ("real", "simulated", [0.01, 0.01])
    assert list(real.x) == list(range(len(CLASSES)))
    for place, name in enumerate(CLASSES):
        assert real.y[place] == (1 / 12 if name.startswith("STAR") else 0.0)
        assert real.low[place] <= real.y[place] < real.high[place]
        assert real.n[place] == 12


def test_no_bar_leaves_its_frame() -> None:
    found = [plot for title, plot in pictures().items() if title.startswith("False unknown")]
    assert len(found) == 3
    for plot in found:
        assert plot.y_range is not None
        highest = max(high for curve in plot.curves for high in (*curve.high, *curve.y))
        assert plot.y_range[0] == (0.0005 if plot.y_log else 0.0)
        assert highest <= plot.y_range[1] <= 1.02


def test_curves_of_detection_show_the_declared_rate_and_leave_out_what_other_reasons_find() -> None:
    plot = pictures()["Detection by the p-value of novelty, against real known objects"]
    assert plot.x_log
    assert plot.x_line == (0.01, "declared rate 0.01")
    assert plot.x_range is not None
    assert 0.0 < plot.x_range[0] < 0.01 < plot.x_range[1] == 1.0
    assert [curve.name.split(" (")[0] for curve in plot.curves] == ["supernovae"]
    assert "blank sky and M stars are left out" in section().text
