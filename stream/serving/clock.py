"""Time as the service sees it, so that tests may own it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """``monotonic``: seconds for ages and time-outs; ``unix_ms``: UTC [ms since 1970] for headers."""

    monotonic: Callable[[], float] = time.monotonic
    unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
