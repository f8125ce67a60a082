"""Section on the unknown flag: its rate on known objects, what it detects, transients in their host's light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from classifiers.quality import Quality
from classifiers.training.evaluation.answers import GROUPS, Answers, Flags, Floats, Rows, Scored
from classifiers.training.evaluation.binned import LOW_RATES, by_snr, operating_curve, share
from classifiers.training.evaluation.document import Cell, Curve, Item, Plot, Proportion, Section, Table
from classifiers.training.evaluation.p_values import p_values
from classifiers.training.evaluation.resampling import SEED, first_spectra, share_interval
from classifiers.training.simulation.scheme import CLASSES, OTHER_TYPES
from classifiers.verdict.anomalous import HOT, LEVEL, anomalous
from classifiers.verdict.unknown import REASONS

_REASONS = tuple(dict.fromkeys(reversed(REASONS)))


@dataclass(frozen=True, slots=True)
class InHost:
    """Answers on transients in the light of galaxies, and which galaxy each is in: spectra in one are alike."""

    answers: Answers
    hosts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Transients:
    """Answers on what no class knows.

    Attributes:
        kinds: by name: supernovae at one S/N, OzDES transients ...
        in_host: by kind, then by the transient's share of the light in a galaxy's spectrum.
        objects: whose spectrum each of a kind is, where objects have several.
    """

    kinds: Mapping[str, Answers]
    in_host: Mapping[str, Mapping[float, InHost]]
    objects: Mapping[str, Sequence[str]] = field(default_factory=dict)


def unknown(samples: Mapping[str, Scored], transients: Transients) -> Section:
    """Return the section; ``samples`` by what to call them (real, simulated)."""
    rate = next(iter(samples.values())).answers.unknown_rate
    items: list[Item] = [false_by_reason(samples), _by_class(samples), by_class_picture(samples, rate)]
    items += [_by_snr(name, scored, rate) for name, scored in samples.items()]
    items += p_values(samples)
    kinds = each_object_once(transients.kinds, transients.objects)
    items += [detected(samples, kinds), _rare_at_rate(kinds)]
    items.append(_curves(samples["real"], transients, rate))
    items += [_in_host(kind, by_share) for kind, by_share in transients.in_host.items()]
    text = (
        f"The declared rate is {rate:g}: at most that share of known objects may be NOVEL or OTHER_KNOWN. It is "
        "guaranteed after `specstream calibrate` on a survey's own objects; the bundles that ship are calibrated on "
        "simulations, where it is nominal. Supernovae have flat noise and are at rest; OzDES spectra are mostly "
        "the host's light; tidal disruption events are made up (a hot black body and very broad lines). Quasars with "
        "broad absorption are a known class, and simulated ones trained on: P(broad absorption) finds them (section "
        "on the quasar finder), and above a half it sets a bit. Double redshifts are pairs of real galaxies and "
        "quasars, of equal light, in which each object is at most once the one and once the other. A second redshift "
        "is a quality bit beside the flag, for lines of another galaxy or quasar. The anomaly feed (`specstream tail "
        "--anomalies`) has what is NOVEL; of what is not unknown, what has one of these bits or a p-value of the VAE "
        f"of {LEVEL:g} or less; and what has such a p-value and was taken for a hot star ({', '.join(HOT)}). In the "
        "pictures by class and "
        "against S/N a bar without a dot is of spectra of which none is flagged. In the curves of detection "
        "the score is the p-value of novelty alone, whatever reason the record gives; blank sky and M stars are left "
        "out of them, since other reasons find these (NO_SIGNAL and OTHER_KNOWN; the table of kinds has their rates). "
        "Several spectra are of one supernova, and some of one OzDES transient: intervals of all spectra take these "
        "for independent and are too narrow, and those of each object once (its first spectrum) are right. Transients "
        "in host light are drawn several times into each of a few galaxies: their bands come from drawing the galaxies "
        "again, each with all that is in it. P-values of known objects, where they are uniform, follow the diagonal; "
        "below it they are too large, which costs detections, and above it too small."
    )
    return Section("Unknown", text, items)


def each_object_once(kinds: Mapping[str, Answers], objects: Mapping[str, Sequence[str]]) -> dict[str, Answers]:
    """Return the kinds and, after each whose objects have several spectra, the answers to the first of each object.

    Args:
        kinds: by name.
        objects: by name, whose spectrum each is; a kind that is not named has one of each.
    """
    found: dict[str, Answers] = {}
    for name, answers in kinds.items():
        found[name] = answers
        first = first_spectra(objects.get(name, ()))
        if first.size < len(objects.get(name, ())):
            found[f"{name}, each object once"] = answers.rows(first)
    return found


def false_by_reason(samples: Mapping[str, Scored]) -> Table:
    """Return what share of known objects is flagged, by reason; ``samples`` by what to call them."""
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        flags, reason = scored.answers.unknown[scored.known], scored.answers.reason[scored.known]
        conformal = np.isin(reason, ("NOVEL", "OTHER_KNOWN"))
        row: list[Cell] = [name, share("any", flags), share("declared", conformal)]
        row += [share(each, reason == each) for each in _REASONS]
        rows.append([*row, *_beside(scored.answers, scored.known)])
    columns = ("known objects", "unknown", "NOVEL or OTHER_KNOWN", *_REASONS, *_BESIDE)
    return Table("False unknown, by reason", columns, rows)


def _by_class(samples: Mapping[str, Scored]) -> Table:
    rows: list[list[Cell]] = []
    for name in CLASSES:
        cells: list[Cell] = [name]
        for scored in samples.values():
            members = scored.truth == name
            cells.append(share("unknown", scored.answers.unknown[members]))
        rows.append(cells)
    return Table("False unknown, by true class", ("class", *samples), rows)


def by_class_picture(samples: Mapping[str, Scored], rate: float) -> Plot:
    """Return the unknown rate of each of the 13 classes with exact bands; ``samples`` by what to call them."""
    curves = []
    for name, scored in samples.items():
        shares = [share(each, scored.answers.unknown[scored.truth == each]) for each in CLASSES]
        found = [(float(place), each) for place, each in enumerate(shares) if each.n]
        bands = [each.interval for _, each in found]
        curves.append(
            Curve(
                name,
                [place for place, _ in found],
                [each.value for _, each in found],
                [low for low, _ in bands],
                [high for _, high in bands],
                [each.n for _, each in found],
            )
        )
    curves.append(Curve(f"declared {rate:g}", [-0.5, len(CLASSES) - 0.5], [rate, rate]))
    return Plot(
        "False unknown by class", "", "share flagged", curves, "marks", y_log=True, y_range=(0.05 * rate, 1.02),
        x_names=CLASSES,
    )  # fmt: skip


def _by_snr(name: str, scored: Scored, rate: float) -> Plot:
    snr = scored.answers.column("snr")
    curves = []
    for group in GROUPS:
        rows = np.flatnonzero(scored.group == group)
        curves.append(by_snr(group, snr[rows], scored.answers.unknown[rows]))
    ends = [min(min(curve.x, default=1.0) for curve in curves), max(max(curve.x, default=1.0) for curve in curves)]
    curves.append(Curve(f"declared {rate:g}", ends, [rate, rate]))
    return Plot(
        f"False unknown against S/N, {name}", "median S/N per bin of 207 km/s", "share flagged", curves, "marks",
        x_log=True, y_log=True, y_range=(0.05 * rate, 1.02),
    )  # fmt: skip


def detected(samples: Mapping[str, Scored], kinds: Mapping[str, Answers]) -> Table:
    """Return what share of objects that no class knows is flagged, by reason.

    Args:
        samples: by what to call them; their objects outside the scheme are counted by type.
        kinds: answers on what no class knows, by name.
    """
    rows: list[list[Cell]] = []
    for name, scored in samples.items():
        for kind in OTHER_TYPES:
            members = np.flatnonzero((scored.other == kind) & np.isin(scored.group, ("OTHER", "SKY")))
            if members.size:
                rows.append(_reasons(f"{kind} ({name})", scored.answers, members))
    rows += [_reasons(name, answers, np.arange(answers.top.size)) for name, answers in kinds.items()]
    return Table("Detected at the declared rate, by kind", ("kind", "unknown", *_REASONS, *_BESIDE), rows)


def _reasons(name: str, answers: Answers, members: Rows) -> list[Cell]:
    reason = answers.reason[members]
    row: list[Cell] = [name, share("unknown", answers.unknown[members])]
    row += [share(each, reason == each) for each in _REASONS]
    return [*row, *_beside(answers, members)]


_BESIDE = (f"VAE p <= {LEVEL:g}", "second redshift", "broad absorption", "in the anomaly feed", "feed or unknown")


def _beside(answers: Answers, members: Rows) -> list[Cell]:
    """Return what is flagged by the VAE's p-value, by either bit, by the anomaly feed, and by that or unknown."""
    p_value, quality = answers.column("anomaly_p_value")[members], answers.quality_flags[members]
    feed = anomalous(answers.reason[members], answers.other_type[members], p_value, quality)
    flags = (
        p_value <= LEVEL,
        quality & int(Quality.SECOND_REDSHIFT) > 0,
        quality & int(Quality.BROAD_ABSORPTION) > 0,
        feed,
        feed | answers.unknown[members],
    )
    return [share(name, each) for name, each in zip(_BESIDE, flags, strict=True)]


