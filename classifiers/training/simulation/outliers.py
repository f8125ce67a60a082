"""Made-up outliers: what no population holds, to teach novelty and to choose between novelty scores.

They come from arithmetic on known objects and on random curves, never from templates of transients: those are kept for
evaluation alone. A score that knows only the outliers it was trained on is useless, so the kinds differ widely, and a
choice between scores is made on kinds that the score has not seen.

| kind | what |
| --- | --- |
| WAVES | smooth continuum times random broad features (Gaussian process in ln wavelength) |
| TROUGHS | smooth continuum with a few broad absorptions, each beside an emission (P Cygni profiles, random places) |
| CHIMERA | the blue part of one object and the red part of another |
| BLEND | two objects of different kinds in one fibre |
| STRETCHED | an object on a wrong wavelength scale, or backwards |
| LINES | an object with emission lines at random wavelengths |
| FEATURELESS | smooth continuum and nothing else, which networks that had not seen it called a star of F5 |
"""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.grid import PIXELS, Float32, Integers, native_wavelength

OUTLIERS = ("WAVES", "TROUGHS", "CHIMERA", "BLEND", "STRETCHED", "LINES", "FEATURELESS")
_KNOTS = 400
_LN_STEP = 1e-4 * np.log(10.0)


class Outliers:
    """Draws noiseless outliers of median about 1."""

    def __init__(self) -> None:
        self._wavelength = native_wavelength()
        self._log_wavelength = np.log(self._wavelength / 6000.0).astype(np.float32)

    def draw(self, kind: Integers, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        """Draw one outlier for each kind asked for.

        Args:
            kind: (n,) index into ``OUTLIERS``.
            first: (n, 4671) float32 noiseless known objects.
            second: (n, 4671) float32 known objects of other kinds than those beside them in ``first``.
            rng: source of randomness.

        Returns:
            (n, 4671) float32, not negative.
        """
        flux = np.empty((kind.size, PIXELS), np.float32)
        makers = (
            self._waves, self._troughs, self._chimera, self._blend, self._stretched, self._lines, self._featureless,
        )  # fmt: skip
        for index, make in enumerate(makers):
            rows = np.flatnonzero(kind == index)
            if rows.size:
                flux[rows] = make(_level(first[rows]), _level(second[rows]), rng)
        return np.maximum(_level(np.maximum(flux, 0.0)), 0.0)

    def _continuum(self, count: int, rng: np.random.Generator) -> Float32:
        """Return power laws with a bend, (count, 4671)."""
        slope = rng.normal(0.0, 1.5, (count, 1)).astype(np.float32)
        bend = rng.normal(0.0, 1.5, (count, 1)).astype(np.float32)
        x = self._log_wavelength
        return np.asarray(np.exp(np.clip(slope * x + bend * x * x, -4.0, 4.0)), dtype=np.float32)

    def _featureless(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        del second
        return self._continuum(len(first), rng)

    def _waves(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        del second
        count = len(first)
        width = np.exp(rng.uniform(np.log(0.004), np.log(0.03), count))  # of features, in ln wavelength
        amplitude = np.exp(rng.uniform(np.log(0.12), np.log(0.6), (count, 1))).astype(np.float32)
        features = _process(count, width, rng)
        return np.asarray(self._continuum(count, rng) * np.exp(amplitude * features), dtype=np.float32)

    def _troughs(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        del second
        flux = self._continuum(len(first), rng)
        x = self._log_wavelength
        for row in flux:
            width = np.exp(rng.uniform(np.log(0.004), np.log(0.025)))
            for centre in rng.uniform(x[0], x[-1], rng.integers(3, 9)):
                own = width * rng.uniform(0.6, 1.6)
                depth, height = rng.uniform(0.15, 0.9), rng.uniform(0.0, 0.9)
                row *= 1.0 - depth * np.exp(-0.5 * ((x - centre) / own) ** 2)
                row *= 1.0 + height * np.exp(-0.5 * ((x - centre - 2.2 * own) / own) ** 2)
        return flux

    def _chimera(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        cut = rng.integers(int(0.3 * PIXELS), int(0.7 * PIXELS), len(first))
        share = 1.0 / (1.0 + np.exp(-(np.arange(PIXELS) - cut[:, None]) / 30.0))
        here = np.arange(-150, 151) + cut[:, None]
        step = np.take_along_axis(first, here, 1).mean(1) / np.maximum(
            np.take_along_axis(second, here, 1).mean(1), 0.05
        )
        joined = (1.0 - share) * first + share * second * np.clip(step, 0.05, 20.0)[:, None]
        return np.asarray(joined, dtype=np.float32)

    def _blend(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        share = rng.uniform(0.35, 0.65, (len(first), 1)).astype(np.float32)
        return share * first + (np.float32(1.0) - share) * second

    def _stretched(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        del second
        out = np.empty_like(first)
        pixel = np.arange(PIXELS, dtype=np.float64)
        for row, flux in zip(out, first, strict=True):
            factor = np.exp(rng.uniform(np.log(1.15), np.log(2.0)) * rng.choice((-1.0, 1.0)))
            centre = rng.uniform(0.3, 0.7) * PIXELS
            place = np.abs(centre + (pixel - centre) * factor)
            place = np.where(place > PIXELS - 1, 2.0 * (PIXELS - 1) - place, place)  # folded back at the ends
            row[:] = np.interp(place if rng.random() < 0.6 else place[::-1], pixel, flux)
        return out

    def _lines(self, first: Float32, second: Float32, rng: np.random.Generator) -> Float32:
        del second
        flux = first.copy()
        x = self._log_wavelength
        for row in flux:
            level = max(float(np.median(row)), 0.05)
            width = np.exp(rng.uniform(np.log(5e-4), np.log(0.01)))
            for centre in rng.uniform(x[0], x[-1], rng.integers(4, 14)):
                row += level * rng.exponential(1.2) * np.exp(-0.5 * ((x - centre) / width) ** 2)
        return flux


def _process(count: int, width: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator) -> Float32:
    """Return Gaussian processes of unit variance and squared-exponential covariance, (count, 4671).

    Args:
        count: how many.
        width: (count,) correlation lengths in ln wavelength.
        rng: source of randomness.
    """
    frequency = np.fft.rfftfreq(2 * _KNOTS)
    white = rng.standard_normal((count, 2, frequency.size))
    length = width[:, None] / (_LN_STEP * PIXELS / _KNOTS)
    power = np.exp(-((np.pi * frequency * length) ** 2) * 2.0)
    curve = np.fft.irfft((white[:, 0] + 1j * white[:, 1]) * np.sqrt(power), axis=1)[:, :_KNOTS]
    curve /= np.maximum(curve.std(axis=1, keepdims=True), 1e-9)
    knots = np.linspace(0.0, PIXELS - 1.0, _KNOTS)
    return np.array([np.interp(np.arange(PIXELS), knots, row) for row in curve], dtype=np.float32)


def _level(flux: Float32) -> Float32:
    """Return the rows divided by their median, or by their mean where the median is nearly 0."""
    level = np.maximum(np.median(flux, axis=1), 0.3 * flux.mean(axis=1))
    return np.asarray(flux / np.maximum(level, 1e-6)[:, None].astype(np.float32), dtype=np.float32)
