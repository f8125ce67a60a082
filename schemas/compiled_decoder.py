"""Decoders compiled from a schema: one Python function that reads each field in turn.

For our own current schemas only, whose records of some fifty small fields and a few arrays it reads two to three times
faster than a general reader. It reads what ``fastavro.schemaless_reader`` reads (the tests compare them) and is
stricter: a branch, boolean or symbol that the schema does not have, a negative length and an integer beyond 64 bits are
refused. The function is made of generated source, into which go the names of fields and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

from schemas.definitions import named_types, resolve
from schemas.errors import CatalogueError
from schemas.fingerprint import JsonSchema

Decoder: TypeAlias = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""Reads the record that starts at an index; returns it and the index after it.

Raises ``EOFError``, ``IndexError``, ``ValueError`` or ``struct.error`` where the bytes are no such record.
"""

_NUMBERS: Final = {"float": ("<f", 4), "double": ("<d", 8)}
_MAX_VARINT_BYTES: Final = 10


def compile_decoder(schema: JsonSchema) -> Decoder:
    """Return a function that reads records of a schema.

    Args:
        schema: A parsed record schema whose unions are all of null and one other type.

    Raises:
        CatalogueError: when the schema has a type that is not compiled (other unions, fixed, recursion).
    """
    source = _Source(named_types(schema))
    result = source.record(schema, 1)
    text = "\n".join(("def decode(data, p):", "    end = len(data)", *source.lines, f"    return {result}, p"))
    scope = dict(source.constants)
    exec(compile(text, "<compiled decoder>", "exec"), scope)  # noqa: S102 - our own schemas only, see the module
    decoder: Decoder = scope["decode"]
    return decoder


class _Source:
    """The source lines of one decoder and the constants that they name; ``p`` is the index of the next byte."""

    def __init__(self, names: dict[str, dict[str, Any]]) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {"more": _more, "cut": _cut, "wrong": _wrong}
        self._names = names
        self._variables = 0
        self._open: set[str] = set()

    def record(self, schema: JsonSchema, depth: int) -> str:
        """Add the lines that read a record; return the variable that holds it."""
        kind, definition = resolve(schema, self._names)
        if kind != "record" or not isinstance(definition, dict) or definition["name"] in self._open:
            raise _not_compiled(definition)
        self._open.add(definition["name"])
        entries = [f"{field['name']!r}: {self._value(field['type'], depth)}" for field in definition["fields"]]
        self._open.remove(definition["name"])
        variable = self._variable()
        self._line(depth, f"{variable} = {{{', '.join(entries)}}}")
        return variable

    def _value(self, schema: JsonSchema, depth: int) -> str:
        kind, definition = resolve(schema, self._names)
        if kind == "record":
            return self.record(schema, depth)
        variable = self._variable()
        if isinstance(definition, list):
            self._union(definition, variable, depth)
        elif kind in _NUMBERS:
            code, width_bytes = _NUMBERS[kind]
            self._line(depth, f"({variable},) = {self._constant(struct.Struct(code).unpack_from)}(data, p)")
            self._line(depth, f"p += {width_bytes}")
        elif kind in {"string", "bytes"}:
            self._long("n", depth)
            self._line(depth, "e = p + n")
            self._line(depth, "if n < 0 or e > end: cut(n, end - p)")
            self._line(depth, f"{variable} = data[p:e]{'.decode()' if kind == 'string' else ''}")
            self._line(depth, "p = e")
        elif kind in {"int", "long"}:
            self._long(variable, depth)
        elif kind == "boolean":
            self._line(depth, f"{variable} = data[p]")
            self._line(depth, f"if {variable} > 1: wrong('boolean', {variable})")
            self._line(depth, f"{variable} = {variable} == 1")
            self._line(depth, "p += 1")
        elif kind == "enum" and isinstance(definition, dict):
            self._long("n", depth)
            self._line(depth, "if n < 0: wrong('symbol', n)")
            self._line(depth, f"{variable} = {self._constant(tuple(definition['symbols']))}[n]")
        elif kind in {"array", "map"} and isinstance(definition, dict):
            self._repeated(kind, definition, variable, depth)
        else:
            raise _not_compiled(definition)
        return variable

    def _union(self, branches: list[Any], variable: str, depth: int) -> None:
        kinds = [resolve(branch, self._names)[0] for branch in branches]
        if len(branches) != 2 or "null" not in kinds or kinds[0] == kinds[1]:
            raise _not_compiled(branches)
        null = kinds.index("null")
        self._line(depth, "b = data[p]")
        self._line(depth, "p += 1")
        # A branch number is a zigzag integer: 0 is written as 0, 1 as 2.
        self._line(depth, f"if b == {2 * null}: {variable} = None")
        self._line(depth, f"elif b == {2 * (1 - null)}:")
        inner = self._value(branches[1 - null], depth + 1)
        self._line(depth + 1, f"{variable} = {inner}")
        self._line(depth, "else: wrong('branch', b)")

    def _repeated(self, kind: str, definition: dict[str, Any], variable: str, depth: int) -> None:
        count = self._variable()
        self._line(depth, f"{variable} = {'[]' if kind == 'array' else '{}'}")
        self._line(depth, "while True:")
        self._long(count, depth + 1)
        self._line(depth + 1, f"if {count} == 0: break")
        self._line(depth + 1, f"if {count} < 0:")
        self._line(depth + 2, f"{count} = -{count}")
        self._long("n", depth + 2)
        self._line(depth + 1, f"for _ in range({count}):")
        if kind == "array":
            self._line(depth + 2, f"{variable}.append({self._value(definition['items'], depth + 2)})")
        else:
            key = self._value("string", depth + 2)
            self._line(depth + 2, f"{variable}[{key}] = {self._value(definition['values'], depth + 2)}")

    def _long(self, variable: str, depth: int) -> None:
        self._line(depth, "b = data[p]")
        self._line(depth, "p += 1")
        self._line(depth, "if b > 127: b, p = more(data, p, b)")
        self._line(depth, f"{variable} = (b >> 1) ^ -(b & 1)")

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def _more(data: bytes, position: int, number: int) -> tuple[int, int]:
    """Return an integer of more than one byte, zigzag still in place, and the index after it."""
    number &= 0x7F
    for count in range(1, _MAX_VARINT_BYTES):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if number >> 64:
                break
            return number, position
    message = "an integer has more than 64 bits"
    raise ValueError(message)


def _cut(announced: int, left: int) -> NoReturn:
    message = f"{announced} bytes are announced, {left} are left"
    raise EOFError(message)


def _wrong(what: str, number: int) -> NoReturn:
    message = f"{number} is no {what} of the schema"
    raise ValueError(message)


def _not_compiled(definition: object) -> CatalogueError:
    message = f"no decoder can be compiled for {definition!r}"
    return CatalogueError(message)
