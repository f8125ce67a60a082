"""A table of verdicts for a person's terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from ops.listing.columns import Column, cell
from ops.listing.flat import short


def verdict_table(records: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> Table:
    """Return a rich table of L2 records; unknown ones in another colour, brackets in names as they are."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(escape(column.heading), no_wrap=True)
    for record in records:
        style = "yellow" if record.get("unknown") else None
        cells = (short(cell(record, column.field), column.width) for column in columns)
        table.add_row(*(escape(text) for text in cells), style=style)
    return table
