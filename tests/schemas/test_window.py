"""A window shows the same stretch of many messages, and finds text that is not printable in each of them alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.window import Window

PRINTABLE = bytes(range(0x20, 0x7F))


@given(
    st.lists(st.tuples(st.binary(max_size=12), st.integers(0, 12)), min_size=1, max_size=5),
    st.integers(1, 16),
)
def test_each_row_is_the_messages_bytes_from_its_position(given_: list[tuple[bytes, int]], width: int) -> None:
    """What a message lacks is zero; ``origin`` leads from a position in the message to its byte in the window."""
    values, positions = [value for value, _ in given_], [min(at, len(value)) for value, at in given_]
    window = Window(values, positions, width)
    for row, (value, at) in enumerate(zip(values, positions, strict=True)):
        first = int(window.first[row])
        expected = value[at : at + width].ljust(window.width, b"\x00")
        assert window.data[first : first + window.width].tobytes() == expected
        if expected.strip(b"\x00"):
            assert window.data[window.origin[row] + at] == value[at]


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=8, max_size=8) | st.lists(st.sampled_from(PRINTABLE), min_size=8, max_size=8).map(bytes),
            st.integers(0, 4),
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_text_is_strange_where_a_byte_of_it_is_not_printable(rows: list[tuple[bytes, int, int]]) -> None:
    """Only bytes within a text count, whatever stands before, behind, and in the messages beside it."""
    window = Window([value for value, _, _ in rows], [0] * len(rows), 8)
    first = np.array([start for _, start, _ in rows]) + window.first
    window.texts.append((first, first + np.array([size for _, _, size in rows])))
    found = window.strange_text(window.first + 8)
    for (value, start, size), strange in zip(rows, found, strict=True):
        assert strange == any(byte not in PRINTABLE for byte in value[start : start + size])
