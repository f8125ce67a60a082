"""Section on redshifts and radial velocities: success, catastrophic failures, pulls, epochs of one object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from classifiers.training.evaluation.answers import Flags, Floats, Rows, Scored
from classifiers.training.evaluation.binned import FEWEST, binned_share, by_snr, histogram, share, spread
from classifiers.training.evaluation.document import Cell, Curve, Item, Number, Plot, Section, Table
from classifiers.training.evaluation.velocities import spread_interval, velocities
from classifiers.training.simulation.grid import SPEED_OF_LIGHT_KM_S

CATASTROPHIC_KM_S: Mapping[str, float] = {"GALAXY": 1000.0, "QSO": 3000.0}
"""A redshift further off than this is a catastrophic failure (DESI Collaboration 2016, arXiv:1611.00036, Sect. 3)."""
_REDSHIFT_EDGES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.1, 2.6, 3.2, 4.5)
_FEWEST_EPOCHS = 10
_LEAST_FRAME = 0.05
"""Of shares of catastrophic failures: the band of a few galaxies, cut there, would hide the rates of all others."""


def redshifts(samples: Mapping[str, Scored]) -> Section:
    """Return the section; ``samples`` by what to call them (real, simulated)."""
    items: list[Item] = [_summary(samples), _failures(samples)]
    items += [_cuts(name, scored) for name, scored in samples.items()]
    for name, scored in samples.items():
        items += [success_by_snr(name, scored), _success_by_redshift(name, scored), pull_histograms(name, scored)]
    items += velocities(samples)
    epochs = _epochs(samples)
    if epochs.rows:
        items.append(epochs)
    text = (
        "Of objects found to be of their group. A catastrophic failure is off by more than 1,000 km/s (galaxies) or "
        "3,000 km/s (quasars) times (1 + z). In the curves against completeness those whose most probable other "
        "solution is least probable are kept first; crosses are the cut zwarn = 0. "
        "Pull: (found - true) / published error; its width is the normalised "
        "median absolute deviation, 1 where errors are right. Pulls of real spectra contain the errors of the "
        "surveys' own redshifts. Radial velocities are of stars found to be stars; one whose error would be "
        "above 100 km/s is not published. The truth of real stars is the survey's velocity."
    )
    return Section("Redshifts", text, items)


def velocity_error(scored: Scored) -> Floats:
    """Return c (found - true) / (1 + true) [km/s], NaN where either is missing."""
    return np.asarray(SPEED_OF_LIGHT_KM_S * scored.redshift_error, dtype=np.float64)


def pulls(scored: Scored, rows: Rows) -> Floats:
    """Return (found - true) / published error of some rows, NaN where a redshift or its error is missing."""
    found, error = scored.answers.column("redshift")[rows], scored.answers.column("redshift_error")[rows]
    return np.asarray((found - scored.redshift[rows]) / error, dtype=np.float64)


def pull_width(scored: Scored, group: str) -> Number:
    """Return the normalised median absolute deviation of the pulls of a group, 1 where published errors are right.

    It is of those that have a redshift and an error, as many as the number says.
    """
    return _width(f"{group} redshift pull width", pulls(scored, scored.with_redshift(group)))


def pull_widths(scored: Scored, group: str, first: Flags) -> list[Number]:
    """Return ``pull_width`` and, where objects have several spectra, that of objects by their first spectrum.

    Args:
        scored: n spectra.
        group: GALAXY or QSO.
        first: (n,) bool, the first spectrum of each object.
    """
    whole, rows = pull_width(scored, group), scored.with_redshift(group)
    once = rows[first[rows]]
    return (
        [whole] if once.size == rows.size else [whole, _width(f"{whole.name}, each object once", pulls(scored, once))]
    )


def _width(name: str, values: Floats) -> Number:
    values = values[np.isfinite(values)]
    return Number(name, spread(values), int(values.size), spread_interval(values))


def _summary(samples: Mapping[str, Scored]) -> Table:
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        for group in CATASTROPHIC_KM_S:
            members = scored.with_redshift(group)
            error, inside = scored.redshift_error[members], np.abs(pulls(scored, members)) < 1.0
            row: list[Cell] = [f"{group} ({name})", share("0.01", np.abs(error) < 0.01)]
            row.append(share("0.0033", np.abs(error) < 0.0033))
            found = error[np.isfinite(error)]
            row.append(Number("NMAD", spread(found), found.size))
            row.append(Number("bias", float(np.median(found)) if found.size else float("nan"), found.size))
            row += [pull_width(scored, group), share("within one error", inside)]
            rows.append(row)
    columns = (
        "",
        "within 0.01 (1+z)",
        "within 0.0033 (1+z)",
        "NMAD / (1+z)",
        "median error / (1+z)",
        "pull width",
        "|pull| < 1",
    )
    return Table("Accuracy", columns, rows)


def _failures(samples: Mapping[str, Scored]) -> Table:
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        error, zwarn = np.abs(velocity_error(scored)), scored.answers.zwarn
        for group, limit in CATASTROPHIC_KM_S.items():
            members = scored.with_redshift(group)
            for cut, kept in (("all", members), ("zwarn = 0", members[zwarn[members] == 0])):
                complete = share("completeness", np.isin(members, kept))
                rows.append([f"{group} ({name})", cut, complete, share("failures", error[kept] > limit)])
    return Table(
        "Catastrophic redshifts against the completeness of a cut in zwarn",
        ("", "cut", "completeness", "catastrophic"),
        rows,
    )


def _cuts(name: str, scored: Scored) -> Plot:
    """Return the share of catastrophic failures of what is kept against how much that is, and where zwarn = 0 lies."""
    error, rival = np.abs(velocity_error(scored)), scored.answers.rival_probability
    curves: list[Curve] = []
    for group, limit in CATASTROPHIC_KM_S.items():
        members = scored.with_redshift(group)
        if not members.size:
            continue
        failed = error[members[np.argsort(rival[members], kind="stable")]] > limit
        kept = np.unique(np.linspace(0.3 * failed.size, failed.size, 60).astype(int))
        kept = kept[kept > 0]
        shares = [share(group, failed[:count]) for count in kept.tolist()]
        x, y = (kept / failed.size).tolist(), [each.value for each in shares]
        bands = [each.interval for each in shares]
        curves.append(Curve(group, x, y, [low for low, _ in bands], [high for _, high in bands], kept.tolist()))
        clear = members[scored.answers.zwarn[members] == 0]
        rate = share("zwarn = 0", error[clear] > limit)
        if rate.n:
            curves.append(Curve(f"{group}, zwarn = 0", [rate.n / members.size], [rate.value], n=[rate.n]))
    highest = max((y for curve in curves for y in curve.y), default=0.0)
    return Plot(
        f"Catastrophic redshifts against completeness, {name}", "share kept", "share of these that is catastrophic",
        curves, y_range=(0.0, min(1.02, max(_LEAST_FRAME, 2.0 * highest))),
    )  # fmt: skip


def success_by_snr(name: str, scored: Scored) -> Plot:
    """Return the share of redshifts that are no catastrophic failures against S/N; ``name`` of the sample."""
    curves = []
    snr = scored.answers.column("snr")
    error = np.abs(velocity_error(scored))
    for group, limit in CATASTROPHIC_KM_S.items():
        rows = scored.with_redshift(group)
        curves.append(by_snr(f"{group}, within {limit:.0f} km/s", snr[rows], error[rows] <= limit))
    return Plot(
        f"Redshift success against S/N, {name}", "median S/N per bin of 207 km/s", "share", curves, "points",
        x_log=True, y_range=(0.0, 1.02),
    )  # fmt: skip


def _success_by_redshift(name: str, scored: Scored) -> Plot:
    curves = []
    error = np.abs(velocity_error(scored))
    for group, limit in CATASTROPHIC_KM_S.items():
        rows = scored.with_redshift(group)
        title = f"{group}, within {limit:.0f} km/s"
        success = error[rows] <= limit
        curves.append(binned_share(title, scored.redshift[rows], success, _REDSHIFT_EDGES, place="mean", fewest=FEWEST))
    return Plot(
        f"Redshift success against redshift, {name}", "redshift", "share", curves, "points", y_range=(0.0, 1.02)
    )


def pull_histograms(name: str, scored: Scored) -> Plot:
    """Return the distributions of redshift pulls of galaxies and quasars; ``name`` of the sample."""
    edges = np.linspace(-6.0, 6.0, 49)
    curves = []
    for group in CATASTROPHIC_KM_S:
        values = pulls(scored, scored.with_redshift(group))
        values = values[np.isfinite(values)]
        curves.append(histogram(f"{group} (width {spread(values):.2f}, n = {values.size})", values, edges))
    centres = 0.5 * (edges[1:] + edges[:-1])
    normal = np.exp(-0.5 * centres**2) / np.sqrt(2.0 * np.pi)
    curves.append(type(curves[0])("unit normal", centres.tolist(), normal.tolist()))
    return Plot(f"Redshift pulls, {name}", "(found - true) / error", "density", curves, "steps")


def _epochs(samples: Mapping[str, Scored]) -> Table:
    """Return how alike the answers to many epochs of one object are."""
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        repeats = Counter(label.object_id for label in scored.labels)
        for identity, count in repeats.items():
            if count < _FEWEST_EPOCHS:
                continue
            members = np.array([row for row, label in enumerate(scored.labels) if label.object_id == identity])
            names = Counter(scored.answers.names[members].tolist())
            found = scored.answers.column("redshift")[members]
            error = scored.answers.column("redshift_error")[members]
            finite = np.isfinite(found)
            common, _ = names.most_common(1)[0]
            rows.append(
                [
                    f"{identity} ({name})",
                    share(common, scored.answers.names[members] == common),
                    Number("scatter", spread(found[finite]), int(finite.sum())),
                    Number("error", float(np.median(error[finite])), int(finite.sum())),
                ]
            )
    columns = ("object", "epochs of its most common class", "redshift scatter (NMAD)", "median published error")
    return Table("Exposure against exposure: objects with many epochs", columns, rows)
