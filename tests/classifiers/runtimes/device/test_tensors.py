"""The device of torch tensors on the CPU: the path that a GPU takes, without streams and graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.bundle.manifest import Tensor as Declared
from classifiers.runtimes.device.contract import OutOfMemory
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.torch_runtime import TorchLauncher

X = Declared(name="x", shape=(2,))
OUTPUTS = {"p/sum": Declared(name="sum", shape=()), "p/first": Declared(name="first", shape=(), dtype="int64")}


def compute(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"p/sum": inputs["x"].sum(dim=1), "p/first": inputs["x"][:, 0].to(torch.int64)}


class Halver:
    """A preparation: x is half of what comes, and the number of rows is said."""

    def __init__(self) -> None:
        self.outputs = {"prepared/most": Declared(name="most", shape=())}

    def accepts(self, names: frozenset[str]) -> bool:
        return "raw" in names

    def launch(self, raw: Mapping[str, Tensor], inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        inputs["x"].copy_(raw["raw"][:, :2] / 2.0)
        outputs["prepared/most"].copy_(raw["raw"].amax(dim=1))


def device(slots: int = 2, **options: Any) -> TensorDevice:
    return TensorDevice(TorchLauncher(compute), [X], OUTPUTS, "cpu", slots=slots, **options)


def rows(*values: float) -> dict[str, NDArray[np.float32]]:
    return {"x": np.array([[value, 1.0] for value in values], np.float32)}


def test_missing_rows_repeat_the_first() -> None:
    found = device()
    found.begin(0, 4, rows(5.0, 7.0))
    assert found.wait(0)["p/sum"].tolist() == [6.0, 8.0, 6.0, 6.0]


def test_rows_of_an_earlier_batch_never_come_back() -> None:
    found = device(1)
    found.begin(0, 4, rows(1.0, 2.0, 3.0, 4.0))
    found.wait(0)
    found.begin(0, 4, rows(9.0))
    assert found.wait(0)["p/first"].tolist() == [9, 9, 9, 9]


def test_slots_keep_their_answers_apart() -> None:
    found = device(2)
    found.begin(0, 2, rows(1.0, 2.0))
    found.begin(1, 2, rows(3.0, 4.0))
    assert found.wait(1)["p/first"].tolist() == [3, 4]
    assert found.wait(0)["p/first"].tolist() == [1, 2]


def test_inputs_are_copied_before_begin_returns() -> None:
    found, inputs = device(), rows(1.0, 2.0)
    found.begin(0, 2, inputs)
    inputs["x"][:] = 99.0
    assert found.wait(0)["p/first"].tolist() == [1, 2]


def test_a_row_that_an_array_repeats_reaches_every_row() -> None:
    found = device()
    found.begin(0, 4, {"x": np.broadcast_to(np.array([3.0, 1.0], np.float32), (3, 2))})
    assert found.wait(0)["p/first"].tolist() == [3, 3, 3, 3]


def test_raw_inputs_are_prepared_and_what_was_prepared_comes_back() -> None:
    found = device(preparation=Halver())
    found.begin(0, 2, {"raw": np.array([[2.0, 4.0, 9.0], [6.0, 8.0, 1.0]], np.float32)})
    answers = found.wait(0)
    assert answers["p/sum"].tolist() == [3.0, 7.0]
    assert answers["x"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert answers["prepared/most"].tolist() == [9.0, 8.0]


def test_raw_inputs_of_several_widths_and_prepared_ones_share_a_slot() -> None:
    found = device(1, preparation=Halver())
    for width in (2, 5, 2):
        found.begin(0, 2, {"raw": np.full((2, width), width, np.float32)})
        assert found.wait(0)["prepared/most"].tolist() == [width, width]
    found.begin(0, 2, rows(4.0, 5.0))
    answers = found.wait(0)
    assert answers["p/first"].tolist() == [4, 5]
    assert set(answers) == set(OUTPUTS)


def test_other_inputs_than_the_programs_are_refused() -> None:
    with pytest.raises(ValueError, match="the program reads x, got y"):
        device().begin(0, 2, {"y": np.zeros((1, 2), np.float32)})


def test_a_slot_that_was_not_begun_cannot_be_waited_for() -> None:
    with pytest.raises(ValueError, match="slot 1 was not begun"):
        device().wait(1)


class Full(TorchLauncher):
    """A launcher without room for more than two rows."""

    def __init__(self) -> None:
        super().__init__(compute)
        self.forgotten: list[tuple[int, int]] = []

    def launch(self, slot: int, bucket: int) -> None:
        if bucket > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore of it")
        super().launch(slot, bucket)

    def forget(self, slot: int, bucket: int) -> None:
        self.forgotten.append((slot, bucket))
        super().forget(slot, bucket)


def test_a_bucket_without_room_is_freed_and_the_slot_goes_on_with_a_smaller_one() -> None:
    launcher = Full()
    found = TensorDevice(launcher, [X], OUTPUTS, "cpu", slots=2)
    found.begin(1, 2, rows(1.0))
    with pytest.raises(OutOfMemory, match=r"8 rows: CUDA out of memory. Tried to allocate 20.00 GiB.$"):
        found.begin(0, 8, rows(1.0))
    assert launcher.forgotten == [(0, 8)]
    found.begin(0, 2, rows(4.0))
    assert found.wait(0)["p/first"].tolist() == [4, 4]
    assert found.wait(1)["p/first"].tolist() == [1, 1]


class Recorded:
    """Streams of the CPU that behave as a GPU's: memory apart, acts captured, and notes of what happened."""

    device = torch.device("cpu")
    apart = True

    def __init__(self) -> None:
        self.lanes: list[RecordedLane] = []
        self.freed = 0

    def lane(self) -> RecordedLane:
        self.lanes.append(RecordedLane())
        return self.lanes[-1]

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.full(shape, 77, dtype=dtype)

    def free(self) -> None:
        self.freed += 1


