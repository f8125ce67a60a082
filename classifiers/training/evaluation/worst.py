"""Section of the worst errors: confident and wrong, with the spectrum and what the VAE finds odd in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.preprocess.prepare import prepare
from classifiers.training.evaluation.answers import Scored
from classifiers.training.evaluation.document import Example, Section
from classifiers.training.simulation.grid import Float32

_MOST = 3


Reconstruct: TypeAlias = Callable[[Float32, Float32], Float32]
"""Flux and inverse variance on the common grid, (n, bin) each, to what the VAE makes of them, in the unit of flux."""


def worst(
    scored: Scored, spectra: Sequence[Spectrum], anomaly: LoadedEngine, reconstruct: Reconstruct | None = None
) -> Section:
    """Return the section: the most confident wrong group, wrong class, redshift failures, and false unknowns.

    Args:
        scored: the real sample.
        spectra: the same.
        anomaly: engine of role ``anomaly``, for the contributions.
        reconstruct: of the same bundle; None draws no reconstruction.
    """
    chosen = worst_rows(scored)
    examples = _examples(scored, [spectra[row] for _, row in chosen], chosen, anomaly, reconstruct) if chosen else []
    text = (
        "Up to three of each kind, the most confident first, and no object twice: what is wrong in several ways stands "
        "under the first of them. Black: flux on the common grid, normalised; orange: "
        "one-sigma error; blue: the VAE's reconstruction (where torch is there to compute it); red: what each bin adds "
        "to the VAE's reduced chi-square (scale on the right; the score cuts it where the bars are cut)."
    )
    return Section("The worst errors", text, examples)


def worst_rows(scored: Scored) -> list[tuple[str, int]]:
    """Return the kind of error and the row of up to three of each kind, each of another object."""
    answers = scored.answers
    top = np.nan_to_num(answers.probabilities.max(axis=1))
    coarse = np.nan_to_num(answers.group_probabilities.max(axis=1))
    redshift_error = np.abs(np.nan_to_num(scored.redshift_error))
    known = np.isin(scored.group, ("GALAXY", "QSO", "STAR"))
    extragalactic = np.isin(scored.group, ("GALAXY", "QSO")) & scored.right_group
    choices = (
        ("wrong group", coarse, known & ~scored.right_group),
        ("wrong class", top, known & (scored.truth != "") & ~scored.right & scored.right_group),
        ("redshift failure", redshift_error, extragalactic & (redshift_error > 0.0033)),
        ("false unknown", -answers.column("unknown_p_value"), known & answers.unknown),
    )
    chosen: list[tuple[str, int]] = []
    taken: set[str] = set()
    for title, badness, rows in choices:
        members = np.flatnonzero(rows & np.isfinite(badness))
        order = members[np.argsort(-badness[members], kind="stable")]
        shown = 0
        for row in order.tolist():
            if shown < _MOST and scored.labels[row].object_id not in taken:
                taken.add(scored.labels[row].object_id)
                chosen.append((title, row))
                shown += 1
    return chosen


def _examples(
    scored: Scored,
    spectra: list[Spectrum],
    chosen: list[tuple[str, int]],
    anomaly: LoadedEngine,
    reconstruct: Reconstruct | None,
) -> list[Example]:
    grid = anomaly.bundle.manifest.grid
    if grid is None:
        raise ValueError(f"expected a spectral bundle with a grid, got {anomaly.bundle.manifest.name}")
    prepared = prepare(spectra, grid.grid())
    outputs = anomaly.engine.run({"flux": prepared.flux, "inverse_variance": prepared.inverse_variance})
    made = None if reconstruct is None else reconstruct(prepared.flux, prepared.inverse_variance)
    examples = []
    for index, (title, row) in enumerate(chosen):
        seen = prepared.inverse_variance[index] > 0
        error = np.full(seen.size, np.nan)
        error[seen] = prepared.inverse_variance[index][seen] ** -0.5
        examples.append(
            Example(
                title=f"{title}: {scored.labels[row].object_id} ({scored.labels[row].survey})",
                caption=_caption(scored, row),
                wavelength_angstrom=grid.grid().centres_angstrom.round(2).tolist(),
                flux=np.where(seen, prepared.flux[index], np.nan).tolist(),
                error=error.tolist(),
                contribution=np.where(seen, outputs["contribution"][index], np.nan).tolist(),
                reconstruction=() if made is None else np.where(seen, made[index], np.nan).tolist(),
            )
        )
    return examples


def _caption(scored: Scored, row: int) -> str:
    answers = scored.answers
    label = scored.labels[row]
    parts = [f"survey: {label.class_name or label.group}"]
    if label.group in ("GALAXY", "QSO") and np.isfinite(label.redshift):
        parts.append(f"z = {label.redshift:.4f}")
    if answers.names[row]:
        parts.append(f"found: {answers.names[row]}, P = {answers.probabilities[row].max():.2f}")
    for name, form in (("redshift", "z = {:.4f}"), ("snr", "S/N {:.1f}"), ("unknown_p_value", "novelty p = {:.3g}")):
        value = answers.column(name)[row]
        if np.isfinite(value):
            parts.append(form.format(value))
    if answers.zwarn[row] > 0:
        parts.append(f"zwarn {answers.zwarn[row]}")
    if answers.reason[row]:
        parts.append(f"unknown: {answers.reason[row]} {answers.other_type[row]}".strip())
    return ", ".join(parts)
