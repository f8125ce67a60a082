"""Samples beside the real labelled spectra: held-out simulations, DESI coadds, supernovae, OzDES transients.

Each returns items as the stream would give them, with labels of the same form as the real ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.items import GridAxis, InlineAxis, Spectrum, quality_of
from classifiers.training.evaluation.damage import blended
from classifiers.training.evaluation.real_spectra import RealLabel, barycentric, native_spectra
from classifiers.training.evaluation.resampling import first_spectra
from classifiers.training.simulation.grid import Float32, Float64, native_wavelength
from classifiers.training.simulation.instruments import BY_NAME, NAMES
from classifiers.training.simulation.scheme import CLASSES, KINDS, OTHER_INDEX, OTHER_TYPES
from classifiers.training.simulation.simulator import DEFAULT_KINDS, SimulatedBatch, Simulator

Sample = tuple[list[Spectrum], list[RealLabel]]

HELD_OUT_SEED = 2_000_003
"""Of the simulated sample: neither the seed of any training nor of the calibration."""
TRANSIENT = "TRANSIENT"
SUPERNOVA_SNR = (5.0, 10.0, 20.0)
LEAST_COVERED = 0.9
"""Of a galaxy's pixels, by a supernova that is mixed into its light."""
_OTHER_REDSHIFT = 0.05
_CHUNK = 1024
_DESI_FIRST, _DESI_STEP, _DESI_PIXELS = 3600.0, 0.8, 7781


