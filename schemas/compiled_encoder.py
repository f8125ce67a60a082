"""Encoders compiled from a schema: one Python function that appends the bytes of each field.

Several times faster than a general writer for records of many small fields, as L2 records are, and byte for byte what
``fastavro.schemaless_writer`` writes (the tests compare them); an ``int`` beyond 32 bits is refused where fastavro lets
it pass. Only our own schemas are compiled, never one that came over the wire: the function is made of generated source,
into which go the names of fields and nothing else.
"""

from __future__ import annotations

import copy
import operator
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from schemas.definitions import named_types, resolve
from schemas.errors import CatalogueError
from schemas.fingerprint import JsonSchema

Encoder: TypeAlias = Callable[[Mapping[str, Any]], bytes]
"""Encodes one record; raises what Python raises where a value does not fit."""

_MAX_REMEMBERED_KEYS: Final = 4096
_INT_BITS: Final = {"int": 32, "long": 64}
_NUMBER_FORMATS: Final = {"float": "f", "double": "d"}


def compile_encoder(schema: JsonSchema) -> Encoder:
    """Return a function that encodes records of a schema.

    Args:
        schema: A parsed record schema whose unions are all of null and one other type.

    Raises:
        CatalogueError: when the schema has a type that is not compiled (other unions, fixed, recursion).
    """
    source = _Source(named_types(schema))
    source.record(schema, "record", 1)
    text = "\n".join(
        ("def encode(record):", "    pieces = []", "    add = pieces.append", *source.lines, "    return join(pieces)")
    )
    scope = {**source.constants, "join": b"".join}
    exec(compile(text, "<compiled encoder>", "exec"), scope)  # noqa: S102 - our own schemas only, see the module
    encoder: Encoder = scope["encode"]
    return encoder


class _Source:
    """The source lines of one encoder and the constants that they name."""

    def __init__(self, names: dict[str, dict[str, Any]]) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {
            "long": _long,
            "int_": _int,
            "truth": _truth,
            "octets": _octets,
            "key": _Keys(),
        }
        self._names = names
        self._variables = 0
        self._open: set[str] = set()

    def record(self, schema: JsonSchema, variable: str, depth: int) -> None:
        """Add the lines that append a record held by a variable."""
        kind, definition = resolve(schema, self._names)
        if kind != "record" or not isinstance(definition, dict) or definition["name"] in self._open:
            raise _not_compiled(definition)
        self._open.add(definition["name"])
        for field in definition["fields"]:
            value = self._variable()
            name = repr(field["name"])
            if "default" in field:
                default = self._constant(field["default"])
                self._line(depth, f"{value} = {variable}.get({name}, {default})")
            else:
                self._line(depth, f"{value} = {variable}[{name}]")
            self._value(field["type"], value, depth)
        self._open.remove(definition["name"])

    def _value(self, schema: JsonSchema, variable: str, depth: int, branch: bytes = b"") -> None:
        """Add the lines that append a value, after the union branch that it is in."""
        kind, definition = resolve(schema, self._names)
        if isinstance(definition, list):
            self._union(definition, variable, depth)
        elif kind in _NUMBER_FORMATS:
            pack = self._constant(_number_packer(_NUMBER_FORMATS[kind], branch))
            self._line(depth, f"add({pack}({', '.join([*map(str, branch), variable])}))")
        elif kind == "string":
            self._line(depth, f"{variable} = {variable}.encode()")
            self._line(depth, f"add({self._constant(_Lengths(branch))}[len({variable})] + {variable})")
        elif kind == "bytes":
            # Apart, because these may be large and would be copied once more to be joined to their length.
            self._line(depth, f"{variable} = octets({variable})")
            self._line(depth, f"add({self._constant(_Lengths(branch))}[len({variable})])")
            self._line(depth, f"add({variable})")
        elif kind in _INT_BITS:
            self._branch(branch, depth)
            self._line(depth, f"add({'int_' if kind == 'int' else 'long'}({variable}))")
        elif kind == "boolean":
            self._branch(branch, depth)
            self._line(depth, f"add(truth({variable}))")
        elif kind == "enum" and isinstance(definition, dict):
            symbols = {symbol: branch + _long(index) for index, symbol in enumerate(definition["symbols"])}
            self._line(depth, f"add({self._constant(symbols)}[{variable}])")
        elif kind == "record":
            self._branch(branch, depth)
            self.record(schema, variable, depth)
        elif kind == "array" and isinstance(definition, dict):
            self._branch(branch, depth)
            self._array(definition["items"], variable, depth)
        elif kind == "map" and isinstance(definition, dict):
            self._branch(branch, depth)
            self._map(definition["values"], variable, depth)
        else:
            raise _not_compiled(definition)

    def _union(self, branches: list[Any], variable: str, depth: int) -> None:
        kinds = [resolve(branch, self._names)[0] for branch in branches]
        if len(branches) != 2 or "null" not in kinds or kinds[0] == kinds[1]:
            raise _not_compiled(branches)
        null = kinds.index("null")
        self._line(depth, f"if {variable} is None:")
        self._line(depth + 1, f"add({_long(null)!r})")
        self._line(depth, "else:")
        self._value(branches[1 - null], variable, depth + 1, _long(1 - null))

    def _array(self, items: JsonSchema, variable: str, depth: int) -> None:
        if self._is_text_record(items):
            memo = self._constant(_TextRecords(items))
            self._line(depth, f"add({memo}({variable}))")
            return
        self._line(depth, f"if {variable}:")
        self._line(depth + 1, f"add(long(len({variable})))")
        item = self._variable()
        self._line(depth + 1, f"for {item} in {variable}:")
        if resolve(items, self._names)[0] == "record":
            self.record(items, item, depth + 2)
        else:
            self._value(items, item, depth + 2)
        self._line(depth, "add(b'\\0')")

    def _map(self, values: JsonSchema, variable: str, depth: int) -> None:
        name, value = self._variable(), self._variable()
        self._line(depth, f"if {variable}:")
        self._line(depth + 1, f"add(long(len({variable})))")
        self._line(depth + 1, f"for {name}, {value} in {variable}.items():")
        self._line(depth + 2, f"add(key[{name}])")
        self._value(values, value, depth + 2)
        self._line(depth, "add(b'\\0')")

    def _is_text_record(self, schema: JsonSchema) -> bool:
        kind, definition = resolve(schema, self._names)
        if kind != "record" or not isinstance(definition, dict):
            return False
        return all(resolve(field["type"], self._names)[0] == "string" for field in definition["fields"])

    def _branch(self, branch: bytes, depth: int) -> None:
        if branch:
            self._line(depth, f"add({branch!r})")

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


