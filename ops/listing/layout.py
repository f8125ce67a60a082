"""How the columns of a table share the width of a terminal.

Numbers are never cut: names are shortened, and where that is not enough the columns of the highest rank are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.listing.columns import Column
from ops.listing.flat import short

GAP = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that a table shows.

    Attributes:
        shown: Places of the columns that are shown, in order.
        widths: Characters of each of these.
        note: The line that says which columns are left out; empty where none is.
    """

    shown: tuple[int, ...]
    widths: tuple[int, ...]
    note: str


def lay_out(columns: Sequence[Column], wanted: Sequence[int], width: int | None) -> Layout:
    """Return which columns are shown, and how wide.

    Args:
        columns: All columns.
        wanted: Characters of the longest value of each; a column is never narrower than its heading.
        width: Characters of a line of the terminal; None where there is no terminal: nothing gives way.
    """
    wide = [max(each, len(column.heading)) for each, column in zip(wanted, columns, strict=True)]
    if width is None or sum(wide) + GAP * (len(wide) - 1) <= width:
        return Layout(tuple(range(len(columns))), tuple(wide), "")
    narrow = [
        min(each, max(column.least, len(column.heading))) if column.least else each
        for each, column in zip(wide, columns, strict=True)
    ]
    left = width + GAP
    chosen: list[int] = []
    for place in sorted(range(len(columns)), key=lambda place: columns[place].rank):
        if columns[place].rank == 0 or narrow[place] + GAP <= left:
            chosen.append(place)
            left -= narrow[place] + GAP
    shown = sorted(chosen)
    while left > 0 and (short_ones := [place for place in shown if narrow[place] < wide[place]]):
        narrow[min(short_ones, key=narrow.__getitem__)] += 1
        left -= 1
    absent = [column.heading for place, column in enumerate(columns) if place not in chosen]
    note = f"not shown, the terminal is too narrow: {', '.join(absent)}" if absent else ""
    return Layout(tuple(shown), tuple(narrow[place] for place in shown), note)


def heading_of(columns: Sequence[Column], layout: Layout) -> str:
    """Return the line above a table."""
    return _aligned([columns[place].heading for place in layout.shown], layout.widths)


def line_of(texts: Sequence[str], columns: Sequence[Column], layout: Layout, width: int | None) -> str:
    """Return one row; ``texts`` are those of all columns, ``width`` is that of the terminal as ``lay_out`` takes it."""
    cells = [
        short(texts[place], wide) if width is not None and columns[place].least else texts[place]
        for place, wide in zip(layout.shown, layout.widths, strict=True)
    ]
    return _aligned(cells, layout.widths)


def _aligned(texts: Sequence[str], widths: Sequence[int]) -> str:
    """Return texts below each other's columns; what follows a text that is too long comes back to its place."""
    line, start = "", 0
    for text, wide in zip(texts, widths, strict=True):
        line = f"{line}{' ' * GAP}" if text and start < len(line) + GAP and line else line.ljust(start)
        line += text
        start += wide + GAP
    return line.rstrip()
