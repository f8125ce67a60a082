"""Simulated spectra as records with the fields of ``l1_spectrum``, truth apart: for the demo and the load generator.

``classifiers.training.simulation.forms`` says which forms there are, as surveys deliver them.
The truth never enters a record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classifiers.training.simulation.forms import EXPOSURE_S, Layout
from classifiers.training.simulation.grid import Float32, NDBool
from classifiers.training.simulation.instruments import NAMES, Instrument
from classifiers.training.simulation.labelling import Labels
from classifiers.training.simulation.resample import Resampling
from classifiers.training.simulation.scheme import CLASSES, KINDS, OTHER_INDEX, OTHER_TYPES, SKY_INDEX
from classifiers.training.simulation.simulator import DEFAULT_KINDS, Simulator
from classifiers.training.simulation.truth import Exposure, NoiselessBatch

EXPOSURE = {"4MOST_LRS": 1624, "4MOST_HRS": 812}
MASKED_BIT = 1
_FIELD_CENTRE_DEG, _FIELD_RADIUS_DEG = (150.1, 2.2), 1.2
_FIRST_MJD = 61_000.2


@dataclass(frozen=True, slots=True)
class Truth:
    """What a simulated record really is.

    Attributes:
        l1_id: of the record.
        kind: GALAXY, QSO, STAR or OTHER.
        class_name: label by the survey's rule, or OTHER.
        other_type: M, LT, WD, CV, CARBON, OB or SKY; None inside the scheme.
        redshift: a quasar's as surveys define it; v/c for stars.
        snr: median S/N per native pixel, 0 for blank sky.
    """

    l1_id: str
    kind: str
    class_name: str
    other_type: str | None
    redshift: float
    snr: float


@dataclass(frozen=True, slots=True)
class SimulatedRecord:
    """A record with the fields of ``l1_spectrum`` (arrays as numpy) and its truth."""

    record: dict[str, Any]
    truth: Truth


def simulated_records(
    simulator: Simulator,
    n: int,
    seed: int,
    form: str = "SDSS",
    kinds: Mapping[str, float] = DEFAULT_KINDS,
    prefix: str = "SIM",
    threads: int = 1,
) -> Iterator[SimulatedRecord]:
    """Yield n records; the same arguments give the same records with any number of threads, a larger n begins so.

    Args:
        simulator: the forward simulator.
        n: how many.
        seed: chunk i uses the generator of (seed, i).
        form: one of ``forms.FORMS``.
        kinds: relative frequency by kind; 4MOST_HRS draws stars only.
        prefix: of the l1_id, which is "<prefix>-<form>-<seed>-<number>".
        threads: chunks that are made side by side.

    Raises:
        ValueError: unknown form or kind.
    """
    layout = Layout.of(form)
    mixture = {"STAR": 1.0} if form == "4MOST_HRS" else kinds
    size = layout.chunk
    seen_by = np.full(size, NAMES.index(layout.instrument.name))

    def chunk(start: int) -> list[SimulatedRecord]:
        rng = np.random.default_rng((seed, start // size))
        truth = simulator.draw_noiseless(size, rng, mixture, seen_by)
        numbers = range(start, min(start + size, n))
        return list(_chunk(simulator, truth, layout, numbers, f"{prefix}-{form}-{seed}", rng))

    for records in _side_by_side(chunk, range(0, n, size), threads):
        yield from records


def _side_by_side(
    chunk: Callable[[int], list[SimulatedRecord]], starts: Iterable[int], threads: int
) -> Iterator[list[SimulatedRecord]]:
    """Yield chunks in order; no more of them are ahead than there are threads."""
    if threads == 1:
        yield from map(chunk, starts)
        return
    ahead: deque[Future[list[SimulatedRecord]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start in starts:
            ahead.append(pool.submit(chunk, start))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def simulated_exposure(
    simulator: Simulator, seed: int, fibres: Mapping[str, int] = EXPOSURE, prefix: str = "SIM", threads: int = 1
) -> Iterator[SimulatedRecord]:
    """Yield one exposure of 4MOST: 1,624 low-resolution and 812 high-resolution spectra.

    Args:
        simulator: the forward simulator.
        seed: as in ``simulated_records``.
        fibres: number of spectra by form.
        prefix: of the l1_id.
        threads: as in ``simulated_records``.
    """
    for form, count in fibres.items():
        yield from simulated_records(simulator, count, seed, form, prefix=prefix, threads=threads)


def on_own_pixels(
    resampling: Resampling, instrument: Instrument, seen: Exposure, rng: np.random.Generator
) -> tuple[Float32, Float32, NDBool]:
    """Return flux with noise, inverse variance and good pixels of exposures on an instrument's own pixels.

    Args:
        resampling: to these k pixels.
        instrument: of which the noise differs from what is reported by a factor.
        seen: m exposures without noise.
        rng: of the noise.

    Returns:
        Three arrays (m, k).
    """
    flux, sigma, good = resampling.flux(seen.flux), resampling.sigma(seen.sigma), resampling.good(seen.good)
    factor = rng.uniform(*instrument.noise_factor, (len(flux), 1)).astype(np.float32)
    flux += factor * sigma * rng.standard_normal(flux.shape, dtype=np.float32)
    return flux, np.where(good, 1.0 / sigma**2, np.float32(0.0)), good


def _chunk(
    simulator: Simulator, truth: NoiselessBatch, layout: Layout, numbers: range, prefix: str, rng: np.random.Generator
) -> Iterator[SimulatedRecord]:
    count = len(truth.kind)
    labels, everything = Labels.blank(truth), np.arange(count)
    seen = simulator.expose(truth, everything, layout.instrument, rng)
    if layout.resampling is None:
        simulator.noise_model.add_noise(seen.flux, seen.sigma, layout.instrument, rng)
        simulator.labeller.write(truth, everything, seen, labels, rng)
        cut = layout.cut
        flux, inverse_variance, good = seen.flux[:, cut], seen.inverse_variance[:, cut], seen.good[:, cut]
    else:
        simulator.noise_model.add_residuals(seen.flux, seen.sigma, layout.instrument, rng)
        # the record's noise is drawn on its own pixels: the label is that of another exposure as deep as this one
        noise = seen.sigma * rng.standard_normal(seen.flux.shape, dtype=np.float32)
        again = replace(seen, flux=seen.flux + noise)
        simulator.labeller.write(truth, everything, again, labels, rng)
        flux, inverse_variance, good = on_own_pixels(layout.resampling, layout.instrument, seen, rng)
    brightness = (10.0 ** rng.uniform(-0.3, 1.7, count)).astype(np.float32)
    flux = (flux * brightness[:, None]).astype(np.float32)
    inverse_variance = (inverse_variance / brightness[:, None] ** 2).astype(np.float32)
    quality = np.where(good, np.int32(0), np.int32(MASKED_BIT)).astype(np.int32)
    order = rng.permutation(count)
    position = _positions(count, rng)
    sky_fibre = rng.random(count) < 0.5
    for number, row in zip(numbers, order, strict=False):
        l1_id = f"{prefix}-{number:07d}"
        blank = truth.other_type[row] == SKY_INDEX
        fields = {
            "l1_id": l1_id,
            "object_id": f"{prefix}-{number:07d}",
            "ob_id": f"{prefix}-{number // 2400:04d}",
            "fibre_id": number % 2400 + 1,
            "fibre_use": "SKY" if blank and sky_fibre[row] else "OBJECT",
            "spectrograph": str(number % 2400 // 800 + 1),
            "ra_deg": float(position[row, 0]),
            "dec_deg": float(position[row, 1]),
            "mjd_start": _FIRST_MJD + (number // 2400) * 0.02,
            "mjd_end": _FIRST_MJD + (number // 2400) * 0.02 + EXPOSURE_S / 86_400.0,
            "magnitudes": [] if blank else [_magnitude(float(brightness[row]))],
            "flux": _frozen(flux[row]),
            "uncertainty": _frozen(inverse_variance[row]),
            "quality": _frozen(quality[row]),
        }
        yield SimulatedRecord({**layout.fields, **fields}, _truth(l1_id, labels, seen.snr, int(row)))


def _truth(l1_id: str, labels: Labels, snr: Any, row: int) -> Truth:
    index = int(labels.class_index[row])
    other = int(labels.other_type[row])
    return Truth(
        l1_id,
        KINDS[int(labels.kind[row])],
        "OTHER" if index == OTHER_INDEX else CLASSES[index],
        OTHER_TYPES[other] if other >= 0 else None,
        float(labels.redshift[row]),
        float(snr[row]),
    )


def _frozen(values: Any) -> Any:
    values.setflags(write=False)
    return values


def _positions(count: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return right ascension and declination, (count, 2) deg, uniform in a round field."""
    radius = _FIELD_RADIUS_DEG * np.sqrt(rng.random(count))
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    dec = _FIELD_CENTRE_DEG[1] + radius * np.sin(angle)
    ra = _FIELD_CENTRE_DEG[0] + radius * np.cos(angle) / np.cos(np.radians(dec))
    return np.stack([ra, dec], axis=1)


def _magnitude(flux_density: float) -> dict[str, Any]:
    """Return the AB magnitude at 6200 A of a flux density in 1e-17 erg/s/cm2/A (Oke & Gunn 1983, ApJ 266, 713)."""
    per_hertz = flux_density * 1e-17 * 6200.0**2 / 2.99792458e18
    return {"band": "r", "system": "AB", "value": float(-2.5 * np.log10(per_hertz) - 48.6), "error": 0.02}
