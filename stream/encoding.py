"""The one thing that records need of the codec: a record by name becomes framed bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Encode: TypeAlias = Callable[[str, Mapping[str, Any]], bytes]
