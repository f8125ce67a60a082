"""What the driver says of a GPU becomes the part of an engine's key that it is."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from classifiers.runtimes.probing import why_not
from classifiers.runtimes.tensorrt import card
from classifiers.runtimes.tensorrt.card import Card, ask, driver_version, find_card

PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23 03:06:46 UTC 2025\nGCC version: 13"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n"


class Driver:
    """The functions of the CUDA driver API that are asked, with one device; each may fail."""

    def __init__(self, *, fails: str = "", devices: int = 1) -> None:
        self.fails, self.devices = fails, devices

    def cuInit(self, flags: int) -> int:  # noqa: N802  # the API's own name
        assert flags == 0
        return 100 if self.fails == "cuInit" else 0

    def cuDeviceGet(self, handle: Any, number: int) -> int:  # noqa: N802
        handle._obj.value = number
        return 0 if number < self.devices else 101

    def cuDeviceGetName(self, name: Any, size: int, handle: ctypes.c_int) -> int:  # noqa: N802
        assert handle.value < self.devices
        name.value = b"NVIDIA H100 80GB HBM3"[: size - 1]
        return 100 if self.fails == "cuDeviceGetName" else 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, handle: ctypes.c_int) -> int:  # noqa: N802
        assert handle.value < self.devices
        value._obj.value = {75: 9, 76: 0}[attribute]
        return 1 if self.fails == "cuDeviceGetAttribute" else 0

    def cuDriverGetVersion(self, value: Any) -> int:  # noqa: N802
        value._obj.value = 12080
        return 0


def test_a_gpu_has_name_capability_and_driver() -> None:
    """The driver's version is that of the kernel module."""
    assert ask(Driver(), 0, PROPRIETARY) == Card("NVIDIA H100 80GB HBM3", "9.0", "570.86.15")


def test_without_the_kernel_modules_file_the_driver_is_known_by_its_cuda() -> None:
    """As in the Windows Subsystem for Linux."""
    assert ask(Driver(), 0, "") == Card("NVIDIA H100 80GB HBM3", "9.0", "CUDA 12.8")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("cuInit", "a driver (580.65.06) that does not start (CUDA status 100: no GPU, or none that CUDA_VISIBLE_"),
        ("cuDeviceGetName", "a driver (580.65.06) whose GPU 0 has no name (CUDA status 100"),
        ("cuDeviceGetAttribute", "a driver (580.65.06) whose GPU 0 tells no compute capability (CUDA status 1)"),
    ],
)
def test_a_driver_that_fails_is_named_with_what_it_answered(function: str, words: str) -> None:
    """Whatever it fails at: no driver at all is another case."""
    found = ask(Driver(fails=function), 0, OPEN)
    assert isinstance(found, str)
    assert found.startswith(words)


def test_a_driver_of_another_version_than_its_kernel_module_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an update without a restart."""
    monkeypatch.setattr(Driver, "cuInit", lambda *_: 803)
    found = "a driver that does not start (CUDA status 803: the driver's library and its kernel module are of "
    assert ask(Driver(), 0, "") == f"{found}different versions; restart the machine)"
    monkeypatch.setattr(card.ctypes, "CDLL", lambda _: Driver())
    assert find_card() is None
    assert "CUDA status 803" in why_not("torch")


def test_a_device_that_is_not_there_is_none() -> None:
    """A driver may be there without a device."""
    for found in (ask(Driver(), 1, OPEN), ask(Driver(devices=0), 0, OPEN)):
        assert str(found).startswith("a driver (580.65.06) without GPU")


def test_the_drivers_version_is_read_from_both_kinds_of_kernel_module() -> None:
    """The proprietary one and the open one word their line differently."""
    assert driver_version(PROPRIETARY) == "570.86.15"
    assert driver_version(OPEN) == "580.65.06"
    assert driver_version("nothing of the kind") == ""
