"""What is bound to one lane of work: buffers and what computes between them, by bucket and by form of inputs.

A form is what inputs there are, of which widths and dtypes. Answers are shared by all forms of a bucket and go with the
last of them. What is bound to a slot is changed by whoever has it in flight, or, while it is free, by whoever frees
memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from classifiers.runtimes.device.rows import Column
from classifiers.runtimes.device.streams import Act, Lane

FORMS: Final = 8
"""Forms that a slot keeps bound; the one used longest ago goes for another. A form of 4096 rows takes some 0.5 GB."""
UNLIMITED: Final = sys.maxsize
Form = tuple[tuple[str, tuple[int, ...], str], ...]
"""Of each input: name, shape of a row, dtype."""


def form_of(inputs: Mapping[str, Column]) -> Form:
    """Return the form of inputs."""
    return tuple((name, tuple(array.shape[1:]), array.dtype.str) for name, array in sorted(inputs.items()))


@dataclass(slots=True)
class Answers:
    """What a (slot, bucket) computes from and into: device tensors, and where answers land on the host."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    landed: dict[str, Tensor]

    def of(self, name: str) -> Tensor:
        """Return the device tensor of an answer; prepared inputs are among them."""
        return self.outputs[name] if name in self.outputs else self.inputs[name]


@dataclass(slots=True)
class Entry:
    """One form of inputs of a (slot, bucket): pinned and device tensors, and what computes from them."""

    pinned: dict[str, Tensor]
    raw: dict[str, Tensor]
    answers: Answers
    names: tuple[str, ...]
    compute: Act


@dataclass(slots=True)
class Slot:
    """One lane of work, and what is bound to it.

    Attributes:
        lane: what is enqueued on.
        forget: tells the launcher that a bucket's answers are gone.
        answers: by bucket.
        entries: by bucket and form, the one used last at the end.
        current: what is in flight, of ``bucket`` rows.
        busy: whether it is in flight, or about to be.
        limit: nothing of so many rows or more is bound.
    """

    lane: Lane
    forget: Callable[[int], None]
    answers: dict[int, Answers] = field(default_factory=dict)
    entries: dict[tuple[int, Form], Entry] = field(default_factory=dict)
    current: Entry | None = None
    bucket: int = 0
    busy: bool = False
    limit: int = UNLIMITED

    def used(self, bucket: int, form: Form) -> Entry | None:
        """Return what is bound to a form of a bucket, as the one used last, or None."""
        entry = self.entries.pop((bucket, form), None)
        if entry is not None:
            self.entries[bucket, form] = entry
        return entry

    def make_place(self, form: Form) -> None:
        """Drop the form used longest ago where there are enough without this one."""
        by_use = dict.fromkeys(each for _, each in reversed(self.entries))
        if form not in by_use and len(by_use) >= FORMS:
            oldest = list(by_use)[-1]
            self.drop(lambda _, each: each == oldest)

    def drop(self, goes: Callable[[int, Form], bool]) -> bool:
        """Drop entries by bucket and form, and answers that no entry needs; return whether there was anything."""
        before = len(self.entries) + len(self.answers)
        self.entries = {key: entry for key, entry in self.entries.items() if not goes(*key)}
        for bucket in set(self.answers) - {bucket for bucket, _ in self.entries}:
            del self.answers[bucket]
            self.forget(bucket)
        if not self.entries:
            self.lane.renew()
        return len(self.entries) + len(self.answers) < before