def _score(answers: Answers) -> Floats:
    """Return -log10 of the p-value of novelty, 0 where there is none."""
    p_value = answers.column("unknown_p_value")
    return np.asarray(-np.log10(np.where(np.isfinite(p_value), p_value, 1.0)), np.float64)


def _curves(real: Scored, transients: Transients, rate: float) -> Plot:
    known = _score(real.answers)[real.known]
    curves = [operating_curve(name, known, _score(answers)) for name, answers in transients.kinds.items()]
    return Plot(
        "Detection by the p-value of novelty, against real known objects", "share of known objects flagged",
        "share detected", curves, x_log=True, diagonal=True, y_range=(0.0, 1.02), x_range=LOW_RATES,
        x_line=(rate, f"declared rate {rate:g}"),
    )  # fmt: skip


def _rare_at_rate(kinds: Mapping[str, Answers]) -> Table:
    levels = (0.1, 0.05, 0.02, 0.01)
    rows: list[list[Cell]] = []
    for name, answers in kinds.items():
        novelty, anomaly = answers.column("unknown_p_value"), answers.column("anomaly_p_value")
        for what, p_value in (("novelty (published)", novelty), ("VAE alone", anomaly)):
            rows.append([name, what, *(_rare(p_value, level) for level in levels)])
    return Table(
        "Transients by p-value, whatever the reason", ("kind", "p-value of", *(f"p <= {x:g}" for x in levels)), rows
    )


