"""Reads topics to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ops.patience import patiently
from stream.transports.contract import Message, Reader

READ_RECORDS = 1000
READ_S = 0.2


def everything(open_reader: Callable[[], Reader]) -> Iterator[Message]:
    """Yield every committed message of a reader's topics, up to the end; a broker that is away is waited for."""
    reader = patiently(open_reader)
    try:
        while not patiently(reader.at_end):
            yield from patiently(lambda: reader.read(READ_RECORDS, READ_S))
    finally:
        reader.close()
