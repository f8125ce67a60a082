"""Forward simulation of alert stamps of the four classes: what the image bundle learns and its p-values refer to.

One alert is a field of stars, often a galaxy, and either a source in the middle whose flux changed between template and
science image, or an artefact. Template, science and difference are consistent: same sources, own seeing, depth and
noise; the difference holds the change, noise, and the residuals of imperfect subtraction. Conditions, sizes, chip
edges, masked pixels and missing cutouts follow what the surveys send (``conditions``, ``cutting``). Fluxes are in units
of the science image's sky noise. Galaxies are Sersic profiles times the structure of real ones (``hosts``). Pure numpy;
all randomness from the generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Stamps
from classifiers.training.stamps.artefacts import KINDS, blemishes, dead_clumps
from classifiers.training.stamps.conditions import FULL_SIDE, SURVEYS, Conditions, draw_conditions
from classifiers.training.stamps.cutting import cut
from classifiers.training.stamps.profiles import Floats, PointSpread, render_galaxies, render_points
from classifiers.training.stamps.scheme import SHARES, StampClass
from classifiers.training.stamps.sources import Scene, draw_scene, draw_spread
from classifiers.training.stamps.subtraction import correlated_noise, photon_noise, ringing, subtraction_residual

CHUNK = 512
"""Images simulated at once; part of what a seed means."""
BLEMISHED = 0.08
"""Share of alerts with a detector fault away from the middle."""


@dataclass(frozen=True, slots=True)
class SimulatedStamps:
    """n simulated alerts.

    Attributes:
        images: (n, 3, 63, 63) float32, science, template, difference [sky sigma of the science image]; NaN = no pixel.
        labels: (n,) int64, ``StampClass``.
        kinds: n names: of the artefact (``artefacts.KINDS``), "" for the other classes.
        surveys: n names of ``conditions.SURVEYS`` whose conditions the alert was simulated in.
        fwhm_pixels: (n,) float32, seeing of the science image.
        is_positive: (n,) bool, the source is brighter in the science image than in the template; True for artefacts.
        flux: (n,) float32, total flux of the change, sign included, as the difference image shows it; 0 for artefacts.
        has_host: (n,) bool, the change is in a galaxy.
    """

    images: Floats
    labels: NDArray[np.int64]
    kinds: tuple[str, ...]
    surveys: tuple[str, ...]
    fwhm_pixels: Floats
    is_positive: NDArray[np.bool_]
    flux: Floats
    has_host: NDArray[np.bool_]

    def items(self) -> list[Stamps]:
        """Return the alerts as a classifier is given them; an image without a pixel is None."""
        return [_item(images) for images in self.images]


def _item(images: Floats) -> Stamps:
    """Return one alert's (3, side, side) images as stamps."""
    science, template, difference = (image if np.isfinite(image).any() else None for image in images)
    return Stamps(science=science, template=template, difference=difference, survey="SIMULATED", flags=0)


def simulate_stamps(n: int, rng: np.random.Generator) -> SimulatedStamps:
    """Simulate n alerts.

    Args:
        n: number of alerts, at least 1.
        rng: source of all randomness.

    Returns:
        The alerts; the same n and generator state give the same pixels on one machine.
    """
    parts = [_simulate(min(CHUNK, n - start), rng) for start in range(0, n, CHUNK)]
    return SimulatedStamps(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        kinds=tuple(kind for part in parts for kind in part.kinds),
        surveys=tuple(survey for part in parts for survey in part.surveys),
        fwhm_pixels=np.concatenate([part.fwhm_pixels for part in parts]),
        is_positive=np.concatenate([part.is_positive for part in parts]),
        flux=np.concatenate([part.flux for part in parts]),
        has_host=np.concatenate([part.has_host for part in parts]),
    )


