"""An evaluation report as one self-contained HTML page: pictures embedded, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Callable, Sequence
from string import Template

from classifiers.training.evaluation.document import (
    Cell,
    Example,
    Item,
    Matrix,
    Number,
    Plot,
    Proportion,
    Report,
    Section,
    Table,
)

_PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>specstream: evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; margin: 0 auto; max-width: 1400px;
  padding: 24px 28px 60px; }
h1 { font-size: 25px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 6px; border-top: 2px solid #1f5fa8; padding-top: 12px; }
h3 { font-size: 15px; margin: 24px 0 6px; } p { max-width: 900px; margin: 6px 0 10px; }
nav a { margin-right: 16px; color: #1f5fa8; text-decoration: none; } nav { margin: 14px 0; line-height: 1.9; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: 6px 0 14px; }
th { text-align: left; border-bottom: 1.5px solid #9aa4b0; padding: 4px 12px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid #e6e9ee; padding: 3px 12px 3px 0; vertical-align: top; }
td small { color: #6b7480; } td span, td small { white-space: nowrap; } .scroll { overflow-x: auto; }
td:first-child { white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); gap: 8px 24px;
  align-items: start; }
figure { margin: 12px 0; } figure img { max-width: 100%; } figcaption { font-size: 13px; color: #424a54; }
figcaption b { color: #1b1f24; font-size: 14px; } code { font-size: 12px; overflow-wrap: anywhere; }
.muted { color: #6b7480; }
</style></head><body>
<h1>specstream: evaluation</h1>
<p>$title. $subtitle</p>
<nav>$links</nav>
<h2 id="headline">Headline numbers</h2>
<p>Successes of n with exact 95&nbsp;% binomial intervals (Clopper and Pearson 1934); other numbers with intervals of
resampled objects, medians and widths with intervals of order statistics.
These are development spectra and the numbers are optimistic: no weight was fitted to them, but noise shapes were taken
from some of them, and a few choices were made after looking. The labels of SDSS and BOSS come from fits of the same
templates and eigenspectra as the baselines, which therefore have an advantage.</p>
$headline
$sections
<h2 id="ran">What ran</h2>
$ran
</body></html>
""")

_QUOTED = re.compile("`([^`]+)`")


def page(report: Report, draw: Callable[[Plot | Matrix | Example], bytes]) -> str:
    """Return the page.

    Args:
        report: what was measured.
        draw: returns the picture of an item as PNG.
    """
    titles = [("headline", "Headline numbers")]
    titles += [(_anchor(section), section.title) for section in report.sections] + [("ran", "What ran")]
    links = "".join(f'<a href="#{anchor}">{html.escape(title)}</a>' for anchor, title in titles)
    rows: list[Sequence[Cell]] = [[entry.name, entry] for entry in report.proportions if entry.n]
    rows += [[number.name, number] for number in report.numbers if number.n]
    return _PAGE.substitute(
        title=html.escape(report.title),
        subtitle=f"{len(report.proportions)} proportions, {len(titles)} sections.",
        links=links,
        headline=_table(Table("", ("measure", "value"), rows)),
        sections="\n".join(_section(section, draw) for section in report.sections),
        ran="\n".join(_item(table, draw) for table in report.ran),
    )


def _anchor(section: Section) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in section.title.lower())


def _section(section: Section, draw: Callable[[Plot | Matrix | Example], bytes]) -> str:
    text = _QUOTED.sub(r"<code>\1</code>", html.escape(section.text))
    parts = [f'<h2 id="{_anchor(section)}">{html.escape(section.title)}</h2>', f"<p>{text}</p>"]
    pictures: list[str] = []
    for item in section.items:
        small = isinstance(item, Plot | Matrix)
        if pictures and not small:
            parts.append(f'<div class="grid">{"".join(pictures)}</div>')
            pictures = []
        (pictures if small else parts).append(_item(item, draw))
    if pictures:
        parts.append(f'<div class="grid">{"".join(pictures)}</div>')
    return "\n".join(parts)


def _item(item: Item, draw: Callable[[Plot | Matrix | Example], bytes]) -> str:
    if isinstance(item, Table):
        return f"<h3>{html.escape(item.title)}</h3>{_table(item)}"
    caption = f"<b>{html.escape(item.title)}</b>"
    if isinstance(item, Example):
        caption += f"<br>{html.escape(item.caption)}"
    picture = base64.b64encode(draw(item)).decode("ascii")
    source = f'<img alt="{html.escape(item.title)}" src="data:image/png;base64,{picture}">'
    return f"<figure><figcaption>{caption}</figcaption>{source}</figure>"


def _table(table: Table) -> str:
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Proportion):
        if not cell.n:
            return '<span class="muted">none</span>'
        low, high = cell.interval
        value = f"{cell.successes}/{cell.n} = {cell.value:.3f}" if cell.successes else f"0/{cell.n}"
        return f"<span>{value}</span> <small>{low:.3f} to {high:.3f}</small>"
    if isinstance(cell, Number):
        if not math.isfinite(cell.value):
            return '<span class="muted">none</span>'
        interval = f", {cell.interval[0]:.3f} to {cell.interval[1]:.3f}" if cell.interval else ""
        return f"<span>{_figure(cell.value)}</span> <small>n = {cell.n}{interval}</small>"
    if isinstance(cell, float):
        return _figure(cell) if math.isfinite(cell) else '<span class="muted">none</span>'
    return html.escape(str(cell))


def _figure(value: float) -> str:
    if abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"
