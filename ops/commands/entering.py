"""How ``ingest``, ``produce``, ``archive`` and ``redrive`` look to a person: a progress bar, a line per trouble."""

from __future__ import annotations

from types import TracebackType

from rich.progress import TaskID

from ops.console import messages, progress_bar, visible
from stream.entry import EntrySummary


class EntryProgress:
    """A ``stream.entry.EntryReport`` on a progress bar; use it as a context manager."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._bar = progress_bar()
        self._task: TaskID | None = None
        self._waiting = False

    def __enter__(self) -> EntryProgress:
        self._bar.start()
        self._task = self._bar.add_task(self._verb, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, source: str, size_bytes: int) -> None:
        """Show which source is being read."""
        del size_bytes
        if self._task is not None:
            self._bar.update(self._task, description=visible(f"{self._verb} {source}"))

    def published(self, records: int, size_bytes: int) -> None:
        """Advance by records that are published now."""
        del size_bytes
        self._waiting = False
        if self._task is not None:
            self._bar.advance(self._task, records)

    def finished(self, source: str, records: int) -> None:
        """Nothing: the bar has counted."""

    def skipped(self, source: str, why: str) -> None:
        """Say why a source was passed over."""
        self._say(f"{source}: {why}", "dim")

    def refused(self, source: str, why: str) -> None:
        """Say why a source cannot be read."""
        line = why if why.startswith(source) else f"{source}: {why}"
        self._say(line, "red")

    def waiting(self, why: str) -> None:
        """Say once what is waited for."""
        if not self._waiting:
            self._say(f"waiting: {why}", "yellow")
        self._waiting = True

    def _say(self, line: str, style: str) -> None:
        console = self._bar.console if self._bar.live.is_started else messages()
        console.print(visible(line), style=style, markup=False, soft_wrap=True)


def say_summary(verb: str, summary: EntrySummary, target: str) -> None:
    """Say what was done, in one line."""
    parts = [f"{summary.records} records ({summary.size_bytes / 1e6:.1f} MB) {verb} {target}"]
    if summary.skipped:
        parts.append(f"{summary.skipped} sources were there already")
    if summary.refused:
        parts.append(f"{summary.refused} refused")
    messages().print("; ".join(parts), markup=False)
