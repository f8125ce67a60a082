"""Samples on the pixels that an instrument delivers, instead of the native grid of simulations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.items import GridAxis, Spectrum
from classifiers.training.evaluation.other_samples import Sample, supernova_labels, supernova_templates
from classifiers.training.evaluation.real_spectra import RealLabel
from classifiers.training.simulation.forms import Layout
from classifiers.training.simulation.l1_records import MASKED_BIT, on_own_pixels, simulated_records
from classifiers.training.simulation.scheme import CLASSES
from classifiers.training.simulation.simulator import Simulator

_FIELDS = (
    "medium", "flux", "uncertainty", "uncertainty_kind", "flux_unit", "quality", "resolving_power", "sampling",
)  # fmt: skip


def simulated_as_delivered(n: int, seed: int, form: str) -> Sample:
    """Draw simulated records of a form with a regular grid; see ``simulated_records``.

    Their noise is drawn on the form's own pixels, and their label is that of another exposure as deep.
    """
    spectra: list[Spectrum] = []
    labels: list[RealLabel] = []
    for number, made in enumerate(simulated_records(Simulator.load(), n, seed, form)):
        truth = made.truth
        spectra.append(_item(made.record))
        labels.append(
            RealLabel(
                row=number,
                survey=form,
                group="SKY" if truth.other_type == "SKY" else truth.kind,
                class_name=truth.class_name if truth.class_name in CLASSES else None,
                exact_type=False,
                other_type=truth.other_type,
                redshift=truth.redshift,
                object_id=truth.l1_id,
                snr=truth.snr,
            )
        )
    return spectra, labels


def supernovae_as_delivered(spectra_folder: Path, snr: float, rng: np.random.Generator, form: str) -> Sample:
    """Return each supernova, at rest, as records of a form with a resampling; see ``other_samples.supernovae``.

    Args:
        spectra_folder: holds the templates.
        snr: median per native pixel (69 km/s) over what instrument and template cover.
        rng: of the noise.
        form: one of ``forms.FORMS``.

    Raises:
        ValueError: the form has native pixels.
    """
    layout, simulator = Layout.of(form), Simulator.load()
    if layout.resampling is None:
        raise ValueError(f"form: expected one with pixels of its own, got {form}")
    names, templates = supernova_templates(spectra_folder)
    covered = np.isfinite(templates)
    clean = np.where(covered, templates, np.float32(0.0))
    seen = simulator.expose_at(clean, np.full(len(names), snr), layout.instrument, rng, covered)
    simulator.noise_model.add_residuals(seen.flux, seen.sigma, layout.instrument, rng)
    flux, weight, good = on_own_pixels(layout.resampling, layout.instrument, seen, rng)
    quality = np.where(good, np.int32(0), np.int32(MASKED_BIT)).astype(np.int32)
    rows = zip(flux, weight, quality, strict=True)
    items = [_item({**layout.fields, "fibre_use": "OBJECT", **_pixels(*row)}) for row in rows]
    return items, supernova_labels(names, snr)


def _pixels(flux: Any, uncertainty: Any, quality: Any) -> dict[str, Any]:
    return {"flux": flux, "uncertainty": uncertainty, "quality": quality}


def _item(record: Mapping[str, Any]) -> Spectrum:
    """Return a simulated record, whose wavelengths are barycentric, as an item."""
    return Spectrum(
        axis=GridAxis(**record["grid"]),
        velocity_correction_km_s=0.0,
        sky_fibre=record["fibre_use"] == "SKY",
        **{name: record[name] for name in _FIELDS},
    )
