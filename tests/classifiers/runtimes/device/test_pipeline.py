"""Pipelines over a device that finishes in any order and fails, called from one thread and from several."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.bundle.manifest import Tensor
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.program import Output, Program

BUCKETS = (4, 16, 64)
DEADLINE_S = 60.0
MakeDevice = Callable[..., Any]
Numbered = Callable[[int, int], dict[str, NDArray[np.float32]]]


def is_right(answers: dict[str, dict[str, NDArray[Any]]], n: int, first: int) -> bool:
    rows = np.arange(first, first + n)
    found = answers["fake"]
    return np.array_equal(found["row"], rows) and np.array_equal(found["sum"], 3.0 * rows)


def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds, which is soon."""
    end = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.001)


@given(st.integers(1, 400), st.integers(1, 4))
def test_rows_come_back_in_order_whatever_the_size_of_the_batch(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered, n: int, slots: int
) -> None:
    pipeline = Pipeline(fake_program, fake_device(slots), BUCKETS)
    answers = pipeline.run(numbered(n, 7))
    assert is_right(answers, n, 7)
    assert len(answers["fake"]["row"]) == n


def test_pieces_overlap(fake_device: MakeDevice, fake_program: Program, numbered: Numbered) -> None:
    device = fake_device(2)
    Pipeline(fake_program, device, BUCKETS).run(numbered(256, 0))
    assert device.most == 2
    assert device.begun == [64] * 4


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_that_is_asked_for_is_taken_whatever_is_best(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered, bucket: int
) -> None:
    device = fake_device(3)
    pipeline = Pipeline(fake_program, device, BUCKETS)
    assert is_right(pipeline.run(numbered(3 * bucket, 5), bucket=bucket), 3 * bucket, 5)
    assert device.begun == [bucket] * 3
    assert device.most == pipeline.slots == 3


@pytest.mark.parametrize("late", [False, True])
def test_a_bucket_too_large_is_halved_said_once_and_never_tried_again(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered, late: bool
) -> None:
    told: list[tuple[int, int]] = []
    device = fake_device(2, too_large=16, late=late)
    pipeline = Pipeline(fake_program, device, BUCKETS, lambda error, smaller: told.append((error.bucket, smaller)))
    assert is_right(pipeline.run(numbered(300, 0)), 300, 0)
    before = len(device.begun)
    assert is_right(pipeline.run(numbered(100, 5)), 100, 5)
    assert max(device.begun[before:]) == 16
    assert told == [(64, 16)]
    assert pipeline.buckets == (4, 16)
    assert device.given_up == [64]


def test_a_device_that_holds_not_even_the_smallest_bucket_says_so_and_goes_on_with_the_next_batch(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered
) -> None:
    device = fake_device(2, too_large=3)
    pipeline = Pipeline(fake_program, device, BUCKETS)
    with pytest.raises(OutOfMemory, match="4 rows"):
        pipeline.run(numbered(50, 0))
    device.too_large = 10**9
    assert is_right(pipeline.run(numbered(50, 0)), 50, 0)


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(2, 6))
def test_a_lost_device_ends_every_call(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered, dies_at: int, callers: int
) -> None:
    pipeline = Pipeline(fake_program, fake_device(2, dies_at=dies_at), BUCKETS)
    with ThreadPoolExecutor(callers) as pool:
        runs = [pool.submit(pipeline.run, numbered(200, 1000 * i)) for i in range(callers)]
        errors = [run.exception(DEADLINE_S) for run in runs]
    assert any(isinstance(error, DeviceLost) for error in errors)
    for i, (run, error) in enumerate(zip(runs, errors, strict=True)):
        assert isinstance(error, DeviceLost) or (error is None and is_right(run.result(), 200, 1000 * i))
    with pytest.raises(DeviceLost, match="fell off the bus"):
        pipeline.run(numbered(1, 0))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 300), min_size=2, max_size=8), st.integers(1, 3), st.sampled_from([4, 16, 10**9]))
def test_callers_at_once_each_get_their_own_rows(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered, sizes: list[int], slots: int, fits: int
) -> None:
    device = fake_device(slots, too_large=fits)
    pipeline = Pipeline(fake_program, device, BUCKETS)
    with ThreadPoolExecutor(len(sizes)) as pool:
        runs = [pool.submit(pipeline.run, numbered(n, 1000 * i)) for i, n in enumerate(sizes)]
        for i, (run, n) in enumerate(zip(runs, sizes, strict=True)):
            assert is_right(run.result(DEADLINE_S), n, 1000 * i)
    assert device.most <= slots


def test_a_small_batch_does_not_wait_for_all_of_a_large_one(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered
) -> None:
    device = fake_device(2)
    device.gate = threading.Semaphore(0)
    pipeline = Pipeline(fake_program, device, BUCKETS)
    with ThreadPoolExecutor(2) as pool:
        try:
            large = pool.submit(pipeline.run, numbered(64 * 50, 0))
            until(lambda: len(device.begun) == 2)
            small = pool.submit(pipeline.run, numbered(4, 9))
            until(lambda: pipeline.calls == 2)
        finally:
            device.gate.release(1000)
        assert is_right(small.result(DEADLINE_S), 4, 9)
        assert is_right(large.result(DEADLINE_S), 3200, 0)
    assert device.begun.index(4) <= 3
    assert pipeline.calls == 0


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"flux": np.zeros((2, 4), np.float32)},
        {"flux": np.zeros((2, 3), np.float64)},
        {"flux": np.zeros((0, 3), np.float32)},
    ],
)
def test_inputs_that_the_program_does_not_read_are_refused(
    fake_device: MakeDevice, fake_program: Program, inputs: dict[str, NDArray[Any]]
) -> None:
    with pytest.raises(ValueError, match="reads flux"):
        Pipeline(fake_program, fake_device(), BUCKETS).run(inputs)


def test_an_output_of_another_type_than_declared_is_an_error_of_the_bundle(
    fake_device: MakeDevice, fake_program: Program, numbered: Numbered
) -> None:
    wrong = Output("fake", Tensor(name="sum", shape=(2,)), "fake/sum")
    pipeline = Pipeline(Program((), fake_program.inputs, (wrong,)), fake_device(), BUCKETS)
    with pytest.raises(BundleError, match="output sum"):
        pipeline.run(numbered(3, 0))
