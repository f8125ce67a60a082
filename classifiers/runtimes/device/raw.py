"""Raw spectra as the arrays that a device prepares itself: pixels as they came, and how they fall into bins.

What the host does is to copy bytes side by side. Spectra of one form go together, whatever their axes:

| array             | of a row                   | what it is                                              |
| ----------------- | -------------------------- | ------------------------------------------------------- |
| ``raw_flux``      | (width,) float32           | pixels that the grid reaches, then padding              |
| ``raw_sigma``, ``raw_variance`` or ``raw_ivar`` | the same     | uncertainties, as they came             |
| ``raw_quality``   | (width,) int32             | 0 = good; padding is not                                |
| ``raw_pixels``    | () int32                   | how many there are, less than width                     |
| ``raw_under``     | (bin + 1,) int32           | ``Rebinner.under``                                      |
| ``raw_share``     | (bin + 1,) float64         | ``Rebinner.share``                                      |
| ``raw_depth``     | (depth,) int32             | 0, 1, 2 ...: at least as many as a bin takes pixels     |
| ``raw_factor``    | (width,) float32, optional | by which flux is multiplied to become F_lambda          |

An array that is the same for all rows repeats one (a stride of 0), and a device uploads it once. Widths and depths are
rounded up to steps of an eighth and of half an octave, so that there are few forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.prepare import Block, blocks, groups
from classifiers.preprocess.rebin import Rebinner
from classifiers.quality import Quality
from classifiers.runtimes.device.rows import Column, Rows

KINDS: Final = {"SIGMA": "raw_sigma", "VARIANCE": "raw_variance", "IVAR": "raw_ivar"}
LEAST_WIDTH = 64
"""Pixels of the narrowest form."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Spectra of one form.

    Attributes:
        rows: their places among the spectra given, ascending, (n,) int64.
        inputs: see above; n rows each.
        flags: (n,) int64 bits of ``Quality`` that pixels do not decide.
        factor: (n,) float64, by which the scale is multiplied.
    """

    rows: NDArray[np.int64]
    inputs: dict[str, Column]
    flags: NDArray[np.int64]
    factor: NDArray[np.float64]


class _Form(NamedTuple):
    width: int
    depth: int
    uncertainty: str
    factored: bool


class _Row(NamedTuple):
    place: int
    spectrum: Spectrum
    block: Block


def raw_batches(spectra: Sequence[Spectrum], grid: CommonGrid) -> Iterator[RawBatch]:
    """Yield the spectra as batches of one form each, every spectrum once.

    Args:
        spectra: n >= 1 of any axes, units and uncertainty kinds. Those that the grid does not reach, or that are not
            dispersed, come as spectra without a pixel.
        grid: the bundles' grid.

    Raises:
        UnitError: a flux unit is not one that can be classified.
    """
    forms: dict[_Form, list[_Row]] = {}
    left = set(range(len(spectra)))
    for group in groups(spectra):
        for block in blocks(spectra, group, grid):
            form = _Form(
                rounded(block.operator.pixels + 1, 8, LEAST_WIDTH),
                rounded(_deepest(block.operator), 2, 1),
                KINDS[spectra[group[0]].uncertainty_kind],
                block.factor is not None,
            )
            forms.setdefault(form, []).extend(_Row(place, spectra[place], block) for place in block.rows)
            left -= set(block.rows)
    for form, rows in forms.items():
        yield _batch(form, sorted(rows, key=lambda row: row.place))  # several groups may be of one form
    if left:
        yield _blank(sorted(left), grid)


def rounded(n: int, steps: int, least: int) -> int:
    """Return n rounded up to the next of so many equal steps to each octave, and to the least."""
    octave = 1 << max(0, max(n, least).bit_length() - 1)
    step = max(1, octave // steps)
    return -(-max(n, least) // step) * step


def _deepest(operator: Rebinner) -> int:
    """Return the most pixels that a bin takes whole."""
    under = operator.under.astype(np.int64)
    return int(np.max(np.diff(under), initial=0))


def _batch(form: _Form, rows: Sequence[_Row]) -> RawBatch:
    n = len(rows)
    operators = [row.block.operator for row in rows]
    sources = [operator.source for operator in operators]
    pixels = np.array([operator.pixels for operator in operators], np.int32)
    pairs = list(zip(rows, sources, strict=True))
    inputs: dict[str, Column] = {
        "raw_flux": Rows([row.spectrum.flux[source] for row, source in pairs], form.width, np.float32, 0),
        form.uncertainty: Rows([row.spectrum.uncertainty[source] for row, source in pairs], form.width, np.float32, 0),
        "raw_quality": _qualities(pairs, pixels, form.width),
        "raw_pixels": pixels,
        "raw_under": _same_or_stacked([operator.under for operator in operators], np.int32),
        "raw_share": _same_or_stacked([operator.share for operator in operators], np.float64),
        "raw_depth": np.broadcast_to(np.arange(form.depth, dtype=np.int32), (n, form.depth)),
    }
    if form.factored:
        factors = {id(row.block): _factor(row.block, form.width) for row in rows}
        inputs["raw_factor"] = _same_or_stacked([factors[id(row.block)] for row in rows], np.float32)
    flags = [row.block.flags | _own_flags(row.spectrum) for row in rows]
    units = [row.block.unit.factor if row.block.operator.pixels else 1.0 for row in rows]
    places = np.array([row.place for row in rows], np.int64)
    return RawBatch(places, inputs, np.array(flags, np.int64), np.array(units, np.float64))


def _own_flags(spectrum: Spectrum) -> int:
    missing = int(Quality.NO_QUALITY_ARRAY) if spectrum.quality is None else 0
    return missing | (int(Quality.SKY_FIBRE) if spectrum.sky_fibre else 0)


def _blank(places: Sequence[int], grid: CommonGrid) -> RawBatch:
    """Return rows without a pixel: what ``prepare`` leaves blank."""
    n = len(places)
    nothing = np.broadcast_to(np.zeros(LEAST_WIDTH, np.float32), (n, LEAST_WIDTH))
    inputs: dict[str, Column] = {
        "raw_flux": nothing,
        "raw_ivar": nothing,
        "raw_quality": np.broadcast_to(np.ones(LEAST_WIDTH, np.int32), (n, LEAST_WIDTH)),
        "raw_pixels": np.zeros(n, np.int32),
        "raw_under": np.broadcast_to(np.zeros(grid.n + 1, np.int32), (n, grid.n + 1)),
        "raw_share": np.broadcast_to(np.zeros(grid.n + 1), (n, grid.n + 1)),
        "raw_depth": np.broadcast_to(np.zeros(1, np.int32), (n, 1)),
    }
    return RawBatch(np.array(places, np.int64), inputs, np.zeros(n, np.int64), np.ones(n))


def _qualities(pairs: Sequence[tuple[_Row, slice]], pixels: NDArray[np.int32], width: int) -> Column:
    if all(row.spectrum.quality is None for row, _ in pairs) and (pixels == pixels[0]).all():
        unsaid = (np.arange(width) >= pixels[0]).astype(np.int32)
        return np.broadcast_to(unsaid, (len(pairs), width))
    good = np.zeros(int(pixels.max(initial=0)), np.int32)
    rows = [
        good[: int(n)] if row.spectrum.quality is None else row.spectrum.quality[source]
        for (row, source), n in zip(pairs, pixels, strict=True)
    ]
    return Rows(rows, width, np.int32, 1)


def _same_or_stacked(rows: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    """Return (n, size): one row repeated where all are the same object or equal, else each its own."""
    first = rows[0]
    if all(row is first for row in rows) or all(np.array_equal(row, first) for row in rows):
        return np.broadcast_to(first.astype(dtype), (len(rows), first.size))
    return np.stack([row.astype(dtype) for row in rows])


def _factor(block: Block, width: int) -> NDArray[np.float32]:
    factor = np.ones(width, np.float32)
    if block.factor is not None:
        factor[: block.operator.pixels] = block.factor[block.operator.source]
    return factor
