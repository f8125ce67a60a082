"""What the compiled fit is given, where complexes, lines and their profiles lie, and its working memory."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.profiles import FARTHEST_KM_S, HIGHEST_KM_S, LOWEST_KM_S, PHASES, WIDTH_STEP, placed
from classifiers.lines.table import BIN_KM_S, COMPLEXES, LINES, LYMAN, LYMAN_SHIFT, PARAMETERS, WIDTHS, rest_bin

STRAIGHT = 2
"""Columns of a complex's straight continuum: level and slope."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Given(NamedTuple):
    """n spectra on ``table.COLUMNS``.

    Attributes:
        flux, weight: (n, column) float32, flux and inverse variance.
        phase: (n,) [bins].
        damping: (p,) added to the information on each parameter, which shortens its steps.
    """

    flux: NDArray[np.float32]
    weight: NDArray[np.float32]
    phase: Floats
    damping: Floats


class Layout(NamedTuple):
    """Complexes c, lines k (complex by complex) and non-linear parameters p.

    Attributes:
        start, n: (c,) first of its columns among ``table.COLUMNS``, and how many.
        first_line: (c + 1,) its first line; the next complex's follows its last.
        parameters, n_parameters: (c, 3) those its lines depend on, ascending, and how many.
        shift, width: (k,) which of its complex's parameters is a line's shift, and which its ln sigma.
        place: (k,) middle of what the line is named for, in the complex's columns from -1 to 1.
        first, size: (k,) columns of the complex that its profile covers.
        centre: (k,) of its first Gaussian at the given redshift [bins from ``first``].
        table: (k, 4) where its table starts in ``values``, widths, bins in a row, bins before a place.
        log_lowest: (k,) smallest tabulated ln sigma [ln bins].
        values: (v,) float32, all tables.
        phases, width_step: tabulated places in a bin, and ln sigma between tabulated widths.
        lowest, highest: (p,) range of each parameter [ln bins, bins].
        lyman: parameter that is the width of Lyman alpha, and the one that is its shift.
    """

    start: Integers
    n: Integers
    first_line: Integers
    parameters: Integers
    n_parameters: Integers
    shift: Integers
    width: Integers
    place: Floats
    first: Integers
    size: Integers
    centre: Floats
    table: Integers
    log_lowest: Floats
    values: NDArray[np.float32]
    phases: float
    width_step: float
    lowest: Floats
    highest: Floats
    lyman: tuple[int, int]


class Work(NamedTuple):
    """Memory that every spectrum uses again.

    Attributes:
        columns: (j, bin) float32 of the complex at hand: level, slope, its lines, its parameters, data.
        weighted: (bin,) float32.
        swept: (c, j, j) products of these columns, the linear ones swept out.
        solution: (c, j) linear parameters, after the step.
        covariance: (j, j) of the linear parameters of the complex at hand.
        amplitude: (k,) of the lines.
        seen: (k,) share of each profile that was seen.
        normal, solved: (p + 1, p + 1) normal equations; the last row and column belong to the data.
        step: (p,).
    """

    columns: NDArray[np.float32]
    weighted: NDArray[np.float32]
    swept: Floats
    solution: Floats
    covariance: Floats
    amplitude: Floats
    seen: Floats
    normal: Floats
    solved: Floats
    step: Floats

    @classmethod
    def blank(cls) -> Work:
        """Return memory for ``layout()``."""
        c, k, p, bins = len(COMPLEXES), len(LINES), PARAMETERS, max(part.n for part in COMPLEXES)
        j = max(STRAIGHT + len(part.lines) + len(part.parameters) + 1 for part in COMPLEXES)
        return cls(
            columns=np.zeros((j, bins), np.float32),
            weighted=np.zeros(bins, np.float32),
            swept=np.zeros((c, j, j)),
            solution=np.zeros((c, j)),
            covariance=np.zeros((j, j)),
            amplitude=np.zeros(k),
            seen=np.zeros(k),
            normal=np.zeros((p + 1, p + 1)),
            solved=np.zeros((p + 1, p + 1)),
            step=np.zeros(p),
        )


@cache
def layout() -> Layout:
    """Return the layout of ``table.COMPLEXES``."""
    places = [place for part in COMPLEXES for place in placed(part)]
    tables = {id(place.table): place.table for place in places}
    sizes = np.array([table.values.size for table in tables.values()])
    starts = dict(zip(tables, (np.cumsum(sizes) - sizes).tolist(), strict=True))
    parameters = np.full((len(COMPLEXES), max(len(part.parameters) for part in COMPLEXES)), -1)
    for row, part in zip(parameters, COMPLEXES, strict=True):
        row[: len(part.parameters)] = part.parameters
    owner = [part for part in COMPLEXES for _ in part.lines]
    named = [rest_bin(line.parts[0][0]) - part.first for line, part in zip(LINES, owner, strict=True)]
    farthest = np.full(PARAMETERS - WIDTHS, FARTHEST_KM_S / BIN_KM_S)
    return Layout(
        start=np.array([part.start for part in COMPLEXES]),
        n=np.array([part.n for part in COMPLEXES]),
        first_line=np.array([part.line for part in COMPLEXES] + [len(LINES)]),
        parameters=parameters,
        n_parameters=np.array([len(part.parameters) for part in COMPLEXES]),
        shift=np.array([part.parameters.index(line.shift) for line, part in zip(LINES, owner, strict=True)]),
        width=np.array([part.parameters.index(line.group) for line, part in zip(LINES, owner, strict=True)]),
        place=np.array([2.0 * bins / (part.n - 1) - 1.0 for bins, part in zip(named, owner, strict=True)]),
        first=np.array([place.bins.start for place in places]),
        size=np.array([place.bins.stop - place.bins.start for place in places]),
        centre=np.array([place.centre for place in places]),
        table=np.array(
            [
                (starts[id(place.table)], place.table.values.shape[0], place.table.values.shape[3], place.table.reach)
                for place in places
            ]
        ),
        log_lowest=np.array([place.table.log_lowest for place in places]),
        values=np.concatenate([table.values.ravel() for table in tables.values()]),
        phases=float(PHASES),
        width_step=WIDTH_STEP,
        lowest=np.concatenate([np.log(LOWEST_KM_S / BIN_KM_S), -farthest]),
        highest=np.concatenate([np.log(HIGHEST_KM_S / BIN_KM_S), farthest]),
        lyman=(LYMAN, LYMAN_SHIFT),
    )
