"""Which file each spectrum of a one-shot run came from: its topic has offsets, its user has files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.commands.entering import EntryProgress
from schemas.codec import Codec


class Origins(EntryProgress):
    """Hears of the files that are read and encodes their spectra, so it knows which is which; a context manager.

    Attributes:
        names: "FILE[l1_id]" of each spectrum, in the order in which they are published: by offset in a new topic of one
            partition.
        files: the file of each, likewise.
    """

    def __init__(self, codec: Codec) -> None:
        super().__init__("reading")
        self.names: list[str] = []
        self.files: list[str] = []
        self._codec = codec
        self._source = ""

    def started(self, source: str, size_bytes: int) -> None:
        """Remember and show which source is being read."""
        self._source = source
        super().started(source, size_bytes)

    def skipped(self, source: str, why: str) -> None:
        """Say that its content came before: the topic, of which ``why`` speaks, is new and not the user's."""
        del why
        super().skipped(source, "the same content as another file given here")

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Return a record as a message, as the codec does, and note where it came from."""
        value = self._codec.encode(name, record)
        self.names.append(f"{self._source}[{record['l1_id']}]")
        self.files.append(self._source)
        return value
