"""One picture of a whole run: what was found, redshifts against the truth, the anomaly scores, the latent map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ops.plots.spectrum import ALARM, BAR, INK, LINE, load_matplotlib

LOWEST_SNR = 0.1
KIND_COLOURS = {"GALAXY": "#c98a2b", "QSO": "#1f5fa8", "STAR": "#5b8c5a"}


def _kind(l2: Mapping[str, Any]) -> str:
    return str(l2["top_class"]).split("_", 1)[0] if l2["top_class"] else "none"


def draw_night(records: Sequence[Mapping[str, Any]], truth: Mapping[str, Any], title: str) -> Any:
    """Draw four panels of a run.

    Args:
        records: L2 records of spectra.
        truth: true redshift by l1_id, where it is known.
        title: heading of the picture.

    Returns:
        A matplotlib Figure.
    """
    figure = load_matplotlib()(figsize=(13, 9), layout="constrained")
    (classes, redshifts), (anomalies, latent) = figure.subplots(2, 2)
    figure.suptitle(title, x=0.01, ha="left", color=INK)
    _draw_classes(classes, records)
    _draw_redshifts(redshifts, records, truth)
    _draw_anomalies(anomalies, records)
    _draw_map(latent, records)
    for axes in (classes, redshifts, anomalies, latent):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_classes(axes: Any, records: Sequence[Mapping[str, Any]]) -> None:
    known = Counter(str(l2["top_class"]) for l2 in records if not l2["unknown"])
    unknown = Counter(str(l2["unknown_reason"]) for l2 in records if l2["unknown"])
    names = [*sorted(known), *sorted(unknown)]
    counts = [*(known[name] for name in sorted(known)), *(unknown[name] for name in sorted(unknown))]
    colours = [KIND_COLOURS.get(name.split("_")[0], BAR) for name in sorted(known)] + [ALARM] * len(unknown)
    positions = np.arange(len(names))[::-1]
    axes.barh(positions, counts, color=colours, height=0.75)
    for position, count in zip(positions, counts, strict=True):
        axes.annotate(str(count), (count, position), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(positions, names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("spectra")
    axes.set_title("classes; unknown in red, by reason", loc="left", fontsize=10)


def _draw_redshifts(axes: Any, records: Sequence[Mapping[str, Any]], truth: Mapping[str, Any]) -> None:
    shown = [l2 for l2 in records if l2["l1_id"] in truth and _kind(l2) in {"GALAXY", "QSO"} and not l2["unknown"]]
    for kind in ("GALAXY", "QSO"):
        true = np.array([truth[l2["l1_id"]] for l2 in shown if _kind(l2) == kind], dtype=float)
        found = np.array([l2["redshift"] for l2 in shown if _kind(l2) == kind], dtype=float)
        axes.scatter(1 + true, 1 + found, s=9, color=KIND_COLOURS[kind], alpha=0.7, lw=0, label=kind.lower())
    axes.plot((1, 6.5), (1, 6.5), color=LINE, lw=0.7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = (0, 0.2, 0.5, 1, 2, 3, 4, 5)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks([1 + z for z in ticks], [f"{z:g}" for z in ticks])
        set_ticks([], minor=True)
    axes.set_xlabel("true redshift")
    axes.set_ylabel("redshift found")
    axes.legend(frameon=False, fontsize=8, markerscale=1.8, handletextpad=0.2)
    axes.set_title(f"redshift of {len(shown)} galaxies and quasars", loc="left", fontsize=10)


def _draw_anomalies(axes: Any, records: Sequence[Mapping[str, Any]]) -> None:
    snr = np.array([l2["snr"] if l2["snr"] is not None else np.nan for l2 in records])
    score = np.array([l2["anomaly_score"] if l2["anomaly_score"] is not None else np.nan for l2 in records])
    novel = np.array([l2["unknown_reason"] == "NOVEL" for l2 in records])
    axes.scatter(np.maximum(snr, LOWEST_SNR)[~novel], score[~novel], s=9, color=BAR, alpha=0.7, lw=0, label="not novel")
    axes.scatter(np.maximum(snr, LOWEST_SNR)[novel], score[novel], s=22, color=ALARM, lw=0, label="NOVEL")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"S/N per grid pixel (below {LOWEST_SNR:g} shown there)")
    axes.set_ylabel("anomaly score (reduced χ²)")
    axes.legend(frameon=False, fontsize=8, markerscale=1.8, handletextpad=0.2)
    axes.set_title("reconstruction of each spectrum", loc="left", fontsize=10)


def _draw_map(axes: Any, records: Sequence[Mapping[str, Any]]) -> None:
    placed = [l2 for l2 in records if l2["map_x"] is not None and l2["map_y"] is not None]
    for kind in ("GALAXY", "QSO", "STAR"):
        points = [(l2["map_x"], l2["map_y"]) for l2 in placed if _kind(l2) == kind and not l2["unknown"]]
        if points:
            axes.scatter(*zip(*points, strict=True), s=9, color=KIND_COLOURS[kind], alpha=0.7, lw=0, label=kind.lower())
    points = [(l2["map_x"], l2["map_y"]) for l2 in placed if l2["unknown"]]
    if points:
        axes.scatter(*zip(*points, strict=True), s=14, facecolors="none", edgecolors=ALARM, lw=0.8, label="unknown")
    if axes.collections:
        axes.legend(frameon=False, fontsize=8, markerscale=1.8, handletextpad=0.2)
    axes.set_xlabel("map x")
    axes.set_ylabel("map y")
    axes.set_title("latent map: neighbours look alike", loc="left", fontsize=10)
