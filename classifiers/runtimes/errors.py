"""What can go wrong with a runtime."""

from __future__ import annotations

from classifiers.errors import ClassifierError


class RuntimeUnavailable(ClassifierError):
    """The runtime that was asked for by name cannot serve here; nothing was chosen in its place.

    Attributes:
        runtime: the name asked for.
        reason: why it cannot serve.
    """

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"runtime {runtime!r} cannot serve: {reason}")
        self.runtime = runtime
        self.reason = reason
