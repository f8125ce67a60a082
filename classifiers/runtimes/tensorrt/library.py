"""The one place that imports TensorRT or TensorRT for RTX; the rest of the room takes what is loaded here as it comes.

The libraries have the same Python interface, but bring native code with the same names, so that both in one process end
in crashes: each process loads at most one.

How the versions differ, and what the room does about it:

- Strong typing: TensorRT 10 (from 10.8) takes the types from the graph only where ``STRONGLY_TYPED`` is set; 11 and RTX
  know no other networks and accept the flag. It is set always.
- ``BuilderFlag.FP16``, ``BF16`` and ``INT8`` are gone from 11: number formats are cast in the graph, never flags.
- Explicit batch: the flag does nothing since 10 and is not set.
- Memory of a context: ``device_memory`` and ``device_memory_size`` are deprecated since 10.1 and gone from 11;
  ``set_device_memory(address, size)`` and ``get_device_memory_size_for_profile_v2`` serve all three.
- Contexts share an optimisation profile since 10, without the preview feature of earlier versions.
- An engine of RTX is for compute capabilities 8.0, 8.6, 8.9, 12.0 and later unless others are set: it is built for the
  card that is there (``ComputeCapability.CURRENT``), Turing's 7.5 among them; without a card nothing is set.
- RTX compiles kernels when a context is made, not when an engine is built: it builds without a GPU, its timing cache
  does nothing, and capture into a CUDA graph needs ``REQUIRE_USER_ALLOCATION`` and eager kernels.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any, Final

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.tensorrt.card import Card

VERSIONS: Final[Mapping[str, tuple[tuple[int, int], tuple[int, int]]]] = {
    "tensorrt": ((10, 8), (12, 0)),
    "tensorrt_rtx": ((1, 2), (2, 0)),
}
"""Versions that serve, from the first (included) to the second (excluded)."""
EXTRAS: Final[Mapping[str, str]] = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt-rtx"}
LONGEST_WORDS: Final = 400
KEPT_WORDS: Final = 8


@dataclass(frozen=True, slots=True)
class Library:
    """A loaded library.

    Attributes:
        name: tensorrt or tensorrt_rtx.
        module: the imported module.
        version: as the module gives it.
    """

    name: str
    module: Any
    version: str

    @property
    def compiles_when_loaded(self) -> bool:
        """Return whether kernels are compiled when a context is made (RTX) instead of when an engine is built."""
        return self.name == "tensorrt_rtx"

    def why_not_on(self, card: Card) -> str:
        """Return why engines do not run on a card, in one line; "" where they may.

        RTX names the compute capabilities that it has kernels for (SM75 ...): neither Volta and what came before, nor
        the data-centre cards of Hopper and Blackwell. TensorRT says so itself when it builds.
        """
        if not self.compiles_when_loaded:
            return ""
        named = (re.fullmatch(r"SM(\d+)(\d)", name) for name in dir(self.module.ComputeCapability))
        known = sorted((int(each[1]), int(each[2])) for each in named if each)
        if card.capability in known:
            return ""
        listed = ", ".join(f"{major}.{minor}" for major, minor in known)
        found = f"{card.name} (compute capability {card.compute_capability}, driver {card.driver})"
        return f"expected an RTX card of compute capability {listed}, found {found}"


class Words:
    """The last that a library said at warning level and above since it was asked for it; written from any thread."""

    def __init__(self) -> None:
        self._errors: deque[str] = deque(maxlen=KEPT_WORDS)
        self._warnings: deque[str] = deque(maxlen=KEPT_WORDS)

    def add(self, message: str, *, is_error: bool) -> None:
        """Keep a message."""
        (self._errors if is_error else self._warnings).append(message)

    def take(self) -> str:
        """Return the errors in one line, or the warnings where there are none, and forget them."""
        said = list(self._errors or self._warnings) or ["the library gave no reason"]
        self._errors.clear()
        self._warnings.clear()
        return one_line("; ".join(dict.fromkeys(said)))


def one_line(text: str) -> str:
    """Return text in one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 3]}..."


def load(name: str) -> Library:
    """Import a library, the only one of its kind in this process.

    Args:
        name: tensorrt or tensorrt_rtx.

    Raises:
        RuntimeUnavailable: it is unknown, not installed, of a version that does not serve, or the other one is here.
    """
    if name not in VERSIONS:
        raise RuntimeUnavailable(name, f"expected {' or '.join(VERSIONS)}")
    other = next((known for known in VERSIONS if known != name and known in sys.modules), None)
    if other is not None:
        raise RuntimeUnavailable(name, f"{other} is loaded in this process, and one process can hold one of them only")
    try:
        module = import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library that it needs
        raise RuntimeUnavailable(
            name,
            f"expected the package {name}, found: {one_line(str(error))}; {_install(name)}",
        ) from error
    version = str(getattr(module, "__version__", ""))
    check_version(name, version)
    return Library(name, module, version)


def installed_version(name: str) -> str:
    """Return the version of a library that is installed, without importing it where its package tells.

    Raises:
        RuntimeUnavailable: it is unknown, not installed, or of a version that does not serve.
    """
    for distribution in metadata.packages_distributions().get(name, ()):
        version = metadata.version(distribution)
        if name in VERSIONS:
            check_version(name, version)
            return version
    return load(name).version


def check_version(name: str, version: str) -> None:
    """Refuse a version that lacks what the room calls.

    Raises:
        RuntimeUnavailable: it is outside ``VERSIONS``.
    """
    first, end = VERSIONS[name]
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or not first <= (int(numbers[1]), int(numbers[2])) < end:
        wanted = f"from {first[0]}.{first[1]} on and before {end[0]}.{end[1]}"
        found = f"found {version or 'none'}; {_install(name)}"
        raise RuntimeUnavailable(name, f"expected a version {wanted}, {found}")


def _install(name: str) -> str:
    return f"in specstream's checkout pip install '.[{EXTRAS[name]}]'"


@cache
def listen(library: Library) -> tuple[Any, Words]:
    """Return the logger for a library's objects, the same in all of the process, and what it hears.

    A library keeps the address of the first logger that it is given for as long as the process lives, whatever it is
    given later: a logger that Python frees makes it hang or crash.
    """
    words = Words()
    interface = library.module.ILogger
    loud = (interface.INTERNAL_ERROR, interface.ERROR)

    class Listener(interface):  # type: ignore[misc, valid-type]  # the base is known at run time only
        """Hands warnings and errors on; what is less is not kept."""

        def __init__(self) -> None:
            interface.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            """Take one message."""
            if severity in loud or severity == interface.WARNING:
                words.add(msg, is_error=severity in loud)

    return Listener(), words