def _rare(p_value: Floats, level: float) -> Proportion:
    """Return the share at or below a level of those that have a p-value."""
    return share(f"p <= {level:g}", p_value[np.isfinite(p_value)] <= level)


def _in_host(kind: str, by_share: Mapping[float, InHost]) -> Plot:
    """Return the shares detected, with bands from drawing the hosts again."""
    curves: list[Curve] = []
    fractions = list(by_share)
    for name, column, level in (
        ("flagged unknown", "", 0.0),
        ("novelty p <= 0.05", "unknown_p_value", 0.05),
        ("VAE p <= 0.05", "anomaly_p_value", 0.05),
    ):
        found = [_hits(each, column, level) for each in by_share.values()]
        if not all(hits.size for hits, _ in found):
            continue
        bands = [share_interval(hits, hosts, np.random.default_rng(SEED)) for hits, hosts in found]
        curves.append(
            Curve(
                name,
                fractions,
                [float(hits.mean()) for hits, _ in found],
                [band[0] for band in bands],
                [band[1] for band in bands],
                [hits.size for hits, _ in found],
            )
        )
    galaxies = len({host for each in by_share.values() for host in each.hosts})
    return Plot(
        f"{kind} in the light of real galaxies", f"share of the light that is theirs, in {galaxies} galaxies",
        "share detected", curves, "points", y_range=(0.0, 1.02),
    )  # fmt: skip


def _hits(seen: InHost, column: str, level: float) -> tuple[Flags, list[str]]:
    """Return which have a p-value at or below a level, or with no column which are unknown, and their hosts."""
    p_value = seen.answers.column(column)
    given = np.isfinite(p_value) if column else np.ones(p_value.size, np.bool_)
    hits = p_value <= level if column else seen.answers.unknown
    return np.asarray(hits[given], np.bool_), [seen.hosts[row] for row in np.flatnonzero(given).tolist()]
