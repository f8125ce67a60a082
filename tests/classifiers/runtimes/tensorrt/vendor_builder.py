"""The building half of a library written by hand: it notes what it was configured with and builds without computing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from classifiers.runtimes.tensorrt.library import Library

THIS_CARD, OTHER_CARD = b"timed here", b"timed elsewhere"


class BuilderFlag(IntEnum):
    """Flags of TensorRT 11, which has none for number formats."""

    TF32 = 1
    REQUIRE_USER_ALLOCATION = 2  # of RTX
    STRICT_NANS = 3


class ComputeCapability(IntEnum):
    """What RTX builds for, by name."""

    NONE, CURRENT, SM75, SM80, SM120 = 0, 1, 75, 80, 120


class NetworkDefinitionCreationFlag(IntEnum):
    """Flags of a network; the number is the bit."""

    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class ILogger:
    """The interface that loggers implement."""

    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)


class TimingCache:
    """What was timed: known content, and what the build added."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+1"


class Config:
    """A builder's configuration; TF32 is on unless it is cleared, as with the vendor."""

    def __init__(self) -> None:
        self.flags = {BuilderFlag.TF32}
        self.profiles: list[dict[str, Any]] = []
        self.timing: TimingCache | None = None
        self.num_compute_capabilities = 0
        self.capabilities: dict[int, ComputeCapability] = {}
        self.max_aux_streams, self.profiling_verbosity = -1, "names"

    def set_flag(self, flag: BuilderFlag) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.flags.discard(flag)

    def set_compute_capability(self, compute_capability: ComputeCapability, index: int) -> bool:
        if index >= self.num_compute_capabilities:
            return False
        self.capabilities[index] = compute_capability
        return True

    def add_optimization_profile(self, profile: Any) -> int:
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def create_timing_cache(self, content: bytes) -> TimingCache | None:
        return None if content == b"no cache at all" else TimingCache(content)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache.content == OTHER_CARD:
            return False
        self.timing = cache
        return True


class VendorBuilder:
    """The module of TensorRT as far as building goes, for a network of x to y."""

    def __init__(self, *, says: str = "", starts: bool = True) -> None:
        self.says, self.starts = says, starts
        self.config = Config()
        self.network_flags = 0
        self.ILogger, self.BuilderFlag, self.ComputeCapability = ILogger, BuilderFlag, ComputeCapability
        self.NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
        self.ProfilingVerbosity = SimpleNamespace(DETAILED="detailed")

    def Builder(self, logger: Any) -> Any:  # noqa: N802  # the vendor's own name
        """Return a builder."""
        if not self.starts:
            logger.log(ILogger.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

        def create_network(flags: int) -> Any:
            self.network_flags = flags
            tensors = [SimpleNamespace(name=n, dtype=SimpleNamespace(name="FLOAT"), shape=(-1, 8)) for n in "xy"]
            layer = SimpleNamespace(
                name="conv", type=SimpleNamespace(name="CONVOLUTION"), get_output=lambda _: tensors[1]
            )
            return SimpleNamespace(
                num_inputs=1, num_outputs=1, num_layers=1, get_layer=lambda _: layer,
                get_input=lambda _: tensors[0], get_output=lambda _: tensors[1],
            )  # fmt: skip

        def build(_: Any, config: Config) -> bytes | None:
            assert config is self.config
            if self.says:
                logger.log(ILogger.ERROR, self.says)
                return None
            return b"an engine"

        return SimpleNamespace(
            create_network=create_network,
            create_builder_config=lambda: self.config,
            create_optimization_profile=Profile,
            build_serialized_network=build,
        )

    def OnnxParser(self, network: Any, logger: Any) -> Any:  # noqa: N802  # the vendor's own name
        """Return a parser that takes any graph."""
        del network, logger
        return SimpleNamespace(parse=lambda _: True)

    def library(self, name: str = "tensorrt") -> Library:
        """Return it as a loaded library."""
        return Library(name, self, "11.4.1")


class Profile:
    """An optimisation profile."""

    def __init__(self) -> None:
        self.shapes: dict[str, Sequence[tuple[int, ...]]] = {}

    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self.shapes[name] = shapes
