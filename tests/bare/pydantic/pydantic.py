"""Stands in for pydantic: models are built from JSON by their annotations, and nothing is validated."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

Function = TypeVar("Function", bound=Callable[..., object])


class ValidationError(ValueError):
    """A field is absent or unknown, or the text is no JSON."""

    def errors(self) -> list[dict[str, Any]]:
        """Return the only error."""
        return [{"loc": (), "msg": str(self)}]


class _Field:
    def __init__(self, default: Any = ..., *, default_factory: Callable[[], Any] | None = None, **_: object) -> None:
        self.make = default_factory or (None if default is ... else lambda: default)


def Field(*arguments: Any, **options: Any) -> Any:  # noqa: N802 - pydantic's name
    """Return what a field is if it is not given."""
    return _Field(*arguments, **options)


def ConfigDict(**options: object) -> dict[str, object]:  # noqa: N802 - pydantic's name
    """Return the options, which nothing reads."""
    return options


def model_validator(**_: object) -> Callable[[Function], Function]:
    """Return a decorator that leaves the function as it is, and uncalled."""
    return lambda function: function


class BaseModel:
    """A model whose fields are its annotations."""

    def __init__(self, **values: Any) -> None:
        kinds = get_type_hints(type(self))
        if unknown := set(values) - set(kinds):
            raise ValidationError(f"{type(self).__name__} has no {sorted(unknown)}")
        for name, kind in kinds.items():
            self.__dict__[name] = _built(kind, values[name]) if name in values else self._default(name)

    @classmethod
    def _default(cls, name: str) -> Any:
        default = getattr(cls, name, _Field())
        if not isinstance(default, _Field):
            return default
        if default.make is None:
            raise ValidationError(f"{cls.__name__} needs {name}")
        return default.make()

    def _values(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in get_type_hints(type(self))}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseModel) and type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), tuple(self._values().values())))

    @classmethod
    def model_validate(cls, value: Mapping[str, Any]) -> Self:
        """Return the model of a mapping."""
        return cls(**value)

    @classmethod
    def model_validate_json(cls, value: str | bytes) -> Self:
        """Return the model of a JSON text."""
        try:
            return cls(**json.loads(value))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
            raise ValidationError(str(error)) from error

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return the model with other values of some fields."""
        return type(self)(**{**self._values(), **update})

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return the model as a JSON text."""
        return json.dumps(self, default=BaseModel._values, indent=indent)


def _built(kind: Any, value: Any) -> Any:
    """Return a value of JSON as its annotation has it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if value is None:
        return None
    if origin in (Union, types.UnionType):
        return _built(arguments[0], value)
    if origin is tuple and arguments[1] is ...:
        return tuple(_built(arguments[0], each) for each in value)
    if origin is tuple:
        return tuple(_built(each, part) for each, part in zip(arguments, value, strict=True))
    if origin is dict:
        return {key: _built(arguments[1], each) for key, each in value.items()}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return value if isinstance(value, kind) else kind(**value)
    return value