def _simulate(n: int, rng: np.random.Generator) -> SimulatedStamps:
    labels = rng.choice(len(SHARES), n, p=SHARES).astype(np.int64)
    conditions = draw_conditions(n, rng)
    spread = draw_spread(conditions.fwhm, rng)
    scene = draw_scene(labels, conditions, spread, rng)
    images = _images(scene, spread, conditions, rng)
    kinds = _add_artefacts(images, labels, conditions, rng)
    # Half of the surveys publish template - science for a fading source, half keep the sign.
    sign = np.where((scene.change < 0) & (rng.random(n) < 0.5), np.float32(-1), np.float32(1))
    images[:, 2] *= sign[:, None, None]
    cut(images, conditions, rng)
    names = tuple(SURVEYS)
    return SimulatedStamps(
        images=images,
        labels=labels,
        kinds=kinds,
        surveys=tuple(names[kind] for kind in conditions.survey),
        fwhm_pixels=conditions.fwhm,
        is_positive=scene.change >= 0,
        flux=scene.change * sign,
        has_host=scene.has_host,
    )


def _images(scene: Scene, spread: PointSpread, conditions: Conditions, rng: np.random.Generator) -> Floats:
    """Render science, template and difference, (n, 3, 63, 63)."""
    n = len(scene.change)
    template_spread = spread.widened(conditions.template_width)
    points = render_points(FULL_SIDE, scene.x, scene.y, scene.persistent(), spread)
    galaxies = render_galaxies(FULL_SIDE, scene.galaxies, spread.sigma_x)
    change = render_points(FULL_SIDE, scene.x[:, :1], scene.y[:, :1], scene.change[:, None], spread)
    science = points + galaxies + np.maximum(change, 0)
    template = render_points(FULL_SIDE, scene.x, scene.y, scene.flux, template_spread)
    template += render_galaxies(FULL_SIDE, scene.galaxies, template_spread.sigma_x)

    ones = np.ones(n, np.float32)
    gain = conditions.flux_gain
    science_unit = correlated_noise(conditions.science_blur, rng)
    science_noise = photon_noise(science, ones, gain, science_unit)
    template_noise = photon_noise(
        template, conditions.template_noise, gain / conditions.template_noise**2,
        correlated_noise(conditions.template_blur, rng),
    )  # fmt: skip
    fresh = correlated_noise(np.minimum(conditions.science_blur, rng.uniform(0, 0.8, n).astype(np.float32)), rng)
    whitened = photon_noise(science, np.sqrt(1 + conditions.template_noise**2), gain, fresh)
    noise = np.where(conditions.whitened[:, None, None], whitened, science_noise - template_noise)

    difference = change + subtraction_residual(points, galaxies, scene, spread, conditions, rng)
    holes = dead_clumps(conditions.holes, rng)
    difference += holes
    strength = np.where(conditions.rings, np.exp(rng.uniform(np.log(0.3), np.log(40.0), n)), 0).astype(np.float32)
    difference += ringing(difference, strength, rng)
    level = conditions.saturation[:, None, None]
    science = np.minimum(science, 1.5 * level)
    template = np.minimum(template, 2.0 * level)
    return np.stack([science + holes + science_noise, template + template_noise, difference + noise], axis=1)


def _add_artefacts(
    images: Floats, labels: NDArray[np.int64], conditions: Conditions, rng: np.random.Generator
) -> tuple[str, ...]:
    """Put an artefact on each alert of that class, and blemishes on some of all; return the kinds."""
    names = tuple(KINDS)
    drawn, blemished = rng.integers(0, len(names), len(labels)), rng.random(len(labels)) < BLEMISHED
    noise = np.sqrt(1 + conditions.template_noise**2)
    kinds = []
    for row, image in enumerate(images):
        kind = names[drawn[row]] if labels[row] == StampClass.ARTEFACT else ""
        if kind:
            KINDS[kind](image, float(noise[row]), float(conditions.fwhm[row]), rng)
        if blemished[row]:
            blemishes(image, float(noise[row]), rng)
        kinds.append(kind)
    return tuple(kinds)
