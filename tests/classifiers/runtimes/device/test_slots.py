"""What stays bound to slots where memory is short: other forms and buckets go first, what was given up never stays."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from classifiers.bundle.manifest import Tensor as Declared
from classifiers.runtimes.device.contract import OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.slots import FORMS
from classifiers.runtimes.device.streams import Act, Cpu, Lane
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.program import Output, Program

Tensors = Mapping[str, Tensor]
X = Declared(name="x", shape=(1,))
Y = Output("p", Declared(name="y", shape=()), "p/y")


class Widest:
    """A preparation: x is the largest of a row of any width."""

    def __init__(self) -> None:
        self.outputs = {"prepared/least": Declared(name="least", shape=())}

    def accepts(self, names: frozenset[str]) -> bool:
        return "raw" in names

    def launch(self, raw: Tensors, inputs: Tensors, outputs: Tensors) -> None:
        inputs["x"].copy_(raw["raw"].amax(dim=1, keepdim=True))
        outputs["prepared/least"].copy_(raw["raw"].amin(dim=1))


class Small(Cpu):
    """A place with room for so many rows of captured acts, all forms and slots together; counts captures."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = 0
        self.captures = 0
        self.renewed = 0
        self.bucket = 0

    def lane(self) -> Lane:
        return self

    def captured(self, act: Act) -> Act:
        held = _Rows(self, self.bucket)

        def replay() -> None:
            assert held.rows
            act()

        self.captures += 1
        return replay

    def renew(self) -> None:
        self.renewed += 1


class _Rows:
    """Rows of room, taken as long as it lives."""

    def __init__(self, place: Small, rows: int) -> None:
        self.place, self.rows = place, 0
        if place.taken + rows > place.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.rows = rows
        place.taken += rows

    def __del__(self) -> None:
        self.place.taken -= self.rows


class Doubler:
    """A launcher: y is twice x; notes what it was told to forget, and the bucket that is bound next."""

    def __init__(self, place: Small) -> None:
        self.place = place
        self.bound: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self.forgotten: list[tuple[int, int]] = []

    def prepare(self, slot: int, bucket: int, inputs: Tensors, outputs: Tensors) -> None:
        self.bound[slot, bucket] = (inputs["x"], outputs["p/y"])

    def launch(self, slot: int, bucket: int) -> None:
        x, y = self.bound[slot, bucket]
        y.copy_(2.0 * x[:, 0])

    def forget(self, slot: int, bucket: int) -> None:
        self.bound.pop((slot, bucket), None)
        self.forgotten.append((slot, bucket))


class Bucketed(TensorDevice):
    """A device that tells the place what bucket comes."""

    place: Small

    def begin(self, slot: int, bucket: int, inputs: dict[str, NDArray[np.float32]]) -> None:  # type: ignore[override]
        self.place.bucket = bucket
        super().begin(slot, bucket, inputs)


def made(room: int, slots: int = 2) -> tuple[Bucketed, Doubler, Small]:
    place = Small(room)
    launcher = Doubler(place)
    device = Bucketed(launcher, [X], {Y.name: Y.tensor}, slots=slots, preparation=Widest(), streams=place)
    device.place = place
    return device, launcher, place


def raw(width: int, rows: int = 4, value: float = 3.0) -> dict[str, NDArray[np.float32]]:
    return {"raw": np.full((rows, width), value, np.float32)}


def run(device: TensorDevice, slot: int, bucket: int, inputs: dict[str, NDArray[np.float32]]) -> list[float]:
    device.begin(slot, bucket, inputs)
    found: list[float] = device.wait(slot)["p/y"].tolist()
    return found


def test_other_forms_go_first_and_the_bucket_is_tried_once_more() -> None:
    device, launcher, place = made(room=16)
    run(device, 0, 8, raw(5))
    run(device, 1, 8, raw(5))
    assert run(device, 0, 8, raw(9)) == [6.0] * 8
    assert place.captures == 3
    assert place.taken == 8
    assert launcher.forgotten == [(0, 8), (1, 8)]


def test_other_buckets_go_first_too() -> None:
    device, launcher, _ = made(room=8)
    run(device, 0, 4, raw(5))
    run(device, 1, 2, raw(5, rows=2))
    assert run(device, 0, 8, raw(5)) == [6.0] * 8
    assert sorted(launcher.bound) == [(0, 8)]


def test_the_smallest_bucket_is_computed_once_other_forms_are_gone() -> None:
    device, _, _ = made(room=4, slots=1)
    pipeline = Pipeline(Program((), (X,), (Y,)), device, (4, 8))
    for width in (5, 9, 5):
        found = pipeline.compute(4, raw(width), {Y.name: Y.tensor})
        assert found["p/y"].tolist() == [6.0] * 4
    assert pipeline.buckets == (4, 8)


