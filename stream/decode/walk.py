"""The walk over encoded records: where each field is, found in machine code, up to the next large array.

A program says what comes one after the other in a record of one schema (``stream.decode.columns`` writes it). Each step
of it is a row of four integers: its code, the field that it tells of or -1, and two arguments. Pure.

| code | reads | arguments |
| --- | --- | --- |
| ``FIELD`` | nothing: a field begins | |
| ``NULLABLE`` | the branch of a union of null and one other type | the step after that type |
| ``STRING`` | a text, which must be printable ASCII | |
| ``BYTES`` | a length, and leaps over the content | |
| ``REAL`` | a floating-point number | its width [byte], its column among the doubles or -1 |
| ``BOOLEAN`` | a boolean | |
| ``INTEGER`` | an integer | |
| ``SYMBOL`` | an index of an enumeration | the number of symbols |
| ``LIST`` | the number of items, at most ``MAX_ITEMS`` | the step after the list, its depth |
| ``NEXT_ITEM`` | after the last item: the end of the list | the first step of an item, its depth |
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers.compiled import compiled

FIELD, NULLABLE, STRING, BYTES, REAL, BOOLEAN, INTEGER, SYMBOL, LIST, NEXT_ITEM = range(10)
AT, PRESENT, START, SIZE, NUMBER = range(5)
"""What is noted of a field: where its encoding begins and whether it is not null; of its value where the content begins
and how long it is (text, bytes) [byte], and the value of an integer, index of a symbol, 0 or 1 of a boolean."""
NOTED: Final = 5
MAX_ITEMS: Final = 32
"""Longest list of a plain message [item]."""
ENDED: Final = -1
"""The step of a message that was walked to its end, or is not plain."""
_MAX_VARINT_BYTES: Final = 9


@compiled
def _integer(data: NDArray[np.uint8], place: int, end: int) -> tuple[int, int]:
    """Return an integer and the place behind it; -1 for the place when it is cut off or in more bytes than it needs."""
    number, shift = 0, 0
    while place < end and shift < 7 * _MAX_VARINT_BYTES:
        byte = int(data[place])
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift > 0:
                return 0, -1
            return (number >> 1) ^ -(number & 1), place
        shift += 7
    return 0, -1


@compiled
def walk(
    program: NDArray[np.int64],
    data: NDArray[np.uint8],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    lengths: NDArray[np.int64],
    at: NDArray[np.int64],
    step: NDArray[np.int64],
    items: NDArray[np.int64],
    table: NDArray[np.int64],
    doubles: NDArray[np.uint64],
    plain: NDArray[np.bool_],
) -> Any:
    """Walk on in every message up to behind its next bytes that are not empty, or to its end.

    Args:
        program: (steps, 4).
        data: the bytes of n messages from where each was left, one message after the other.
        first: (n,) index in ``data`` of the first byte of each message.
        last: (n,) index in ``data`` behind its last byte.
        lengths: (n,) of the whole messages [byte].
        at: (n,) position in each message of the first byte in ``data``; changed to where it goes on.
        step: (n,) where in the program each message is; changed, ``ENDED`` once it is done with.
        items: (n, depth) how many items of each list are still to come; changed.
        table: (n, fields * NOTED) what is noted of each field, positions counted from the message's first byte;
            zero where nothing was noted.
        doubles: (n, columns) the bits of the doubles that have a column.
        plain: (n,) set True for messages that ended where the program did.

    Returns:
        How many messages are to go on.
    """
    left = 0
    for row in range(at.shape[0]):
        now = step[row]
        if now == ENDED:
            continue
        place, end = first[row], last[row]
        shift = at[row] - place
        length = lengths[row]
        noted, real, to_come = table[row], doubles[row], items[row]
        sound, leapt = True, False
        while sound and not leapt and now < program.shape[0]:
            one = program[now]
            code, field, now = one[0], NOTED * one[1], now + 1
            if code == FIELD:
                noted[field + AT] = place + shift
                noted[field + PRESENT] = 1
            elif code == NULLABLE:
                if field >= 0:
                    noted[field + AT] = place + shift
                sound = place < end and (data[place] == 0 or data[place] == 2)
                if sound:
                    if data[place] == 0:
                        now = one[2]
                    elif field >= 0:
                        noted[field + PRESENT] = 1
                place += 1
            elif code == STRING:
                size, place = _integer(data, place, end)
                sound = place >= 0 and 0 <= size <= end - place
                if sound:
                    if field >= 0:
                        noted[field + START], noted[field + SIZE] = place + shift, size
                    for index in range(place, place + size):
                        sound &= 0x20 <= data[index] <= 0x7E
                    place += size
            elif code == BYTES:
                size, place = _integer(data, place, end)
                sound = place >= 0 and 0 <= size <= length - place - shift
                if sound:
                    if field >= 0:
                        noted[field + START], noted[field + SIZE] = place + shift, size
                    place += size
                    leapt = size > 0
            elif code == REAL:
                width = one[2]
                sound = place + width <= end
                if sound:
                    if field >= 0:
                        noted[field + START] = place + shift
                    if one[3] >= 0:
                        bits = np.uint64(0)
                        for index in range(8):
                            bits |= np.uint64(data[place + index]) << np.uint64(8 * index)
                        real[one[3]] = bits
                    place += width
            elif code == BOOLEAN:
                sound = place < end and data[place] <= 1
                if sound and field >= 0:
                    noted[field + NUMBER] = data[place]
                place += 1
            elif code in (INTEGER, SYMBOL):
                number, place = _integer(data, place, end)
                sound = place >= 0 and (code == INTEGER or 0 <= number < one[2])
                if field >= 0:
                    noted[field + NUMBER] = number
            elif code == LIST:
                number, place = _integer(data, place, end)
                sound = place >= 0 and 0 <= number <= MAX_ITEMS
                to_come[one[3]] = number
                if number == 0:
                    now = one[2]
            else:
                to_come[one[3]] -= 1
                if to_come[one[3]] > 0:
                    now = one[2]
                else:
                    number, place = _integer(data, place, end)
                    sound = place >= 0 and number == 0
        at[row] = place + shift
        if sound and now < program.shape[0]:
            step[row] = now
            left += 1
        else:
            step[row] = ENDED
            at[row] = length
            plain[row] = sound and place + shift == length
    return left
