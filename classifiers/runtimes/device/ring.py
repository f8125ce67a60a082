"""Which rows are computed in which slot next: a pure state machine, without threads, clock or arrays.

A batch of n rows is planned as pieces of declared sizes (buckets). Each slot goes round

    FREE -> taken (``take``) -> running (``begun``) -> FREE (``done``)

and may leave it at any point between: ``out_of_memory`` frees the slot and plans its rows again with smaller buckets;
``lost`` ends everything, since what was on the device is gone. Events of different slots may come in any order.

Invariants: each row of a batch is computed once; a slot holds one piece at most; where pieces wait, no slot is free
(once ``take`` has said None); batches take turns, piece by piece, whoever came first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory

PIECE_COST_ROWS = 64
"""What it costs to begin a piece (launches, copies, events), in rows computed: where two pieces spare more rows than
this they are better than one. Some 50 us of a host's time against 0.7 us a row."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a batch that are computed at once, padded to ``bucket``."""

    batch: int
    start: int
    rows: int
    bucket: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A piece and the slot that it is to be begun in."""

    slot: int
    piece: Piece


@dataclass(slots=True)
class _Slot:
    piece: Piece | None = None
    running: bool = False
    turn: int = 0


@dataclass(slots=True)
class _Batch:
    waiting: deque[Piece]
    in_flight: int = 0
    error: OutOfMemory | None = None


@dataclass(slots=True)
class Ring:
    """Slots in turn for the batches of any number of callers.

    Attributes:
        slots: computations in flight at most.
        buckets: sizes that are computed, ascending.
    """

    slots: int
    buckets: Sequence[int]
    _allowed: tuple[int, ...] = field(init=False, repr=False)
    _places: list[_Slot] = field(init=False, repr=False)
    _batches: dict[int, _Batch] = field(init=False, repr=False, default_factory=dict)
    _turns: deque[int] = field(init=False, repr=False, default_factory=deque)
    _count: int = field(init=False, repr=False, default=0)
    _lost: DeviceLost | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if self.slots < 1 or not self.buckets or list(self.buckets) != sorted(set(self.buckets)) or self.buckets[0] < 1:
            raise ValueError(f"a ring needs slots and ascending buckets, not {self.slots} and {list(self.buckets)}")
        self._allowed = tuple(self.buckets)
        self._places = [_Slot() for _ in range(self.slots)]

    @property
    def allowed(self) -> tuple[int, ...]:
        """Return the buckets that have not been too large, the smallest always among them."""
        return self._allowed

    @property
    def ready(self) -> bool:
        """Return whether ``take`` has something to give."""
        return self._lost is None and bool(self._turns) and any(place.piece is None for place in self._places)

    def add(self, n: int, bucket: int | None = None) -> int:
        """Plan a batch of n >= 1 rows; return its number.

        Args:
            n: rows.
            bucket: what all of its pieces are planned in, one that is allowed; None: whatever is best.

        Raises:
            DeviceLost: the device failed before.
        """
        if self._lost is not None:
            raise DeviceLost(self._lost.reason) from self._lost
        if n < 1:
            raise ValueError(f"a batch has at least 1 row, not {n}")
        if bucket is not None and bucket not in self._allowed:
            raise ValueError(f"expected a bucket of {list(self._allowed)}, not {bucket}")
        buckets = self._allowed if bucket is None else (bucket,)
        self._count += 1
        self._batches[self._count] = _Batch(deque(_pieces(self._count, 0, n, buckets)))
        self._turns.append(self._count)
        return self._count

    def take(self) -> Taken | None:
        """Return the piece to begin next and its slot, or None where no slot is free or no piece waits."""
        if not self.ready:
            return None
        slot = next(i for i, place in enumerate(self._places) if place.piece is None)
        batch = self._turns.popleft()
        state = self._batches[batch]
        piece = state.waiting.popleft()
        if state.waiting:
            self._turns.append(batch)
        state.in_flight += 1
        self._count += 1
        self._places[slot] = _Slot(piece, turn=self._count)
        return Taken(slot, piece)

    def begun(self, slot: int) -> None:
        """Note that a taken slot is running: it may be waited for."""
        if self._piece(slot) is not None:
            self._places[slot].running = True

    def running(self, batch: int) -> Taken | None:
        """Return the running piece of a batch that was taken first, or None."""
        mine = [
            (place.turn, Taken(slot, place.piece))
            for slot, place in enumerate(self._places)
            if place.running and place.piece is not None and place.piece.batch == batch
        ]
        return min(mine, key=lambda each: each[0])[1] if mine else None

    def done(self, slot: int) -> None:
        """Note that a slot's rows are computed and copied; the slot is free."""
        if self._piece(slot) is not None:
            self._release(slot)

    def out_of_memory(self, slot: int, error: OutOfMemory) -> int | None:
        """Plan a slot's rows anew in smaller buckets, and those that wait; the slot is free.

        A batch whose rows do not even fit as the smallest bucket fails with the error.

        Returns:
            The next smaller bucket where this one was not known to be too large yet, else None.
        """
        piece = self._piece(slot)
        if piece is None:
            return None
        self._release(slot)
        smaller = tuple(bucket for bucket in self._allowed if bucket < piece.bucket)
        if not smaller and piece.bucket <= self._allowed[0]:
            self._fail(piece.batch, error)
            return None
        news = bool(smaller) and len(smaller) < len(self._allowed)
        if news:
            self._allowed = smaller
            for number, state in self._batches.items():
                waiting = [_pieces(number, each.start, each.rows, smaller) for each in state.waiting]
                state.waiting = deque(each for pieces in waiting for each in pieces)
        state = self._batches[piece.batch]
        if state.error is None:
            if not state.waiting:
                self._turns.appendleft(piece.batch)
            state.waiting.extendleft(reversed(_pieces(piece.batch, piece.start, piece.rows, self._allowed)))
        return self._allowed[-1] if news else None

    def lost(self, error: DeviceLost) -> None:
        """Note that the device failed: nothing is in flight any more, and every batch has failed."""
        self._lost = self._lost or error
        self._turns.clear()
        self._places = [_Slot() for _ in self._places]
        for state in self._batches.values():
            state.waiting.clear()
            state.in_flight = 0

    def settled(self, batch: int) -> bool:
        """Return whether nothing of a batch waits or is in flight: ``close`` says how it ended."""
        state = self._batches[batch]
        return not state.waiting and state.in_flight == 0

    def close(self, batch: int) -> None:
        """Forget a settled batch.

        Raises:
            DeviceLost: the device failed.
            OutOfMemory: the device cannot even hold the smallest bucket.
        """
        state = self._batches.pop(batch)
        if self._lost is not None:
            raise DeviceLost(self._lost.reason) from self._lost
        if state.error is not None:
            raise state.error

    def _piece(self, slot: int) -> Piece | None:
        """Return what a slot holds; None once all is lost, when late events of it mean nothing."""
        piece = self._places[slot].piece
        if piece is None and self._lost is None:
            raise ValueError(f"slot {slot} is free")
        return piece

    def _release(self, slot: int) -> None:
        piece = self._places[slot].piece
        self._places[slot] = _Slot()
        if piece is not None:
            self._batches[piece.batch].in_flight -= 1

    def _fail(self, batch: int, error: OutOfMemory) -> None:
        state = self._batches[batch]
        state.error = state.error or error
        if state.waiting:
            state.waiting.clear()
            self._turns.remove(batch)


