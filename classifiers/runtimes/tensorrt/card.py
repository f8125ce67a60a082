"""The GPU that engines are made for: its name, compute capability and driver, asked of the driver's own library.

The driver is asked directly, because this neither starts CUDA on the card nor takes the seconds that torch does.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DRIVER_LIBRARY: Final = "libcuda.so.1"
DRIVER_FILE: Final = Path("/proc/driver/nvidia/version")
_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver API's cuda.h."""
_LONGEST_NAME = 256
_MEANINGS: Final = {
    100: ": no GPU, or none that CUDA_VISIBLE_DEVICES leaves",
    101: ": no GPU of that number",
    802: ": the GPU is not ready yet",
    803: ": the driver's library and its kernel module are of different versions; restart the machine",
    804: ": the driver is too old for the compatibility library beside it",
    999: ": unknown to the driver; its devices may not be open to this user",
}
_KERNEL_MODULE = re.compile(r"Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)*)\s")


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU as an engine depends on it.

    Attributes:
        name: such as NVIDIA H100 80GB HBM3.
        compute_capability: such as 9.0.
        driver: version of the driver, such as 570.86.15; "CUDA 12.8" where only that is known.
    """

    name: str
    compute_capability: str
    driver: str

    @property
    def capability(self) -> tuple[int, int]:
        """Return the compute capability as numbers, such as (9, 0)."""
        major, _, minor = self.compute_capability.partition(".")
        return int(major), int(minor)


def find_card(device: int = 0) -> Card | None:
    """Return a GPU of this machine; None where there is no driver or no such device.

    Args:
        device: number among those that CUDA_VISIBLE_DEVICES leaves.
    """
    found = _look(device)
    return found if isinstance(found, Card) else None


def found_instead(device: int = 0) -> str:
    """Return what is there where ``find_card`` finds none: "none", or a driver and what it answers."""
    found = _look(device)
    return found.name if isinstance(found, Card) else found


def _look(device: int) -> Card | str:
    try:
        library = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return "none"
    try:
        kernel_module = DRIVER_FILE.read_text(encoding="utf-8")
    except OSError:
        kernel_module = ""
    return ask(library, device, kernel_module)


def ask(library: Any, device: int, kernel_module: str) -> Card | str:
    """Ask the CUDA driver API for a device; return it, or what was found instead, in words.

    Args:
        library: the driver API's functions, each of which returns 0 for success.
        device: number of the device.
        kernel_module: what ``/proc/driver/nvidia/version`` says, or "".
    """
    driver = driver_version(kernel_module)
    named = f"a driver ({driver})" if driver else "a driver"
    handle, number = ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    if status := library.cuInit(0):
        return f"{named} that does not start{_meaning(status)}"
    if status := library.cuDeviceGet(ctypes.byref(handle), device):
        return f"{named} without GPU {device}{_meaning(status)}"
    if status := library.cuDeviceGetName(name, _LONGEST_NAME, handle):
        return f"{named} whose GPU {device} has no name{_meaning(status)}"
    capability = []
    for attribute in (_MAJOR, _MINOR):
        if status := library.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle):
            return f"{named} whose GPU {device} tells no compute capability{_meaning(status)}"
        capability.append(str(number.value))
    if not driver and not library.cuDriverGetVersion(ctypes.byref(number)):
        driver = f"CUDA {number.value // 1000}.{number.value % 1000 // 10}"
    return Card(name.value.decode("utf-8", "replace"), ".".join(capability), driver)


def _meaning(status: int) -> str:
    """Return a status of the driver API in brackets, with its meaning where that says what to do."""
    return f" (CUDA status {status}{_MEANINGS.get(status, '')})"


def driver_version(kernel_module: str) -> str:
    """Return the driver's version from ``/proc/driver/nvidia/version``; "" where the text holds none."""
    found = _KERNEL_MODULE.search(kernel_module)
    return found[1] if found else ""
