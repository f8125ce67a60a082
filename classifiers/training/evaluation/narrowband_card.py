"""The numbers of a model card of pseudo-spectra: mocks by class, purity on the sky, and real spectra seen in bands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_COMPLETENESS = ("0.5", "0.8", "0.9")
_DENSITIES = ("on_the_sky", "on_the_sky_as_needles")
_KINDS = ("all_sources", "point_like_only")


def narrowband_numbers(mocks: Mapping[str, Any], real: Mapping[str, Any] | None) -> list[str]:
    """Return tables as markdown.

    Args:
        mocks: the bundle's metrics, from its training.
        real: ``real_spectra`` of an evaluation of these weights; None where there is none.
    """
    sample = mocks["sample"]
    lines = [f"Mocks with r < {sample['r_below']}, {sample['missing_bands']:.2f} of the bands missing:", ""]
    lines += ["| class | f1 | 95 % interval | completeness | purity | n |", "| --- | --- | --- | --- | --- | --- |"]
    for name, found in mocks["balanced"]["with_missing_bands"]["by_class"].items():
        low, high = found["f1_interval_95"]
        cells = name, found["f1"], f"{low} to {high}", found["completeness"], found["purity"], found["n"]
        lines.append(_row(cells))
    for key in _DENSITIES:
        lines += ["", *_on_the_sky(mocks[key])]
    redshift = mocks["redshift"]["QSO"]
    lines += ["", f"Redshifts of quasars: NMAD {redshift['nmad']}, beyond 0.15 {redshift['outliers_beyond_0.15']}."]
    unknown = mocks["false_unknown"]
    low, high = unknown["interval_95"]
    declared = f"Unknown at a declared {unknown['declared']}"
    lines.append(f"{declared}: {unknown['rate']} ({low} to {high}) of {unknown['n']} mocks.")
    by_pattern = mocks["false_unknown_by_missing_bands"].items()
    lines.append(
        "By the bands that they lack: " + ", ".join(f"{name} {each['rate']}" for name, each in by_pattern) + "."
    )
    if real is None:
        return [*lines, "", "No evaluation on real spectra belongs to these weights."]
    return [*lines, "", *_real(real)]


def _on_the_sky(sky: Mapping[str, Any]) -> Iterator[str]:
    """Yield purity of quasars above the threshold at fixed completeness, by magnitude."""
    density, sources = sky["quasars_per_deg2_beyond_z_2.2"], sky["sources_per_deg2"]
    yield f"Purity at z >= 2.1 where {density:g} lie beyond z = 2.2 among {sources:g} sources per square degree:"
    yield ""
    heads = [f"at completeness {each}" for each in _COMPLETENESS]
    yield _row(["r", *heads, *(f"point-like, {each}" for each in heads)])
    yield _row(["---"] * (1 + 2 * len(heads)))
    for name, found in sky["by_magnitude"].items():
        yield _row([name, *(found[kind][each]["purity"] for kind in _KINDS for each in _COMPLETENESS)])


def _real(real: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of real spectra, seen through the bands, is called what it is."""
    yield "Real spectra of SDSS, BOSS and LAMOST seen through the bands (development data):"
    yield ""
    yield _row(["r", "measure", "of all", "95 % interval"])
    yield _row(["---"] * 4)
    for magnitude, measures in real["by_r"].items():
        for name, found in measures.items():
            if "right" in found:
                low, high = found["interval_95"]
                yield _row([magnitude, name, f"{found['right']}/{found['n']}", f"{low} to {high}"])


def _row(cells: Any) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