def _pieces(batch: int, start: int, rows: int, buckets: Sequence[int]) -> list[Piece]:
    pieces = []
    for bucket in plan(rows, buckets):
        taken = min(rows, bucket)
        pieces.append(Piece(batch, start, taken, bucket))
        start, rows = start + taken, rows - taken
    return pieces


def reachable(largest_batch: int | None, buckets: Sequence[int]) -> tuple[int, ...]:
    """Return the buckets that batches of 1 to so many rows are computed in; None: of any size.

    Those up to the largest batch, and the next one: a batch of as many rows as a bucket has is computed in it.
    """
    if largest_batch is None:
        return tuple(buckets)
    above = [bucket for bucket in buckets if bucket >= largest_batch][:1]
    return (*(bucket for bucket in buckets if bucket < largest_batch), *above)


def plan(rows: int, buckets: Sequence[int]) -> list[int]:
    """Return the buckets that n >= 1 rows are computed in, largest first.

    The largest bucket as often as it is filled; what is left in the one that holds it, or in several smaller ones
    where that computes fewer rows by more than what another piece costs (``PIECE_COST_ROWS``).

    Args:
        rows: of the batch.
        buckets: ascending.
    """
    full, left = divmod(rows, buckets[-1])
    return [buckets[-1]] * full + (_tail(left, buckets) if left else [])


def _tail(rows: int, buckets: Sequence[int]) -> list[int]:
    whole = next(bucket for bucket in buckets if bucket >= rows)
    below = [bucket for bucket in buckets if bucket < rows]
    if not below:
        return [whole]
    full, left = divmod(rows, below[-1])
    parts = [below[-1]] * full + (_tail(left, buckets) if left else [])
    return parts if _cost(parts) < _cost([whole]) else [whole]


def _cost(parts: Sequence[int]) -> int:
    return sum(parts) + PIECE_COST_ROWS * len(parts)
