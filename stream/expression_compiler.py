"""Compiles the abstract syntax tree of an expression to closures over a whitelist of nodes; see ``stream.expression``.

A node type that has no ``_visit_`` method here does not exist in the language. Every closure takes None as a missing
value.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from schemas.maps import AvroMap
from stream.expression_terms import (
    ALLOWED,
    BINARY,
    COMPARE,
    FUNCTIONS,
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_NODES,
    UNARY,
    WHOLE_ONLY,
    ExpressionError,
    kind_of,
    scalar,
    unknown_name,
)

Evaluate: TypeAlias = Callable[[Mapping[str, Any]], Any]


class Compiler:
    """Turns one expression into closures; holds the text for error messages."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.positions: dict[str, int] = {}
        self.nodes = 0

    def compile(self) -> tuple[Evaluate, dict[str, int]]:
        """Return the closure, and the top-level names that it reads with their positions."""
        stripped = self.text.lstrip()
        self.offset = len(self.text) - len(stripped)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)
                tree = ast.parse(stripped.rstrip(), mode="eval")
        except SyntaxError as error:
            raise ExpressionError(*self._syntax_hint(error)) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"cannot be read ({error or type(error).__name__})", self.text, 1) from None
        return self._visit(tree.body, 1), self.positions

    def _syntax_hint(self, error: SyntaxError) -> tuple[str, str, int]:
        """Return message, text and position; names what a person of another language would have written."""
        for wrong, right in (("&&", "and"), ("||", "or"), ("<>", "!=")):
            if wrong in self.text:
                return f"write {right!r} instead of {wrong!r}", self.text, self.text.index(wrong) + 1
        position = self.offset + error.offset if error.offset else len(self.text.rstrip()) + 1
        if "==" in (error.msg or "") or " = " in self.text:
            return "use == to compare", self.text, position
        return f"{error.msg}; allowed: {ALLOWED}", self.text, position

    def _error(self, node: ast.AST, message: str) -> ExpressionError:
        return ExpressionError(message, self.text, self.offset + getattr(node, "col_offset", 0) + 1)

    def _visit(self, node: ast.expr, depth: int) -> Evaluate:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise self._error(node, f"is nested deeper than {MAX_DEPTH} levels")
        if self.nodes > MAX_NODES:
            raise self._error(node, f"has more than {MAX_NODES} parts")
        visitor = getattr(self, "_visit_" + type(node).__name__.lower(), None)
        if visitor is None:
            raise self._error(node, f"{type(node).__name__} is not allowed; allowed: {ALLOWED}")
        evaluate: Evaluate = visitor(node, depth + 1)
        return evaluate

    def _visit_constant(self, node: ast.Constant, _depth: int) -> Evaluate:
        value = node.value
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise self._error(node, f"a {type(value).__name__} is not allowed; allowed: {ALLOWED}")
        if isinstance(value, int) and value > MAX_INTEGER:
            raise self._error(node, "whole numbers may not exceed 2^64")
        return lambda _record: value

    def _visit_name(self, node: ast.Name, _depth: int) -> Evaluate:
        return self._field(node, node.id)

    def _field(self, node: ast.expr, name: str) -> Evaluate:
        self.positions.setdefault(name, self.offset + node.col_offset + 1)

        def evaluate(record: Mapping[str, Any]) -> Any:
            try:
                return scalar(record[name])
            except KeyError:
                raise self._error(node, unknown_name(name, record)) from None

        return evaluate

    def _visit_attribute(self, node: ast.Attribute, depth: int) -> Evaluate:
        inner, name = self._visit(node.value, depth), node.attr

        def member(value: Any) -> Any:
            if value is None:
                return None
            if isinstance(value, AvroMap):
                return scalar(value.get(name))
            if isinstance(value, Mapping):
                if name not in value:
                    raise self._error(node, unknown_name(name, value))
                return scalar(value[name])
            if isinstance(value, Sequence) and not isinstance(value, str | bytes):
                return [member(element) for element in value]
            raise self._error(node, f".{name} needs a record, this is {kind_of(value)}")

        return lambda record: member(inner(record))

    def _visit_subscript(self, node: ast.Subscript, depth: int) -> Evaluate:
        if isinstance(node.slice, ast.Slice | ast.Tuple):
            raise self._error(
                node.slice, 'only one key or number is allowed in [...], as in class_probabilities["QSO_nan"]'
            )
        inner, key = self._visit(node.value, depth), self._visit(node.slice, depth)

        def evaluate(record: Mapping[str, Any]) -> Any:
            value, at = inner(record), key(record)
            if value is None or at is None:
                return None
            if isinstance(value, Mapping) and isinstance(at, str):
                return scalar(value.get(at))
            if not isinstance(value, str | bytes | Mapping) and hasattr(value, "__getitem__") and isinstance(at, int):
                return scalar(value[at]) if -len(value) <= at < len(value) else None
            raise self._error(node, f"{kind_of(value)} has no [{at!r}]")

        return evaluate

    def _visit_list(self, node: ast.List | ast.Tuple | ast.Set, depth: int) -> Evaluate:
        parts = [self._visit(element, depth) for element in node.elts]
        return lambda record: [part(record) for part in parts]

    _visit_tuple = _visit_list
    _visit_set = _visit_list

    def _visit_boolop(self, node: ast.BoolOp, depth: int) -> Evaluate:
        parts = [self._visit(value, depth) for value in node.values]
        if isinstance(node.op, ast.And):
            return lambda record: all(self._truth(node, part(record)) for part in parts)
        return lambda record: any(self._truth(node, part(record)) for part in parts)

    def _truth(self, node: ast.AST, value: Any) -> bool:
        if getattr(value, "ndim", 0):
            raise self._error(node, "an array is neither true nor false")
        return bool(value)

    def _visit_unaryop(self, node: ast.UnaryOp, depth: int) -> Evaluate:
        inner = self._visit(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return lambda record: not self._truth(node, inner(record))
        name, sign = UNARY[type(node.op)]

        def evaluate(record: Mapping[str, Any]) -> Any:
            value = inner(record)
            if value is None:
                return None
            if not isinstance(value, int if name == "~" else int | float):
                raise self._error(node, f"{name} needs a number, this is {kind_of(value)}")
            return (not value) if name == "~" and isinstance(value, bool) else sign(value)

        return evaluate

    def _visit_binop(self, node: ast.BinOp, depth: int) -> Evaluate:
        if type(node.op) not in BINARY:
            raise self._error(node, f"{type(node.op).__name__} is not allowed; allowed: {ALLOWED}")
        symbol, function = BINARY[type(node.op)]
        left, right = self._visit(node.left, depth), self._visit(node.right, depth)
        kinds: Any = int if symbol in WHOLE_ONLY else int | float

        def evaluate(record: Mapping[str, Any]) -> Any:
            a, b = left(record), right(record)
            if a is None or b is None:
                return None
            if not (isinstance(a, kinds) and isinstance(b, kinds)):
                needed = "whole numbers" if symbol in WHOLE_ONLY else "numbers"
                raise self._error(node, f"{symbol} needs {needed}, not {kind_of(a)} and {kind_of(b)}")
            if symbol in {"<<", ">>"} and not (0 <= b < 64 and abs(a) < MAX_INTEGER):
                raise self._error(node, f"{symbol} shifts by 0 to 63 bits")
            try:
                return function(a, b)
            except (ZeroDivisionError, OverflowError):
                return None

        return evaluate

    def _visit_compare(self, node: ast.Compare, depth: int) -> Evaluate:
        operands = [node.left, *node.comparators]
        if len(operands) > 2 and any(
            isinstance(o, ast.BinOp) and isinstance(o.op, ast.BitAnd | ast.BitOr) for o in operands[1:-1]
        ):
            raise self._error(node, "& and | bind tighter than comparisons: write 'and', 'or' or parentheses")
        parts = [self._visit(operand, depth) for operand in operands]
        tests = [self._comparison(node, op, b) for op, b in zip(node.ops, node.comparators, strict=True)]

        def evaluate(record: Mapping[str, Any]) -> bool:
            left = parts[0](record)
            for test, part in zip(tests, parts[1:], strict=True):
                right = part(record)
                if not test(left, right):
                    return False
                left = right
            return True

        return evaluate

    def _comparison(self, node: ast.Compare, op: ast.cmpop, right: ast.expr) -> Callable[[Any, Any], bool]:
        with_none = isinstance(right, ast.Constant) and right.value is None
        if isinstance(op, ast.Is | ast.IsNot):
            if not with_none:
                raise self._error(node, "'is' is only for 'is None' and 'is not None'; use == to compare")
            return (lambda a, _b: a is None) if isinstance(op, ast.Is) else (lambda a, _b: a is not None)
        if with_none or (isinstance(node.left, ast.Constant) and node.left.value is None):
            raise self._error(node, "write 'is None' or 'is not None'")
        if isinstance(op, ast.In | ast.NotIn):
            return lambda a, b: self._contains(node, a, b, wanted=isinstance(op, ast.In))
        symbol, function = COMPARE[type(op)]

        def compare(a: Any, b: Any) -> bool:
            if a is None or b is None:
                return False
            if getattr(a, "ndim", 0) or getattr(b, "ndim", 0):
                raise self._error(node, f"{symbol} cannot compare an array") from None
            try:
                return bool(function(a, b))
            except TypeError:
                raise self._error(node, f"{symbol} cannot compare {kind_of(a)} with {kind_of(b)}") from None

        return compare

    def _contains(self, node: ast.AST, a: Any, b: Any, *, wanted: bool) -> bool:
        if a is None or b is None:
            return False
        if isinstance(b, str) != isinstance(a, str) and isinstance(b, str):
            raise self._error(node, f"'in' cannot look for {kind_of(a)} in text")
        try:
            return (a in b) is wanted
        except TypeError:
            raise self._error(node, f"'in' needs a list, a map or text on its right, not {kind_of(b)}") from None

    def _visit_call(self, node: ast.Call, depth: int) -> Evaluate:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name == "field" and len(node.args) == 1 and not node.keywords:
            argument = node.args[0]
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise self._error(node, 'field() takes a name in quotes, as in field("MJD-OBS")')
            return self._field(node, argument.value)
        if name not in FUNCTIONS:
            raise self._error(node, f"only {', '.join(f'{f}()' for f in [*FUNCTIONS, 'field'])} may be called")
        count, function = FUNCTIONS[name]
        if len(node.args) != count or node.keywords:
            raise self._error(node, f"{name}() takes {count} argument{'s' * (count > 1)}")
        parts = [self._visit(argument, depth) for argument in node.args]

        def evaluate(record: Mapping[str, Any]) -> Any:
            values = [part(record) for part in parts]
            if any(value is None for value in values):
                return None
            try:
                return scalar(function(*values))
            except (TypeError, ValueError, OverflowError):
                raise self._error(
                    node, f"{name}() cannot take {' and '.join(kind_of(value) for value in values)}"
                ) from None

        return evaluate
