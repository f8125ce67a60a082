"""The vocabulary of ``stream.expression``: operators, functions, limits, and the error that names what is allowed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from stream.errors import ConfigurationError

MAX_NODES: Final = 500
MAX_DEPTH: Final = 40
MAX_INTEGER: Final = 2**64

ALLOWED: Final = (
    "names, numbers, text, comparisons, in, and, or, not, + - * / // %, & | ^ ~ << >>, parentheses, name.field, "
    "name[...], abs(), log10(), len(), isnan(), lower(), startswith(), field()"
)


class ExpressionError(ConfigurationError):
    """The expression cannot be read or cannot be applied; says where and what is allowed.

    Attributes:
        text: the whole expression.
        position: column of the offending part, counted from 1.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(f"expression {text!r}, position {position}: {message}")
        self.text = text
        self.position = position


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Return the complaint about a name that is not among ``known``, with the nearest ones."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3) or [k for k in known if k.lower() == name.lower()]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    shown = ", ".join(known[:60]) + (f" ... ({len(known)} in all)" if len(known) > 60 else "")
    return f"unknown name {name!r}{hint} Known: {shown}" if near else f"unknown name {name!r}; known: {shown}"


BINARY: Final[dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
}
UNARY: Final[dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]]] = {
    ast.USub: ("-", operator.neg),
    ast.UAdd: ("+", operator.pos),
    ast.Invert: ("~", operator.invert),
}
WHOLE_ONLY: Final = {"&", "|", "^", "<<", ">>"}
COMPARE: Final[dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


def scalar(value: Any) -> Any:
    """Return numpy scalars as Python's, so that one set of rules holds for both; everything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _log10(value: float) -> float | None:
    return math.log10(value) if value > 0 else None


FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "abs": (1, abs),
    "log10": (1, _log10),
    "len": (1, len),
    "isnan": (1, math.isnan),
    "lower": (1, str.lower),
    "startswith": (2, str.startswith),
}


def kind_of(value: Any) -> str:
    """Return what a value is, in words a user knows."""
    if isinstance(value, bool):
        return "true/false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "a record"
    return "a list" if isinstance(value, Sequence) else f"a {type(value).__name__}"
