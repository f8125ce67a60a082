"""A table of verdicts for a person's terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from ops.listing.columns import Column, cell
from ops.listing.flat import text_of
from ops.listing.layout import heading_of, lay_out, line_of


def verdict_table(records: Iterable[Mapping[str, Any]], columns: Sequence[Column], width: int | None) -> Text:
    """Return L2 records as lines of a rich text; unknown ones in another colour, brackets in names as they are.

    Args:
        records: The records.
        columns: All columns; which of them are shown depends on the width.
        width: Characters of a line of the terminal; None where there is no terminal: nothing is shortened or left out.
    """
    rows = [(each, [text_of(cell(each, column.field), digits=column.digits) for column in columns]) for each in records]
    wanted = [max((len(texts[place]) for _, texts in rows), default=0) for place in range(len(columns))]
    layout = lay_out(columns, wanted, width)
    table = Text(no_wrap=True, overflow="ignore")
    table.append(heading_of(columns, layout), style="bold")
    for record, texts in rows:
        table.append("\n")
        table.append(line_of(texts, columns, layout, width), style="yellow" if record.get("unknown") else None)
    if layout.note:
        table.append(f"\n{layout.note}", style="dim")
    return table