class _Lengths(dict[int, bytes]):
    """Union branch and length of a text by the length; worked out once for each."""

    def __init__(self, branch: bytes) -> None:
        super().__init__()
        self._branch = branch

    def __missing__(self, length: int) -> bytes:
        value = self._branch + _long(length)
        if length < _MAX_REMEMBERED_KEYS:
            self[length] = value
        return value


class _Keys(dict[str, bytes]):
    """Encoded keys of maps; they are few and come again with every record."""

    def __missing__(self, name: str) -> bytes:
        data = name.encode()
        value = _long(len(data)) + data
        if len(self) >= _MAX_REMEMBERED_KEYS:
            self.clear()
        self[name] = value
        return value


class _TextRecords:
    """Encodes a list of records of strings, and remembers the list that came twice in a row.

    The engines of an L2 record are one list shared by all records. It is compared with a copy each time, so that a list
    changed in between is encoded anew. What is remembered is replaced as a whole: threads may share this.
    """

    def __init__(self, items: JsonSchema) -> None:
        record = {"type": "record", "name": "list", "fields": [{"name": "items", "type": items}]}
        self._encode_item = compile_encoder(record)
        self._seen: tuple[object, object, bytes] | None = None

    def __call__(self, records: list[dict[str, str]]) -> bytes:
        seen = self._seen
        if seen is not None and seen[0] is records and seen[1] == records:
            return seen[2]
        items = b"".join([self._encode_item({"items": record}) for record in records])
        value = _long(len(records)) + items + b"\0" if records else b"\0"
        self._seen = (records, copy.deepcopy(records) if seen is not None and seen[0] is records else None, value)
        return value


def _number_packer(code: str, branch: bytes) -> Callable[..., bytes]:
    return struct.Struct("<" + "B" * len(branch) + code).pack


def _encode_long(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL: Final = tuple(_encode_long(number) for number in range(1024))


def _long(value: Any) -> bytes:
    number = operator.index(value)
    if 0 <= number < 1024:
        return _SMALL[number]
    if not -(1 << 63) <= number < 1 << 63:
        message = f"{number} is no 64-bit integer"
        raise OverflowError(message)
    return _encode_long(number)


def _int(value: Any) -> bytes:
    number = operator.index(value)
    if 0 <= number < 1024:
        return _SMALL[number]
    if not -(1 << 31) <= number < 1 << 31:
        message = f"{number} is no 32-bit integer"
        raise OverflowError(message)
    return _encode_long(number)


def _truth(value: Any) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    # numpy's booleans compare equal to Python's but are other objects.
    if type(value).__name__ == "bool":
        return b"\x01" if value else b"\x00"
    message = f"{value!r} is no boolean"
    raise TypeError(message)


def _octets(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    message = f"{type(value).__name__} is no bytes"
    raise TypeError(message)


def _not_compiled(definition: object) -> CatalogueError:
    message = f"no encoder can be compiled for {definition!r}"
    return CatalogueError(message)
