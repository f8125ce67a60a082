"""Where work is enqueued: streams, events and captured graphs of a GPU, or the CPU, which does things at once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

Act = Callable[[], None]
_WARM_UPS = 2


class Lane(Protocol):
    """What one slot enqueues on: in order, and side by side with other lanes."""

    def current(self) -> AbstractContextManager[None]:
        """Have torch enqueue here, without gradients, as long as the context lasts."""
        ...

    def captured(self, act: Act) -> Act:
        """Return what does an act again on the same tensors; called within ``current``; may do the act."""
        ...

    def renew(self) -> None:
        """Note that nothing captured before is done again, so that the memory it computed in can be given back."""
        ...

    def mark(self) -> None:
        """Mark the end of what was enqueued so far; called within ``current``."""
        ...

    def wait(self) -> None:
        """Wait until the mark is reached."""
        ...


class Streams(Protocol):
    """A place to compute at.

    Attributes:
        device: of its tensors.
        apart: whether its memory is another than the host's, so that inputs go up and answers come down.
    """

    device: torch.device
    apart: bool

    def lane(self) -> Lane:
        """Return another lane."""
        ...

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return zeros in memory of the host that is copied to and from the device while other work goes on."""
        ...

    def free(self) -> None:
        """Give memory back that no tensor holds any more."""
        ...


class Cpu:
    """The CPU as ``Streams`` and ``Lane``: everything is done when it is asked for."""

    device = torch.device("cpu")
    apart = False

    def lane(self) -> Lane:
        """Return itself."""
        return self

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return zeros."""
        return torch.zeros(shape, dtype=dtype)

    def free(self) -> None:
        """Do nothing: what no tensor holds is free."""

    @contextmanager
    def current(self) -> Iterator[None]:
        """Compute without gradients."""
        with torch.no_grad():
            yield

    def captured(self, act: Act) -> Act:
        """Return the act."""
        return act

    def renew(self) -> None:
        """Do nothing: acts have no memory of their own."""

    def mark(self) -> None:
        """Do nothing: it is done."""

    def wait(self) -> None:
        """Do nothing: it is done."""


class Cuda:
    """A GPU as ``Streams``."""

    apart = True

    def __init__(self, device: str, *, graphs: bool = True) -> None:
        """Take a GPU.

        Args:
            device: ``cuda``, whichever is current now, or ``cuda:N``.
            graphs: whether acts are captured once and replayed, or launched again each time.
        """
        self.device = torch.device(f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device)
        self._graphs = graphs

    def lane(self) -> Lane:
        """Return a lane with a stream of its own."""
        return _CudaLane(self.device, graphs=self._graphs)

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return zeros in pinned memory."""
        return torch.zeros(shape, dtype=dtype, pin_memory=True)

    def free(self) -> None:
        """Give cached memory back to the driver, so that what is allocated next may lie anywhere in it.

        What libraries left in reference cycles goes first: torch no longer collects it before a capture.
        """
        gc.collect()
        torch.cuda.empty_cache()


class _CudaLane:
    """A stream, an event, and the memory that the stream's graphs compute in, one at a time."""

    def __init__(self, device: torch.device, *, graphs: bool) -> None:
        self._device, self._graphs = device, graphs
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._event: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._pool: Any = torch.cuda.graph_pool_handle()

    @contextmanager
    def current(self) -> Iterator[None]:
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream), torch.no_grad():
            yield

    def captured(self, act: Act) -> Act:
        """Capture a graph; do the act before, since libraries set themselves up when they are first used."""
        if not self._graphs:
            return act
        for _ in range(_WARM_UPS):
            act()
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Only this thread's calls are looked at: others go on copying and waiting on streams of their own.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            act()
        return graph.replay

    def renew(self) -> None:
        """Have the next graphs compute in memory of their own: torch gives a pool back once no graph is left of it."""
        self._pool = torch.cuda.graph_pool_handle()

    def mark(self) -> None:
        self._event.record(self._stream)

    def wait(self) -> None:
        self._event.synchronize()
