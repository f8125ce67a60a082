"""How the service logs: events with fields, on standard error; JSON lines for machines, colours for a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from typing import Final

import structlog
from structlog.typing import EventDict

DEAD_LETTERS: Final = frozenset({"record_rejected", "record_refused_by_engines"})
"""Events that say what a dead letter says."""


def configure_logs(level: str = "info", *, without: Collection[str] = ()) -> None:
    """Set up structlog for this process.

    Args:
        level: debug, info, warning or error.
        without: events that are left out, because the command says by itself what they would.
    """

    def leave_out(logger: object, method: str, event: EventDict) -> EventDict:
        del logger, method
        if event["event"] in without:
            raise structlog.DropEvent
        return event

    terminal = sys.stderr.isatty()
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            leave_out,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
