"""Stands in for Numba: loops run as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def njit(function: Function, **_: object) -> Function:
    """Return the function itself."""
    return function