def simulated(
    n: int,
    seed: int = HELD_OUT_SEED,
    instrument: str | None = None,
    kinds: Mapping[str, float] = DEFAULT_KINDS,
) -> Sample:
    """Draw a held-out sample of one instrument or of the mix of all; the same arguments give the same sample."""
    simulator = Simulator.load()
    spectra: list[Spectrum] = []
    labels: list[RealLabel] = []
    for start in range(0, n, _CHUNK):
        rng = np.random.default_rng((seed, start // _CHUNK))
        batch = simulator.draw(min(_CHUNK, n - start), rng, instrument, kinds)
        spectra += native_spectra(batch.flux, batch.inverse_variance)
        labels += [_simulated_label(batch, row, start + row) for row in range(len(batch))]
    return spectra, labels


def simulated_quasars(n: int, least_redshift: float) -> tuple[list[Spectrum], NDArray[np.bool_]]:
    """Draw quasars beyond a redshift, and whether each has broad absorption: (at most n,) bool."""
    batch = Simulator.load().draw(n, np.random.default_rng((HELD_OUT_SEED, 1, 0)), kinds={"QSO": 1.0})
    far = batch.redshift > least_redshift
    return native_spectra(batch.flux[far], batch.inverse_variance[far]), batch.broad_absorption[far]


def double_redshifts(
    spectra: Sequence[Spectrum], redshift: Float64, objects: Sequence[str], rng: np.random.Generator
) -> list[Spectrum]:
    """Return objects blended with others of quite another redshift, of equal median flux.

    Each object, by its first spectrum, is in one pair at most the own one and in one at most the partner, and no two
    are paired twice. The last ones may find no partner left.

    Args:
        spectra: galaxies and quasars on one grid.
        redshift: (n,) of them.
        objects: (n,) whose spectrum each is.
        rng: chooses the partners.
    """
    first = first_spectra(objects)
    own = redshift[first]
    free, partner = np.ones(first.size, np.bool_), np.full(first.size, -1)
    made = []
    for place, row in enumerate(first.tolist()):
        apart = np.abs(own - own[place]) > _OTHER_REDSHIFT * (1.0 + own[place])
        others = np.flatnonzero(apart & free & (partner != place))
        if others.size:
            partner[place] = rng.choice(others)
            free[partner[place]] = False
            made.append(blended(spectra[row], spectra[int(first[partner[place]])]))
    return made


def _simulated_label(batch: SimulatedBatch, row: int, number: int) -> RealLabel:
    index, other = int(batch.class_index[row]), int(batch.other_type[row])
    other_type = OTHER_TYPES[other] if other >= 0 else None
    return RealLabel(
        row=number,
        survey=NAMES[int(batch.instrument[row])],
        group="SKY" if other_type == "SKY" else KINDS[int(batch.kind[row])],
        class_name=None if index == OTHER_INDEX else CLASSES[index],
        exact_type=False,
        other_type=other_type,
        redshift=float(batch.redshift[row]),
        object_id=f"simulated-{number}",
        snr=float(batch.snr[row]),
    )


def desi_coadds(spectra_folder: Path) -> Sample:
    """Read the DESI coadds, arms joined with inverse variance; the same target is taken once.

    All are quasar targets; two have no published redshift, hence no known class.
    """
    spectra: list[Spectrum] = []
    labels: list[RealLabel] = []
    seen: set[str] = set()
    with np.load(spectra_folder / "desi_real.npz", allow_pickle=False) as stored:
        for name in stored.files:
            target = name.split("_")[0]
            if name.startswith("z_") or target in seen:
                continue
            seen.add(target)
            wavelength, flux, weight = stored[name].astype(np.float64)
            redshift = float(stored[f"z_{name}"])
            flux, weight = _joined(wavelength, flux, weight)
            axis = GridAxis("LINEAR", _DESI_FIRST, _DESI_STEP, _DESI_PIXELS)
            spectra.append(barycentric(axis, flux.astype(np.float32), weight.astype(np.float32)))
            group = "QSO" if np.isfinite(redshift) else ""
            snr = float(np.median((flux * np.sqrt(weight))[weight > 0]))
            labels.append(_outside_scheme(len(labels), "DESI", group, redshift, target, snr))
    return spectra, labels


def _joined(wavelength: Float64, flux: Float64, weight: Float64) -> tuple[Float64, Float64]:
    place = np.round((wavelength - _DESI_FIRST) / _DESI_STEP).astype(np.int64)
    weight = np.where(np.isfinite(flux) & np.isfinite(weight), np.maximum(weight, 0.0), 0.0)
    total = np.bincount(place, weight, _DESI_PIXELS)
    weighted = np.bincount(place, np.where(weight > 0, flux, 0.0) * weight, _DESI_PIXELS)
    mean = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(mean, np.float64), np.asarray(total, np.float64)


def supernova_templates(spectra_folder: Path) -> tuple[list[str], Float32]:
    """Read the observed supernova spectra on the native grid, (n, 4671) float32 of median 1, NaN where not covered.

    Names that begin with "theory" are models, and left out.
    """
    names: list[str] = []
    rows: list[Float64] = []
    grid = native_wavelength()
    with np.load(spectra_folder / "sn_spectra.npz", allow_pickle=False) as stored:
        for name in stored.files:
            if "theory" in name:
                continue
            wavelength, first = np.unique(stored[name][:, 0].astype(np.float64), return_index=True)
            row = np.interp(grid, wavelength, stored[name][first, 1].astype(np.float64), left=np.nan, right=np.nan)
            middle = float(np.nanmedian(row)) if np.isfinite(row).any() else 0.0
            if middle > 0:
                names.append(name)
                rows.append(row / middle)
    return names, np.asarray(rows, np.float32)


def supernovae(spectra_folder: Path, snr: float, rng: np.random.Generator, instrument: str | None = None) -> Sample:
    """Return each supernova, at rest, as an instrument would see it at a median S/N per native pixel (69 km/s).

    Args:
        spectra_folder: holds the templates.
        snr: over what instrument and template cover.
        rng: of the noise.
        instrument: name in ``instruments.NAMES``; None for flat noise and no other imperfection.
    """
    names, flux = supernova_templates(spectra_folder)
    covered = np.isfinite(flux)
    flux = np.where(covered, flux, np.float32(0.0))
    labels = supernova_labels(names, snr)
    if instrument is None:
        flux += (rng.standard_normal(flux.shape) / snr).astype(np.float32)
        weight = np.where(covered, np.float32(snr**2), np.float32(0.0))
        return native_spectra(np.where(covered, flux, np.float32(0.0)), weight), labels
    simulator, seen_by = Simulator.load(), BY_NAME[instrument]
    seen = simulator.expose_at(flux, np.full(len(names), snr), seen_by, rng, covered)
    simulator.noise_model.add_noise(seen.flux, seen.sigma, seen_by, rng)
    return native_spectra(seen.flux * seen.good, seen.inverse_variance), labels


def supernova_labels(names: Sequence[str], snr: float) -> list[RealLabel]:
    """Return the labels of supernovae, which no class knows.

    Args:
        names: of their spectra: a folder, the supernova, and after a full stop how old it was.
        snr: of all.
    """
    objects = [name.split(".")[0].lower() for name in names]
    return [_outside_scheme(row, "SN", TRANSIENT, float("nan"), each, snr) for row, each in enumerate(objects)]


def ozdes_transients(spectra_folder: Path) -> Sample:
    """Read the OzDES transient spectra (air wavelengths, flux, error), most of whose light is the host galaxy's."""
    spectra: list[Spectrum] = []
    labels: list[RealLabel] = []
    with np.load(spectra_folder / "ozdes_transients.npz", allow_pickle=False) as stored:
        for name in stored.files:
            wavelength, flux, sigma = stored[name].T
            good = np.isfinite(flux) & np.isfinite(sigma) & (sigma > 0)
            axis = InlineAxis(wavelength.astype(np.float64), hashlib.sha256(wavelength.tobytes()).digest())
            spectra.append(
                Spectrum(
                    axis=axis,
                    medium="AIR",
                    flux=flux,
                    uncertainty=sigma,
                    uncertainty_kind="SIGMA",
                    flux_unit="",
                    quality=quality_of(good),
                    velocity_correction_km_s=0.0,
                    resolving_power=1400.0,
                    sampling="DISPERSED",
                    sky_fibre=False,
                )
            )
            snr = float(np.median(flux[good] / sigma[good]))
            labels.append(_outside_scheme(len(labels), "OzDES", TRANSIENT, float("nan"), name.split("_")[0], snr))
    return spectra, labels


def in_host_light(
    host_flux: Float32,
    host_weight: Float32,
    host_redshift: Float64,
    templates: Float32,
    fraction: float,
    rng: np.random.Generator,
    each: int,
) -> tuple[list[Spectrum], NDArray[np.int64]]:
    """Mix supernovae into real galaxy spectra at the galaxies' redshifts; return which host each is in, too.

    The supernova has ``fraction`` of the light where both are seen; pixels that its template does not cover are masked,
    and pairs with too many of them are left out. The galaxy's own noise stays as it is.

    Args:
        host_flux: (h, 4671) native grid.
        host_weight: (h, 4671) inverse variance.
        host_redshift: (h,).
        templates: (t, 4671) of median 1, NaN where not covered, at rest.
        fraction: 0 .. 1.
        rng: chooses the supernovae.
        each: supernovae a host.
    """
    grid = native_wavelength()
    flux: list[Float32] = []
    weight: list[Float32] = []
    hosts: list[int] = []
    for number, (host, seen, redshift) in enumerate(zip(host_flux, host_weight, host_redshift, strict=True)):
        made = 0
        for choice in rng.permutation(len(templates)):
            if made == each:
                break
            shifted = np.interp(grid, grid * (1.0 + redshift), templates[choice], left=np.nan, right=np.nan)
            both = np.isfinite(shifted) & (seen > 0)
            if np.count_nonzero(both) < LEAST_COVERED * np.count_nonzero(seen > 0):
                continue
            level = float(np.median(host[both]))
            shifted *= level / float(np.median(shifted[both]))
            mixed = np.where(both, (1.0 - fraction) * host + fraction * shifted, 0.0)
            flux.append(mixed.astype(np.float32))
            weight.append(np.where(both, seen, np.float32(0.0)))
            hosts.append(number)
            made += 1
    return native_spectra(np.asarray(flux), np.asarray(weight)), np.array(hosts, np.int64)


def _outside_scheme(row: int, survey: str, group: str, redshift: float, name: str, snr: float) -> RealLabel:
    return RealLabel(
        row=row, survey=survey, group=group, class_name=None, exact_type=False, other_type=None, redshift=redshift,
        object_id=name, snr=snr,
    )  # fmt: skip
