"""The section on the unknown flag: rates of classes, frames that hold their bars, curves readable at the rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from classifiers.training.evaluation.answers import Answers, Scored
from classifiers.training.evaluation.document import Plot, Proportion, Section, Table
from classifiers.training.evaluation.unknown import InHost, Transients, each_object_once, unknown
from classifiers.training.intervals import clopper_pearson
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


def tables(found: Section) -> dict[str, Table]:
    return {item.title: item for item in found.items if isinstance(item, Table)}


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


def test_rates_against_snr_are_drawn_so_that_the_declared_one_is_seen() -> None:
    for name in ("real", "simulated"):
        plot = pictures()[f"False unknown against S/N, {name}"]
        assert plot.y_log
        assert plot.y_range is not None
        assert plot.y_range[0] < 0.01 < plot.y_range[1]
        assert all(high > 0.0 for curve in plot.curves for high in curve.high)


def test_spectra_of_one_supernova_are_one_object_beside_all_spectra() -> None:
    """Three spectra of one that is flagged, one each of two others that are not."""
    reasons = ["NOVEL"] * 3 + [None] * 2
    answers = Answers.of([verdicts(["QSO_nan"] * 5, reasons=reasons, unknown_p_value=0.02, anomaly_p_value=0.001)])
    objects = {"supernovae": ["a", "a", "a", "b", "c"]}
    found = tables(unknown({"real": sample(), "simulated": sample()}, Transients({"supernovae": answers}, {}, objects)))
    detected = {str(row[0]): row for row in found["Detected at the declared rate, by kind"].rows}
    whole, once = detected["supernovae"][1], detected["supernovae, each object once"][1]
    assert isinstance(whole, Proportion)
    assert isinstance(once, Proportion)
    assert (whole.successes, whole.n, once.successes, once.n) == (3, 5, 1, 3)
    by_p_value = found["Transients by p-value, whatever the reason"].rows
    assert [row[0] for row in by_p_value] == ["supernovae"] * 2 + ["supernovae, each object once"] * 2
    assert list(each_object_once({"supernovae": answers}, {})) == ["supernovae"]


def test_bands_of_transients_in_host_light_are_of_so_many_galaxies() -> None:
    """Sixteen galaxies with ten transients each, half of the galaxies with none detected; and at no light, with all."""
    hosts = [str(row // 10) for row in range(160)]
    half = [None if row // 10 % 2 else "NOVEL" for row in range(160)]
    seen = {
        fraction: InHost(Answers.of([verdicts(["QSO_nan"] * 160, reasons=reasons, unknown_p_value=0.5)]), hosts)
        for fraction, reasons in ((0.0, ["NOVEL"] * 160), (0.5, half))
    }
    found = unknown({"real": sample(), "simulated": sample()}, Transients({}, {"Supernovae": seen}))
    (plot,) = (
        item
        for item in found.items
        if isinstance(item, Plot) and item.title == "Supernovae in the light of real galaxies"
    )
    flagged, rare = plot.curves
    assert (flagged.name, list(flagged.y), list(flagged.n)) == ("flagged unknown", [1.0, 0.5], [160, 160])
    assert (flagged.low[0], flagged.high[0]) == clopper_pearson(16, 16)
    low, high = clopper_pearson(80, 160)
    assert flagged.high[1] - flagged.low[1] > 2.5 * (high - low)
    assert (rare.name, list(rare.y)) == ("novelty p <= 0.05", [0.0, 0.0])
    assert plot.x_label.endswith("in 16 galaxies")
    assert "drawing the galaxies again" in found.text.replace("  ", " ")


def test_the_section_has_p_values_of_known_objects() -> None:
    found = section()
    assert "p-values of known objects" in tables(found)
    assert "Cumulative p-values of known objects" in pictures()
