"""P-values of known objects, by group: how many are small, and whether they are uniform, as p-values should be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from classifiers.training.evaluation.answers import GROUPS, Floats, Scored
from classifiers.training.evaluation.binned import share
from classifiers.training.evaluation.document import Cell, Curve, Item, Plot, Table
from classifiers.training.evaluation.real_spectra import unique_objects

LEVELS = (0.01, 0.05)
_TITLE = "p-values of known objects"
_COLUMNS = {"novelty": "unknown_p_value", "VAE": "anomaly_p_value"}
_LOWEST, _PLACES = 1e-3, 61
"""Of the picture, logarithmic: a smaller p-value than one in a thousand is seen in no sample of known objects here."""


def p_values(samples: Mapping[str, Scored]) -> list[Item]:
    """Return a table and a picture of p-values of known objects, of each its first spectrum.

    Args:
        samples: by what to call them (real, simulated).
    """
    rows: list[list[Cell]] = []
    curves: list[Curve] = []
    for name, scored in samples.items():
        first = np.array(unique_objects(scored.labels), np.int64)
        called = f"{name}, each object once" if first.size < len(scored.labels) else name
        for group in ("all", *GROUPS):
            members = first[np.isin(scored.group[first], GROUPS if group == "all" else (group,))]
            row: list[Cell] = [f"{group} ({called})"]
            for column in _COLUMNS.values():
                values = _given(scored.answers.column(column)[members])
                row += [share(f"p <= {level:g}", values <= level) for level in LEVELS]
            rows.append(row)
        known = first[np.isin(scored.group[first], GROUPS)]
        for what, column in _COLUMNS.items():
            values = _given(scored.answers.column(column)[known])
            if values.size:
                curves.append(_cumulative(f"{what}, {called}", values))
    heads = [f"{what} p <= {level:g}" for what in _COLUMNS for level in LEVELS]
    picture = Plot(
        f"Cumulative {_TITLE}", "p-value", "share at or below it", curves, x_log=True, y_log=True, diagonal=True,
        y_range=(_LOWEST, 1.02), x_range=(_LOWEST, 1.0),
    )  # fmt: skip
    return [Table(_TITLE, ("known objects", *heads), rows), picture]


def _given(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _cumulative(name: str, values: Floats) -> Curve:
    levels = np.geomspace(_LOWEST, 1.0, _PLACES)
    shares = [share(name, values <= level) for level in levels]
    bands = [each.interval for each in shares]
    return Curve(
        name,
        levels.tolist(),
        [each.value for each in shares],
        [low for low, _ in bands],
        [high for _, high in bands],
        [each.n for each in shares],
    )
