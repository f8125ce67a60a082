"""Header-data units from arrays and keywords, and files that appear whole; the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

Card: TypeAlias = str | bool | int | float | tuple[str | bool | int | float, str]
Cards: TypeAlias = Mapping[str, Card]
"""Keyword to value, or to value and comment."""
Hdu: TypeAlias = Any
"""An extension, as ``image`` and ``table`` make it."""

_UNFINISHED: Final = ".part"
_SUM_COMMENT: Final = "data unit checksum"


class ColumnData(NamedTuple):
    """A column of a table: ``form`` is its TFORM, ``values`` one entry (or vector) a row."""

    name: str
    form: str
    values: Any
    unit: str | None = None


def image(name: str, values: NDArray[Any], cards: Cards | None = None) -> Hdu:
    """Return an image extension; ``values`` keep their dtype."""
    return _with_cards(fits.ImageHDU(np.ascontiguousarray(values), name=name), cards)


def table(name: str, columns: Sequence[ColumnData], cards: Cards | None = None) -> Hdu:
    """Return a binary table extension."""
    made = [fits.Column(each.name, each.form, unit=each.unit, array=np.asarray(each.values)) for each in columns]
    return _with_cards(fits.BinTableHDU.from_columns(made, name=name), cards)


def store(path: Path, primary: Cards, extensions: Sequence[Hdu]) -> None:
    """Write a file; what reads the folder meanwhile sees it whole or not at all."""
    first = _with_cards(fits.PrimaryHDU(), primary)
    part = path.with_name(path.name + _UNFINISHED)
    fits.HDUList([first, *extensions]).writeto(part, overwrite=True)
    part.replace(path)


def _with_cards(hdu: Hdu, cards: Cards | None) -> Hdu:
    for keyword, card in (cards or {}).items():
        hdu.header[keyword] = card
    hdu.add_datasum(when=_SUM_COMMENT)
    return hdu
