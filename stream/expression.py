"""A small, safe language in which a person selects rows and records: ``OBJ_FLAG & 1 != 0``, ``unknown and snr > 5``.

Shared by ``--rows`` (columns of a FITS table) and ``--where`` (fields of a decoded record). The text is parsed with
Python's own grammar and compiled to closures over a whitelist of node types (``stream.expression_compiler``); nothing
is ever executed as Python. There are no methods, no powers, no unbounded shifts and no text arithmetic, so an
expression costs a bounded time.

Rules that differ from Python, all for the sake of nullable fields:

- comparing anything with a missing value (None) is False; test for it with ``x is None``;
- arithmetic on a missing value, a division by zero and a logarithm of a non-positive number give a missing value;
- ``record.field`` must exist; ``map.key``, ``map["key"]`` and ``list[3]`` give a missing value when they do not;
- ``list.field`` is the list of that field of each element, so that ``"CIV" in lines.name`` reads as it is meant;
- ``field("MJD-OBS")`` is a field whose name is no Python name.

``&`` binds tighter than ``!=``, so ``OBJ_FLAG & 1 != 0`` means ``(OBJ_FLAG & 1) != 0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stream.expression_compiler import Compiler, Evaluate
from stream.expression_terms import ExpressionError, unknown_name

__all__ = ["Expression", "ExpressionError", "compile_expression"]

MAX_LENGTH: Final = 2000


class Expression:
    """A compiled expression: call it with a record or table row to learn whether it is selected.

    Attributes:
        text: what the user wrote.
        names: the top-level names that it reads.
    """

    __slots__ = ("_evaluate", "_positions", "names", "text")

    def __init__(self, text: str, evaluate: Evaluate, positions: Mapping[str, int]) -> None:
        self.text = text
        self._evaluate = evaluate
        self._positions = dict(positions)
        self.names = frozenset(positions)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Return whether ``record`` satisfies the expression; raises ExpressionError where it cannot be applied."""
        return bool(self._evaluate(record))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def check_names(self, known: Iterable[str]) -> None:
        """Raise ExpressionError if a name of the expression is not in ``known``; call it before reading anything."""
        known = set(known)
        for name, position in self._positions.items():
            if name not in known:
                raise ExpressionError(unknown_name(name, known), self.text, position)


def compile_expression(text: str) -> Expression:
    """Compile ``text``; raises ExpressionError, which says what is wrong, where, and what is allowed."""
    if not text.strip():
        raise ExpressionError("is empty", text, 1)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters", text[:40] + "...", MAX_LENGTH + 1)
    evaluate, positions = Compiler(text).compile()
    return Expression(text, evaluate, positions)
