"""Section on the quasar finder: P(QSO), P(QSO above a redshift) at each declared threshold, broad absorption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from classifiers.training.evaluation.answers import Answers, Flags, Floats, Scored
from classifiers.training.evaluation.binned import (
    FEWEST,
    LOW_RATES,
    area_interval,
    area_under,
    binned_share,
    operating_curve,
    share,
)
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Section, Table
from classifiers.training.evaluation.reliability import calibration_error

LIKELY = 0.5
_EDGES = (0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 1.0 + 1e-9)
_ABSORPTION_SNR = (0.0, 2.0, 4.0, 8.0, 16.0, np.inf)
_GROUPS = ("GALAXY", "QSO", "STAR", "OTHER", "SKY")


@dataclass(frozen=True, slots=True)
class Absorbed:
    """Simulated quasars with and without broad absorption, at redshifts where it can be seen.

    Attributes:
        answers: n answers.
        absorbed: (n,) bool.
    """

    answers: Answers
    absorbed: Flags


def quasars(
    samples: Mapping[str, Scored], surveys: Mapping[str, Mapping[str, Answers]], absorbed: Absorbed
) -> Section | None:
    """Return the section; None where no finder answered.

    Args:
        samples: by what to call them, answered as spectra of no survey that has a threshold of its own.
        surveys: by survey that has one, then by sample: the answers to the same spectra, told to be of that survey.
        absorbed: for broad absorption.
    """
    if not any(np.isfinite(scored.answers.column("p_qso")).any() for scored in samples.values()):
        return None
    by_threshold = [
        (name, scored, answers)
        for name, scored in samples.items()
        for answers in (scored.answers, *(found[name] for found in surveys.values()))
    ]
    items: list[Item] = [_found(samples), _thresholds(by_threshold)]
    items.append(_reliability([each for each in by_threshold if each[0] == "simulated"]))
    items += [_ranking(samples), *_broad_absorption(absorbed)]
    told = " and ".join(surveys) or "no survey"
    text = (
        "P(QSO) is that of the training mixture. P(QSO above a redshift) is P(QSO) times the part of the redshift "
        f"posterior above the threshold, which is the bundle's default but for spectra of {told}: the same "
        "spectra are shown as spectra of no such survey and of each. Others are galaxies, stars, other kinds and sky. "
        "In the curves crosses are P(QSO) > 0.5. "
        "Broad absorption is scored on simulated quasars at z > 1.5, a tenth of which have it; six in ten of these "
        "have troughs too narrow for a balnicity index. P(broad absorption) allows for narrow systems, which "
        "real quasars have and these lack. The interval of an area is that of Hanley & McNeil (1982)."
    )
    return Section("Quasar finder", text, items)


def _found(samples: Mapping[str, Scored]) -> Table:
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        found, error = scored.answers.column("p_qso") > LIKELY, scored.answers.column("redshift_qso") - scored.redshift
        quasar, known = scored.group == "QSO", np.isin(scored.group, _GROUPS)
        relative = np.abs(error / (1.0 + scored.redshift))[quasar & np.isfinite(error)]
        cells: list[Cell] = [name, share("completeness", found[quasar]), share("others", found[known & ~quasar])]
        cells += [share("purity", quasar[known & found]), share("redshift", relative < 0.01)]
        rows.append([*cells, share("redshift", relative < 0.0033)])
    columns = (
        "", "quasars found at P > 0.5", "others taken for one", "purity of the sample as it is",
        "redshift within 0.01 (1+z)", "within 0.0033 (1+z)",
    )  # fmt: skip
    return Table("Quasars", columns, rows)


def _high(scored: Scored, answers: Answers) -> tuple[float, Floats, Flags]:
    """Return the threshold, P(QSO above it) and whether it is one, of what is known to be or not."""
    threshold = float(np.nanmin(answers.column("qso_z_threshold")))
    known = np.isin(scored.group, _GROUPS) & ~((scored.group == "QSO") & ~np.isfinite(scored.redshift))
    known &= np.isfinite(answers.column("p_qso_high_z"))
    truth = (scored.group == "QSO") & (np.nan_to_num(scored.redshift, nan=-1.0) >= threshold)
    return threshold, answers.column("p_qso_high_z")[known], np.asarray(truth[known], np.bool_)


def _thresholds(samples: Sequence[tuple[str, Scored, Answers]]) -> Table:
    rows: list[list[Cell]] = []
    for name, scored, answers in samples:
        threshold, probability, truth = _high(scored, answers)
        said = probability > LIKELY
        sure = np.maximum(probability, 1.0 - probability)
        error = calibration_error(sure, said == truth)
        cells: list[Cell] = [name, f"z >= {threshold:g}", share("completeness", said[truth])]
        cells += [share("purity", truth[said]), share("wrong", said[~truth])]
        quasar = (scored.group == "QSO") & np.isfinite(scored.redshift) & np.isfinite(answers.column("p_qso_high_z"))
        above = answers.column("p_qso_high_z")[quasar] > LIKELY
        cells.append(share("side", above == (scored.redshift[quasar] >= threshold)))
        rows.append([*cells, Number("calibration error", error, int(truth.size))])
    columns = (
        "",
        "threshold",
        "completeness at P > 0.5",
        "purity of the sample as it is",
        "others",
        "quasars on the right side",
        "calibration error",
    )
    return Table("Quasars above the threshold", columns, rows)


def _reliability(samples: Sequence[tuple[str, Scored, Answers]]) -> Plot:
    curves = []
    for _, scored, answers in samples:
        threshold, probability, truth = _high(scored, answers)
        curves.append(binned_share(f"z >= {threshold:g}", probability, truth, _EDGES, place="mean", fewest=FEWEST))
    return Plot(
        "Reliability of P(QSO above the threshold), simulated", "probability", "share that is one", curves, "points",
        diagonal=True, y_range=(0.0, 1.02),
    )  # fmt: skip


def _ranking(samples: Mapping[str, Scored]) -> Plot:
    curves = []
    rate = next(iter(samples.values())).answers.unknown_rate
    for name, scored in samples.items():
        probability = np.nan_to_num(scored.answers.column("p_qso"))
        other = np.isin(scored.group, _GROUPS) & (scored.group != "QSO")
        quasar = scored.group == "QSO"
        curves.append(operating_curve(name, probability[other], probability[quasar]))
        taken, found = share(name, probability[other] > LIKELY), share(name, probability[quasar] > LIKELY)
        if taken.n and found.n:
            curves.append(Curve(f"{name}, P > {LIKELY:g}", [taken.value], [found.value], n=[taken.n]))
    lowest = min(y for curve in curves for x, y in zip(curve.x, curve.y, strict=True) if x >= LOW_RATES[0])
    return Plot(
        "Quasars against others by P(QSO)", "share of others taken", "share of quasars found", curves, x_log=True,
        y_range=(min(0.9, float(np.floor(10.0 * lowest)) / 10.0), 1.005), x_range=LOW_RATES,
        x_line=(rate, f"{rate:g}, the declared rate of unknown"),
    )  # fmt: skip


def _broad_absorption(sample: Absorbed) -> list[Item]:
    probability, absorbed = np.nan_to_num(sample.answers.column("p_bal")), sample.absorbed
    snr = np.nan_to_num(sample.answers.column("snr"))
    rows = [
        _absorption_cells(name, probability[part], absorbed[part])
        for name, part in (
            ("simulated", snr > -np.inf),
            *((_span(low, high), (snr >= low) & (snr < high)) for low, high in pairwise(_ABSORPTION_SNR)),
        )
        if absorbed[part].any() and not absorbed[part].all()
    ]
    columns = ("", "area under the ROC curve", "mean P", "share", "calibration error", "found at P > 0.5", "others")
    curve: Curve = binned_share("broad absorption", probability, absorbed, _EDGES, place="mean", fewest=FEWEST)
    return [
        Table("Broad absorption", columns, rows),
        Plot(
            "Reliability of P(broad absorption), simulated", "probability", "share that is absorbed", [curve], "points",
            diagonal=True, y_range=(0.0, 1.02),
        ),
    ]  # fmt: skip


def _span(low: float, high: float) -> str:
    return f"S/N {low:g} to {high:g}" if np.isfinite(high) else f"S/N from {low:g}"


def _absorption_cells(name: str, probability: Floats, absorbed: Flags) -> list[Cell]:
    area = area_under(probability[~absorbed], probability[absorbed])
    said = probability > LIKELY
    sure = np.maximum(probability, 1.0 - probability)
    n = int(absorbed.size)
    return [
        name,
        Number("area", area, n, area_interval(area, int(absorbed.sum()), int((~absorbed).sum()))),
        Number("mean", float(probability.mean()), n),
        share("absorbed", absorbed),
        Number("calibration error", calibration_error(sure, said == absorbed), n),
        share("found", said[absorbed]),
        share("wrong", said[~absorbed]),
    ]
