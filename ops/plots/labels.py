"""Text of a picture: rows of labels that do not touch, units as astronomers write them, titles that fit."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence

TITLE_CHARACTERS = 105
_SYMBOLS = {"Angstrom": "Å", "angstrom": "Å", "AA": "Å"}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def label_rows(places: Sequence[tuple[str, float]], span: float, character: float) -> list[int]:
    """Return the row of each label, 0 the lowest, so that labels in one row do not touch.

    Args:
        places: (text, centre) by ascending centre.
        span: length of the axis, in the unit of the centres.
        character: width of a character as a fraction of the axis.
    """
    rows: list[int] = []
    ends: list[float] = []
    for text, centre in places:
        half = 0.5 * (len(text) + 1.0) * character * span
        row = next((row for row, end in enumerate(ends) if centre - half >= end), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = centre + half
        rows.append(row)
    return rows


def decade(value: float) -> int:
    """Return the power of ten to take out of an axis that reaches ``value``; 0 where plain numbers are legible."""
    if value == 0.0 or not math.isfinite(value):
        return 0
    exponent = math.floor(math.log10(abs(value)))
    return 0 if -2 <= exponent <= 4 else exponent


def plain_number(value: float) -> str:
    """Return a number with one decimal, without a negative zero; what needs more than five digits as ``3.1e26``."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{round(value, 1) + 0.0:.1f}"


def power_of_ten(exponent: int) -> str:
    """Return 10 to a power as a person writes it: ``10⁻¹⁷``."""
    return f"10{str(exponent).translate(_SUPERSCRIPT)}"


def flux_label(unit: str, exponent: int) -> str:
    """Return the label of a flux axis.

    Args:
        unit: flux unit in any spelling of astropy; "" for a relative flux.
        exponent: power of ten by which the values were divided for the axis.
    """
    text = unit.strip()
    found = re.match(r"(?:1(?:\.0*)?[eE]|10\s*(?:\*\*|\^)\s*\(?)([+-]?\d+)\)?\s*\*?\s*", text)
    if found:
        exponent += int(found.group(1))
        text = text[found.end() :]
    above, _, below = text.partition("/")
    factors = [*_factors(above, 1), *_factors(below.replace("/", " "), -1)]
    written = " ".join(name if power == 1 else f"{name}{str(power).translate(_SUPERSCRIPT)}" for name, power in factors)
    scale = power_of_ten(exponent) if exponent else ""
    if not written:
        return f"relative flux [{scale}]" if scale else "relative flux"
    return f"flux [{' '.join(part for part in (scale, written) if part)}]"


def _factors(text: str, sign: int) -> list[tuple[str, int]]:
    found = re.findall(r"([A-Za-zµ]+)\s*(?:\*\*|\^)?\s*\(?([+-]?\d+)?\)?", text)
    return [(_SYMBOLS.get(name, name), sign * int(power or 1)) for name, power in found]


def wrapped(title: str) -> str:
    """Return a title in lines that fit above a picture; long names without spaces are broken too."""
    return "\n".join(textwrap.wrap(title, TITLE_CHARACTERS, break_on_hyphens=False) or [""])