class RecordedLane:
    def __init__(self) -> None:
        self.events: list[str] = []
        self._inside = False

    @contextmanager
    def current(self) -> Iterator[None]:
        self._inside = True
        with torch.no_grad():
            yield
        self._inside = False

    def captured(self, act: Callable[[], None]) -> Callable[[], None]:
        assert self._inside
        self.events.append("capture")
        act()

        def replay() -> None:
            assert self._inside
            self.events.append("replay")
            act()

        return replay

    def renew(self) -> None:
        self.events.append("renew")

    def mark(self) -> None:
        assert self._inside
        self.events.append("mark")

    def wait(self) -> None:
        self.events.append("wait")


def test_a_form_is_captured_once_and_replayed_between_upload_and_mark() -> None:
    streams = Recorded()
    found = TensorDevice(TorchLauncher(compute), [X], OUTPUTS, slots=2, streams=streams)
    for value in (1.0, 2.0):
        found.begin(0, 4, rows(value, 5.0))
        assert found.wait(0)["p/first"][:2].tolist() == [value, 5.0]
    found.begin(0, 2, rows(3.0))
    assert found.wait(0)["p/first"][0] == 3.0
    again = ["replay", "mark", "wait"]
    assert streams.lanes[0].events == ["capture", *again, *again, "capture", *again]
    assert streams.lanes[1].events == []


def test_only_the_rows_asked_for_come_down_where_memory_is_apart() -> None:
    found = TensorDevice(TorchLauncher(compute), [X], OUTPUTS, slots=1, streams=Recorded())
    found.begin(0, 4, rows(1.0, 2.0))
    answers = found.wait(0)
    assert answers["p/first"].tolist() == [1, 2, 77, 77]
    assert answers["p/sum"].tolist() == [2.0, 3.0, 77.0, 77.0]


def test_what_is_prepared_on_a_device_apart_comes_down_with_the_answers() -> None:
    found = TensorDevice(TorchLauncher(compute), [X], OUTPUTS, slots=1, preparation=Halver(), streams=Recorded())
    found.begin(0, 4, {"raw": np.broadcast_to(np.array([2.0, 4.0, 9.0], np.float32), (3, 3))})
    answers = found.wait(0)
    assert answers["x"][:3].tolist() == [[1.0, 2.0]] * 3
    assert answers["prepared/most"][:3].tolist() == [9.0] * 3
    assert answers["p/sum"].tolist() == [3.0, 3.0, 3.0, 77.0]


def test_memory_goes_back_where_a_bucket_did_not_fit() -> None:
    streams = Recorded()
    found = TensorDevice(Full(), [X], OUTPUTS, slots=2, streams=streams)
    with pytest.raises(OutOfMemory):
        found.begin(0, 8, rows(1.0))
    assert streams.freed == 1
