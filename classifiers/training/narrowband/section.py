"""Section on the narrow-band bundle: figures on mocks, of its training and measured anew, and on real spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifiers.training.evaluation.document import Cell, Curve, Item, Matrix, Plot, Proportion, Section, Table
from classifiers.training.narrowband import broad_colours, published
from classifiers.training.narrowband.purity import COMPLETENESS
from classifiers.training.narrowband.simulator import CLASSES, KINDS
from classifiers.training.simulation.grid import Float64

_SAMPLES = {"with_missing_bands": "as observed", "all_bands": "all bands there"}
PUBLISHED_DEPTHS_AB = (22.0, 23.5)
"""Range of the narrow bands of miniJPAS, 5 sigma in 3 arcsec (Bonoli et al. 2021, A&A 653, A31, abstract)."""
_SOURCES = {"all_sources": "all sources", "point_like_only": "point-like only"}


@dataclass(frozen=True, slots=True)
class Depths:
    """5-sigma depths of the bands: pivot wavelengths (m,), and the 16, 50 and 84 % quantiles (3, m) AB."""

    pivot_angstrom: Float64
    quantiles_ab: Float64


def narrowband(mocks: Mapping[str, Any], anew: Mapping[str, Any], real: Mapping[str, Any], depths: Depths) -> Section:
    """Return the section.

    Args:
        mocks: of the manifest's metrics, as ``measures.measured`` gives them.
        anew: of ``remeasured.remeasured``, on the same mocks.
        real: of ``real.evaluate_real``.
        depths: what the mocks' stated errors mean.
    """
    sample, sky = mocks["sample"], anew["on_the_sky"]
    items: list[Item] = [_classes(mocks["balanced"])]
    items += [
        Matrix(f"Classes of mocks, {name}", CLASSES, CLASSES, mocks["balanced"][key]["confusion"])
        for key, name in _SAMPLES.items()
    ]
    items += [
        _f1(mocks["balanced"]),
        _purity_plot(sky["by_magnitude"]),
        _purity(sky),
        _purity(anew["on_the_sky_as_needles"]),
    ]
    items += [
        _redshifts(mocks["redshift"]),
        _novelty(mocks),
        _novelty_by_kind(anew["false_unknown_by_kind"]),
        _real(real["by_r"]),
        _colours(real["colours_among_mocks"], real["colours_of_control_among_mocks"]),
        *broad_colours.pictures(real["broad_colours"]),
        _depths(depths),
        published.table(anew["beside_published"]),
    ]
    density = published.sources_per_deg2() / (published.J_NEP_SOURCES / published.J_NEP_DEG2)
    text = (
        f"Mocks: {sample['n_by_kind']:,} of each of quasars, galaxies and stars with r < {sample['r_below']:g}, "
        f"{100 * sample['missing_bands']:.1f} % of their bands missing; QSO_HIGH_Z is z >= {sample['high_z_from']:g}. "
        "f1 on balanced mocks says little of a survey, and mocks of others compare nothing. Purity at realistic "
        f"densities: {sky['quasars_per_deg2_beyond_z_2.2']:g} quasars per deg2 at z > 2.2 among "
        f"{sky['sources_per_deg2']:,.0f} sources per deg2, ranked by P(z >= 2.1) at the prior of the sky; its lower "
        "limits have as many false sources of each kind as the exact Poisson limit of 95 % allows. False unknowns "
        f"by kind, purity and what stands beside published figures are measured for this report, on "
        f"{anew['n_by_kind']:,} mocks of each kind from the seeds of the training. Real spectra are seen through "
        "the bands, scaled to a magnitude and given noise; their colours are set beside those of noiseless mocks of "
        "like redshift (stars: of like colour). Sources without noise would lie 0 mag off and within the middle 68 % "
        "in 0.68 of all cases; real ones, with noise and errors of calibration, in fewer: they compare with the "
        "control, other mocks with noise as large as their stated errors and a response that is as wrong as the "
        "simulator of spectra has it for their instruments. "
        "In g, r and i, put together from the narrow bands, mocks stand beside what SDSS published: its quasars are "
        "bright, point-like and chosen for their ultraviolet excess, so that those of the mocks, with hosts and dust, "
        "are redder. "
        "Depths of the mocks were given the published range; how they run between its ends is the model's own. "
        "Published figures are of other mocks, samples and depths, and compare only roughly; the mocks have "
        f"{density:.1f} times as many sources as J-NEP counted, which makes their purity pessimistic, and zero points "
        "that are more wrong than J-PLUS's."
    )
    return Section("J-PAS pseudo-spectra", text, items)


def _depths(found: Depths) -> Plot:
    low, middle, high = found.quantiles_ab.tolist()
    wavelength = found.pivot_angstrom.tolist()
    ends = [wavelength[0], wavelength[-1]]
    curves = [Curve("mocks: median and 16 to 84 %", wavelength, middle, low, high)]
    curves += [Curve(f"miniJPAS: {edge:g}", ends, [edge, edge]) for edge in PUBLISHED_DEPTHS_AB]
    return Plot("Depth of the mocks by their stated errors", "wavelength [Å]", "5 sigma depth in 3 arcsec [AB]", curves)


def _classes(balanced: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for key, name in _SAMPLES.items():
        for kind, found in balanced[key]["by_class"].items():
            low, high = found["f1_interval_95"]
            rows.append([name, kind, found["n"], found["f1"], f"{low:.4f} to {high:.4f}", found["completeness"]])
            rows[-1].append(found["purity"])
    columns = ("mocks", "class", "n", "f1", "95 % interval", "completeness", "purity")
    return Table("Classes of balanced mocks", columns, rows)


def _f1(balanced: Mapping[str, Any]) -> Plot:
    curves = []
    for key, name in _SAMPLES.items():
        bins = balanced[key]["by_magnitude"]
        kinds = next(iter(bins.values()))
        curves += [_curve(f"{kind}, {name}", [each[kind]["f1"] for each in bins.values()]) for kind in kinds]
    names = list(balanced["all_bands"]["by_magnitude"])
    return Plot("f1 of quasars on balanced mocks against r", "", "f1", curves, y_range=(0.6, 1.01), x_names=names)


def _purity_plot(bins: Mapping[str, Any]) -> Plot:
    """Draw points side by side, with bars down to the lower limits: curves that coincide are all seen."""
    names = list(bins)[:-1]  # the last is all of them
    places = [float(place) for place in range(len(names))]
    curves = []
    for key, name in _SOURCES.items():
        for level in COMPLETENESS:
            entries = [bins[r][key][str(level)] for r in names]
            high = [entry["purity"] for entry in entries]
            low = [entry.get("lower_limit_95", entry["purity"]) for entry in entries]
            curves.append(Curve(f"completeness {level:g}, {name}", places, high, low, high))
    return Plot(
        "Purity of quasars at z >= 2.1 at fixed completeness, on the sky", "", "purity", curves, "points",
        y_range=(0.0, 1.02), x_names=names,
    )  # fmt: skip


def _purity(sky: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for magnitude, found in sky["by_magnitude"].items():
        cells: list[Cell] = [magnitude, found["n"], found["quasars_per_deg2"], found["sources_per_deg2"]]
        for key in _SOURCES:
            for level in COMPLETENESS:
                entry = found[key][str(level)]
                limit = f"> {entry['lower_limit_95']:.4f}, " if "lower_limit_95" in entry else ""
                cells.append(f"{entry['purity']:.4f} ({limit}{entry['false_mocks']})")
        rows.append(cells)
    heads = [f"{name}, {level:g}" for name in _SOURCES.values() for level in COMPLETENESS]
    columns = ("r", "mocks", "quasars per deg2", "sources per deg2", *heads)
    density = f"{sky['quasars_per_deg2_beyond_z_2.2']:g} quasars per deg2 at z > 2.2"
    return Table(f"Purity at fixed completeness, {density} (lower 95 % limit, mocks wrongly taken)", columns, rows)


def _redshifts(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for kind, all_of_it in found.items():
        for name, each in (("all", all_of_it), *all_of_it["by_magnitude"].items()):
            if each["n"]:
                low, high = each["outliers_interval_95"]
                outliers = f"{each['outliers_beyond_0.15']:.4f} ({low:.4f} to {high:.4f})"
                rows.append([kind, name, each["n"], each["nmad"], outliers, each.get("width_of_pulls", "")])
    columns = ("", "r", "n", "NMAD / (1+z)", "beyond 0.15 (1+z)", "width of pulls")
    return Table("Redshifts of mocks", columns, rows)


def _novelty(mocks: Mapping[str, Any]) -> Table:
    known = mocks["false_unknown"]
    named = {f"known mocks, declared {known['declared']:g}": known}
    named |= {f"known mocks, {name}": each for name, each in mocks["false_unknown_by_missing_bands"].items()}
    named |= mocks["novelty_detected"]
    rows: list[list[Cell]] = [
        [name, each["n"], each["rate"], "{:.4f} to {:.4f}".format(*each["interval_95"])] for name, each in named.items()
    ]
    return Table("Flagged as unknown", ("", "n", "rate", "95 % interval"), rows)


def _novelty_by_kind(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [
        [magnitude, *(Proportion(kind, kinds[kind]["novel"], kinds[kind]["n"]) for kind in KINDS)]
        for magnitude, kinds in found.items()
    ]
    return Table("Known mocks flagged as unknown (NOVEL), by kind", ("", *KINDS), rows)


def _real(by_magnitude: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    names: Sequence[str] = ()
    for magnitude, found in by_magnitude.items():
        names = [name for name, each in found.items() if "right" in each]
        redshift = found["quasar redshifts"]["within_0.05"]
        cells: list[Cell] = [f"r = {magnitude}"]
        cells += [Proportion(name, found[name]["right"], found[name]["n"]) for name in names]
        rows.append([*cells, Proportion("redshift", redshift["right"], redshift["n"])])
    columns = ("", *names, "quasar redshifts within 0.05 (1+z)")
    return Table("Real spectra seen through the bands", columns, rows)


def _colours(real: Mapping[str, Any], control: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for kind, colours in real.items():
        for colour, each in colours.items():
            cells: list[Cell] = [kind, colour]
            for entry in (each, control[kind][colour]):
                cells += [entry["n"], entry["median_difference_mag"], entry["within_middle_68_percent"]]
            rows.append(cells)
    figures = ("n", "median difference [mag]", "share within the mocks' middle 68 %")
    columns = ("kind", "colour", *(f"{who}: {name}" for who in ("real", "control") for name in figures))
    return Table("Colours of real spectra, and of a control, among those of mocks", columns, rows)


def _curve(name: str, values: Sequence[float]) -> Curve:
    return Curve(name, [float(place) for place in range(len(values))], list(values))
