"""A container of several records as containers of one record each: framed anew, not encoded anew.

Where one datum ends is found by walking over its bytes with the writer's schema, so the bytes of every record stay as
they are, and so do schema, compression and metadata of the header. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.bounds import memory_bound
from schemas.container import Buffer, read_blocks, read_header, single_record_container
from schemas.definitions import parse_text
from schemas.errors import Undecodable
from schemas.measure import datum_end
from schemas.wire import CONTAINER_MAGIC

MAX_BLOCK_BYTES: Final = 256 * 1024 * 1024


def is_container(value: Buffer) -> bool:
    """Return whether a message is an object container, from its first bytes."""
    return value[: len(CONTAINER_MAGIC)] == CONTAINER_MAGIC


def split_container(value: Buffer, max_block_bytes: int = MAX_BLOCK_BYTES) -> Iterator[bytes]:
    """Yield each record of a container as a container of its own, in their order.

    Args:
        value: The whole container, in memory or mapped.
        max_block_bytes: Most bytes that one block may decompress to.

    Raises:
        Undecodable: at the first record that is cut off or broken, or at once where header or schema are.
    """
    header = read_header(value)
    schema = parse_text(header.schema_text)
    memory_bound(schema)  # refuses what could be walked over without end
    head = bytes(value[: header.end])
    for block in read_blocks(value, header, max_block_bytes, together=False):
        if block.count > max(1, len(block.data)):
            raise Undecodable(
                "UNDECODABLE",
                "a block announces more records than it has bytes",
                expected=f"at most {len(block.data)} records",
                received=str(block.count),
            )
        position = 0
        for _ in range(block.count):
            end = datum_end(schema, block.data, position)
            if end is None:
                raise Undecodable(
                    "UNDECODABLE",
                    "a record is cut off or broken",
                    expected="a whole record",
                    received=f"{len(block.data) - position} bytes that are none",
                )
            yield single_record_container(head, header, block.data[position:end])
            position = end
        if position != len(block.data):
            raise Undecodable(
                "UNDECODABLE",
                "bytes are left after the records of a block",
                expected=f"{position} bytes",
                received=f"{len(block.data)} bytes",
            )
