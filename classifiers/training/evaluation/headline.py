"""The headline numbers on the real spectra: one table of proportions with exact intervals, and a few plain numbers.

These are development spectra, and their numbers are optimistic: noise shapes of the simulator come from their inverse
variances, and after a first version was scored on them the BROADLINE threshold and the line strengths and ratios of
simulated starbursts were changed. Broad Balmer lines beside those of templates, galaxies whose lines outshine their
stars, and weaker lines of these were put into the simulations after a bright quasar of redshift 0.16 had got redshift
3.0 and a starburst had been called a quasar; what they look like follows publications. That templates may speak against
P(OTHER) was thought of because of A0 and K5 stars flagged here; that they say nothing against M dwarfs, and a larger
sample for the thresholds of short spectra, was decided on simulations after M dwarfs had been missed here. What counts
as short was taken from the coverage of these spectra (65 % of the grid instead of 75). The simulated forest, narrow
lines, iron, hosts and slopes of quasars and the waves that sky subtraction leaves, by which bundles are now calibrated,
were brought nearer to the medians and scatter of 96 quasars and 76 sky fibres here, by hand and more than once. Blank
sky is weighed (``verdict.calibrate.OTHER_ODDS``) after a look at which sky fibres were missed here; what errors of
quasars' redshifts are against, and their floor, after a look at pulls here (``quasars.redshift.FLOOR_KM_S``). Quasars
behind dust and narrower Mg II of near ones were put into the simulations after two red quasars had been missed here.
That LAMOST's arms disagree where they meet, and that its first release reports three times the error beside lines of
stars, was seen on known objects that the novelty head took for novel here, and measured on all of LAMOST's; so were its
noise (in the far red, by brightness and wavelength), cosmic rays that are left in its spectra and how wide its stars'
lines are. How red simulated stars are, and how many M dwarfs are early ones, was brought nearer to the medians of 180 F
to K stars and 39 M dwarfs here, twice, after a look at which were missed. No weight of a
network was fitted to them and no calibration uses them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.quality import Quality
from classifiers.training.evaluation.answers import GROUPS, Answers, Rows, Scored
from classifiers.training.evaluation.document import Number, Proportion, Report
from classifiers.training.evaluation.real_spectra import RealLabel, unique_objects
from classifiers.training.evaluation.redshifts import pull_widths
from classifiers.training.evaluation.reliability import reliability
from classifiers.training.evaluation.velocities import velocity_measures
from classifiers.training.simulation.scheme import CLASSES, STAR_TYPES
from classifiers.verdict.anomalous import anomalous

TITLE = "Real development spectra of SDSS, BOSS and LAMOST"
_MINIMUM_SNR = 2.0


def score(labels: Sequence[RealLabel], answers: Answers, engines: dict[str, str]) -> Report:
    """Turn labels and answers into the headline report; no input, no output, no clock."""
    scored = Scored(labels, answers)
    names, groups, group, truth = answers.names, answers.groups, scored.group, scored.truth
    known, labelled, redshift = scored.known, scored.labelled, scored.redshift
    snr = answers.column("snr")
    first = np.zeros(len(labels), np.bool_)
    first[unique_objects(labels)] = True
    proportions: list[Proportion] = []
    for name in GROUPS:
        rows = np.flatnonzero(group == name)
        proportions += _counted(f"{name} recall", groups[rows] == name, first[rows])
        bright = rows[snr[rows] > _MINIMUM_SNR]
        proportions += _counted(f"{name} recall at S/N > 2", groups[bright] == name, first[bright])
    right = scored.right
    proportions += _counted("13 classes", right[labelled], first[labelled])
    for name in CLASSES:
        rows = labelled[truth[labelled] == name]
        proportions += _counted(f"class {name}", right[rows], first[rows])
    rows = labelled[group[labelled] == "GALAXY"]
    proportions += _counted("galaxy subclasses", right[rows], first[rows])
    proportions += _star_measures(labels, names, truth)
    numbers: list[Number] = []
    for name in ("GALAXY", "QSO"):
        rows = np.flatnonzero((group == name) & (groups == name) & np.isfinite(redshift))
        error = (answers.column("redshift")[rows] - redshift[rows]) / (1.0 + redshift[rows])
        for limit in (0.01, 0.0033):
            what = f"{name} redshift within {limit:g} (1+z)"
            proportions += _counted(what, np.abs(error) < limit, first[rows])
        error = error[np.isfinite(error)]
        deviation = 1.4826 * float(np.median(np.abs(error - np.median(error)))) if error.size else float("nan")
        numbers += [Number(f"{name} redshift NMAD", deviation, error.size), *pull_widths(scored, name, first)]
    shares, velocities = velocity_measures(scored)
    proportions += shares
    numbers += velocities
    proportions += _finder_measures(group, redshift, answers)
    proportions += _unknown_measures(labels, group, known, first, answers)
    numbers += reliability(scored, first)
    confusion: dict[str, dict[str, int]] = {}
    for true, found in zip(truth[labelled], names[labelled], strict=True):
        row = confusion.setdefault(str(true), {})
        row[str(found)] = row.get(str(found), 0) + 1
    return Report(TITLE, engines, proportions, numbers, confusion)


def _in_feed(answers: Answers) -> NDArray[np.bool_]:
    return anomalous(answers.reason, answers.other_type, answers.column("anomaly_p_value"), answers.quality_flags)


def _counted(name: str, hits: NDArray[np.bool_], first: NDArray[np.bool_]) -> list[Proportion]:
    """Return the share of spectra and, where objects have several, that of objects by their first spectrum."""
    shares = [_share(name, hits)]
    return shares if first.all() else [*shares, _share(f"{name}, each object once", hits[first])]


def _share(name: str, hits: NDArray[np.bool_]) -> Proportion:
    return Proportion(name, int(np.count_nonzero(hits)), int(hits.size))


def _star_measures(labels: Sequence[RealLabel], names: NDArray[np.str_], truth: NDArray[np.str_]) -> list[Proportion]:
    order = {f"STAR_{name}": index for index, name in enumerate(STAR_TYPES)}
    measures: list[Proportion] = []
    rows = [row for row, name in enumerate(truth) if name in order]
    exact_rows = [row for row in rows if labels[row].exact_type]
    for what, chosen in (("star type", rows), ("star type, labels with template names", exact_rows)):
        difference = np.array([abs(order.get(str(names[row]), 99) - order[str(truth[row])]) for row in chosen])
        measures.append(_share(f"{what}, exact", difference == 0))
        measures.append(_share(f"{what}, within one", difference <= 1))
    return measures


def _finder_measures(group: NDArray[np.str_], redshift: NDArray[np.float64], answers: Answers) -> list[Proportion]:
    probability = answers.column("p_qso")
    answered = np.isfinite(probability)
    found = probability > 0.5
    quasar = (group == "QSO") & answered
    other = np.isin(group, ("GALAXY", "STAR", "OTHER", "SKY")) & answered
    rows = np.flatnonzero(quasar & np.isfinite(redshift))
    error = np.abs(answers.column("redshift_qso")[rows] - redshift[rows]) / (1.0 + redshift[rows])
    high = answers.column("p_qso_high_z")[rows] > 0.5
    threshold = answers.column("qso_z_threshold")[rows]
    return [
        _share("QSO finder: completeness at P(QSO) > 0.5", found[quasar]),
        _share("QSO finder: others taken for a QSO", found[other]),
        _share("QSO finder: redshift within 0.01 (1+z)", error < 0.01),
        _share("QSO finder: side of the redshift threshold", high == (redshift[rows] >= threshold)),
    ]


def _unknown_measures(
    labels: Sequence[RealLabel], group: NDArray[np.str_], known: Rows, first: NDArray[np.bool_], answers: Answers
) -> list[Proportion]:
    reason = answers.reason
    conformal = np.isin(reason, ("NOVEL", "OTHER_KNOWN"))
    other = np.array([label.other_type or "" for label in labels])
    measures = [
        *_counted("false unknown, known objects", answers.unknown[known], first[known]),
        *_counted("false unknown as NOVEL, known objects", reason[known] == "NOVEL", first[known]),
        *_counted("false unknown as NOVEL or OTHER_KNOWN, known objects", conformal[known], first[known]),
        _share("unknown: blank sky", answers.unknown[group == "SKY"]),
        _share("blank sky as NO_SIGNAL", reason[group == "SKY"] == "NO_SIGNAL"),
        _share("second redshift, all spectra", answers.quality_flags & int(Quality.SECOND_REDSHIFT) > 0),
        *_counted("in the anomaly feed, known objects", _in_feed(answers)[known], first[known]),
    ]
    anomaly = answers.column("anomaly_p_value")[known]
    given = np.isfinite(anomaly)
    for level in (0.05, 0.01):
        measures += _counted(f"VAE p <= {level:g}, known objects", anomaly[given] <= level, first[known][given])
    for name in ("M", "LT", "WD", "CV", "CARBON", "OB"):
        rows = np.flatnonzero((other == name) & (group == "OTHER"))
        measures.append(_share(f"unknown: {name} stars", answers.unknown[rows]))
    return measures
