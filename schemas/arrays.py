"""Arrays inside Avro records: ``bytes`` whose ``logicalType`` names a little-endian dtype, seen as numpy arrays.

A record holds such an array as a read-only one-dimensional view of the decoded bytes (nothing is copied), and a writer
may also have used ``array<float>``, ``array<double>`` or ``array<int>``: each arrives as the dtype that *our* schema
names.
Where the arrays are is worked out once per schema (``array_fields``); a record then costs a few dictionary look-ups.
Pure: imports neither the codec nor the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.errors import Undecodable, Unencodable
from schemas.fingerprint import JsonSchema

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "float32-le": np.dtype("<f4"),
    "float64-le": np.dtype("<f8"),
    "int32-le": np.dtype("<i4"),
}
"""numpy dtype of each logical type."""

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ArrayField:
    """One array field of a record, or a field whose records hold arrays further down.

    Attributes:
        name: Field name.
        dtype: dtype of the array; None when the arrays are in ``inner``.
        inner: Array fields of the record (or of each record of the list) that this field holds.
    """

    name: str
    dtype: np.dtype[Any] | None = None
    inner: tuple[ArrayField, ...] = ()


def array_dtype(schema: JsonSchema) -> np.dtype[Any] | None:
    """Return the dtype that a type's logical type names, looking through unions; None when it is no array of ours."""
    if isinstance(schema, dict):
        return DTYPES.get(schema.get("logicalType", "")) if schema["type"] == "bytes" else None
    if isinstance(schema, str):
        return None
    return next((dtype for branch in schema if (dtype := array_dtype(branch)) is not None), None)


def array_fields(schema: JsonSchema) -> tuple[ArrayField, ...]:
    """Return where a record schema holds arrays, outermost first; empty for anything but a record.

    Args:
        schema: An Avro schema as JSON, in which a record that holds arrays is defined where it is used.
    """
    if not isinstance(schema, dict) or schema["type"] != "record":
        return ()
    found = []
    for field in schema["fields"]:
        dtype = array_dtype(field["type"])
        if dtype is not None:
            found.append(ArrayField(field["name"], dtype))
            continue
        inner = tuple(part for record in _records_within(field["type"]) for part in array_fields(record))
        if inner:
            found.append(ArrayField(field["name"], None, inner))
    return tuple(found)


def _records_within(schema: JsonSchema) -> Iterator[JsonSchema]:
    if isinstance(schema, dict):
        if schema["type"] == "record":
            yield schema
        elif schema["type"] == "array":
            yield from _records_within(schema["items"])
    elif not isinstance(schema, str):
        for branch in schema:
            yield from _records_within(branch)


def view_arrays(record: dict[str, Any], fields: tuple[ArrayField, ...], path: str = "") -> None:
    """Replace, in place, the decoded ``bytes`` (or lists of numbers) of a record by read-only numpy arrays.

    Args:
        record: A freshly decoded record.
        fields: Its array fields.
        path: Dotted path of the record, for messages.

    Raises:
        Undecodable: ``LENGTH_MISMATCH`` when the bytes are no whole number of values, ``INVALID_VALUE`` when a list
            holds a number that the dtype cannot.
    """
    for field in fields:
        value = record.get(field.name)
        if value is None:
            continue
        if field.dtype is None:
            for index, inner in enumerate(value if isinstance(value, list) else (value,)):
                if isinstance(inner, dict):
                    view_arrays(inner, field.inner, f"{path}{field.name}[{index}].")
        elif isinstance(value, bytes):
            if len(value) % field.dtype.itemsize:
                raise Undecodable(
                    "LENGTH_MISMATCH",
                    f"{path}{field.name} is no whole number of {field.dtype.name} values",
                    field=path + field.name,
                    expected=f"a multiple of {field.dtype.itemsize} bytes",
                    received=f"{len(value)} bytes",
                )
            record[field.name] = np.frombuffer(value, field.dtype)
        else:
            record[field.name] = _array_from_numbers(value, field.dtype, path + field.name)


def _array_from_numbers(value: object, dtype: np.dtype[Any], path: str) -> Array:
    try:
        array = _as_dtype(np.asarray(value), dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise Undecodable(
            "INVALID_VALUE",
            f"{path} holds values that are no {dtype.name}: {error}",
            field=path,
            expected=dtype.name,
            received=type(value).__name__,
        ) from error
    array.flags.writeable = False
    return array


def _as_dtype(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return the array as ``dtype``; ValueError where its kind or its integers do not fit."""
    if array.dtype == dtype:
        return array
    if not array.size:
        return np.empty(array.shape, dtype)
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        message = f"dtype {array.dtype} instead of {dtype.name}"
        raise ValueError(message)
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            message = f"integers from {array.min()} to {array.max()} do not fit {dtype.name}"
            raise ValueError(message)
    # Narrowing float64 to float32 may overflow to inf, which the pixel rules downstream treat as a bad pixel.
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def pack_arrays(record: Mapping[str, Any], fields: tuple[ArrayField, ...], name: str) -> Mapping[str, Any]:
    """Return the record with its arrays as little-endian bytes; the record itself is not changed.

    Args:
        record: A record whose arrays are one-dimensional (images: any shape, row-major) arrays, or bytes already.
        fields: Its array fields.
        name: Full name of the schema, for messages.

    Raises:
        Unencodable: when a value is neither an array nor bytes, or does not fit the dtype without loss of kind.
    """
    if not fields:
        return record
    packed = dict(record)
    for field in fields:
        value = packed.get(field.name)
        if value is None:
            continue
        if field.dtype is not None:
            packed[field.name] = _bytes_of(value, field.dtype, name, field.name)
        elif isinstance(value, Mapping):
            packed[field.name] = pack_arrays(value, field.inner, name)
        else:
            packed[field.name] = [pack_arrays(inner, field.inner, name) for inner in value]
    return packed


def _bytes_of(value: object, dtype: np.dtype[Any], name: str, field: str) -> bytes:
    if isinstance(value, bytes):
        if len(value) % dtype.itemsize:
            message = f"{field} has {len(value)} bytes, expected a multiple of {dtype.itemsize} ({dtype.name})"
            raise Unencodable(name, message, field=field)
        return value
    try:
        return _as_dtype(np.asarray(value), dtype).tobytes()
    except (TypeError, ValueError, OverflowError) as error:
        raise Unencodable(name, f"{field}: {error}", field=field) from error