def test_what_is_in_flight_is_left_alone_and_the_same_form_elsewhere_is_no_room() -> None:
    device, launcher, place = made(room=8)
    device.begin(1, 8, raw(5))
    with pytest.raises(OutOfMemory, match="8 rows"):
        device.begin(0, 8, raw(9))
    assert device.wait(1)["p/y"].tolist() == [6.0] * 8
    with pytest.raises(OutOfMemory, match="8 rows"):
        device.begin(0, 8, raw(5))
    assert launcher.bound == {}  # nothing of a bucket that was refused stays where it is not in flight
    assert place.taken == 0
    assert run(device, 0, 8, raw(5)) == [6.0] * 8


def test_a_bucket_given_up_goes_from_a_busy_slot_once_it_is_waited_for() -> None:
    device, launcher, place = made(room=100)
    device.begin(0, 8, raw(5))
    run(device, 1, 8, raw(5))
    device.give_up(8)
    assert sorted(launcher.bound) == [(0, 8)]
    assert device.wait(0)["p/y"].tolist() == [6.0] * 8
    assert launcher.bound == {}
    assert place.taken == 0


def test_a_bucket_given_up_is_never_bound_again() -> None:
    device, launcher, _ = made(room=100)
    device.give_up(8)
    for bucket in (8, 16):
        with pytest.raises(OutOfMemory, match="8 rows had no room before"):
            device.begin(0, bucket, raw(5))
    assert launcher.bound == {}
    assert run(device, 0, 4, raw(5)) == [6.0] * 4
    forgotten = list(launcher.forgotten)
    assert run(device, 0, 4, raw(5)) == [6.0] * 4
    assert launcher.forgotten == forgotten


def test_a_pipeline_has_its_device_give_up_what_a_busy_slot_holds() -> None:
    device, launcher, place = made(room=12)
    pipeline = Pipeline(Program((), (X,), (Y,)), device, (4, 8))
    found = pipeline.compute(32, raw(5, 32), {Y.name: Y.tensor})
    assert found["p/y"].tolist() == [6.0] * 32
    assert pipeline.buckets == (4,)
    assert {bucket for _, bucket in launcher.bound} == {4}
    assert place.taken <= 8


def test_the_form_used_longest_ago_goes_where_there_are_many() -> None:
    device, launcher, place = made(room=10**6, slots=1)
    for width in range(1, FORMS + 1):
        run(device, 0, 4, raw(width))
    run(device, 0, 4, raw(1))
    run(device, 0, 4, raw(FORMS + 1))  # for which 2 goes
    assert place.captures == FORMS + 1
    assert place.taken == 4 * FORMS
    run(device, 0, 4, raw(1))
    assert place.captures == FORMS + 1
    run(device, 0, 4, raw(2))
    assert place.captures == FORMS + 2
    assert launcher.forgotten == []
    assert place.renewed == 0


@settings(max_examples=50)
@given(
    st.integers(4, 40),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), min_size=1, max_size=12),
)  # fmt: skip
def test_batches_of_any_forms_are_answered_in_whatever_room_holds_the_smallest_bucket(
    room: int, batches: list[tuple[int, int]]
) -> None:
    device, launcher, place = made(room, slots=1)
    pipeline = Pipeline(Program((), (X,), (Y,)), device, (4, 8, 16))
    for width, rows in batches:
        values = np.arange(rows, dtype=np.float32)
        inputs = {"raw": np.repeat(values[:, None], width, axis=1)}
        found = pipeline.compute(rows, inputs, {Y.name: Y.tensor})
        np.testing.assert_array_equal(found["p/y"], 2.0 * values)
        assert all(bucket in pipeline.buckets for _, bucket in launcher.bound)
        assert place.taken <= place.room


def test_callers_at_once_are_answered_where_memory_is_short() -> None:
    device, _, _ = made(room=10**6, slots=3)
    pipeline = Pipeline(Program((), (X,), (Y,)), device, (4, 8, 16))
    wrong: list[int] = []

    def call(width: int) -> None:
        for rows in range(1, 40, 3):
            values = np.arange(rows, dtype=np.float32) + width
            inputs = {"raw": np.repeat(values[:, None], width, axis=1)}
            found = pipeline.compute(rows, inputs, {Y.name: Y.tensor})["p/y"]
            if not np.array_equal(found, 2.0 * values):
                wrong.append(rows)

    threads = [threading.Thread(target=call, args=(width,)) for width in range(1, 5)]
    for thread in threads:
        thread.start()
    device.give_up(16)
    for thread in threads:
        thread.join(60.0)
        assert not thread.is_alive()
    assert wrong == []
