"""The wall clock, read at the edge only."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the time now, ms since 1970, UTC."""
    return time.time_ns() // 1_000_000
