"""A survey's labels: which class a person gave to which spectrum, from a table file or a topic of ``label`` records."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.listing.astropy_table import TABLE_FORMATS, read_table
from ops.reading import everything
from ops.wiring import open_topic_reader
from schemas.codec import Codec
from stream.errors import ConfigurationError
from stream.settings import Settings

NOT_AN_OBJECT = "ARTEFACT"
CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of one spectrum.

    Attributes:
        l1_id: the spectrum.
        class_name: class given, None where only the verdict of the L2 record was confirmed.
        object_id: spectra of one object share it; None where each is its own.
        l2_id: the L2 record that was judged, None where there was none.
    """

    l1_id: str
    class_name: str | None
    object_id: str | None
    l2_id: str | None


def read_labels(source: str, settings: Settings, codec: Codec, *, artefacts: bool = False) -> dict[str, Label]:
    """Return labels by l1_id; of several for one spectrum the latest counts (the last, where they have no time).

    Args:
        source: a file (.csv, .ecsv, .fits) or the address of a topic of ``label`` records.
        settings: for the topic.
        codec: for the topic.
        artefacts: see ``labels_of``.

    Raises:
        ConfigurationError: no such file, or a column is missing.
    """
    if source.startswith(("file:", "kafka:")):
        rows: Iterable[Mapping[str, Any]] = (
            decoded.record
            for message in everything(lambda: open_topic_reader(settings, source))
            if (decoded := codec.decode(message.value or b"")).schema_name == "org.specstream.label"
        )
    else:
        rows = _table(Path(source))
    return labels_of(rows, artefacts=artefacts)


def labels_of(rows: Iterable[Mapping[str, Any]], *, artefacts: bool = False) -> dict[str, Label]:
    """Return labels by l1_id from rows with the fields of the ``label`` record.

    Args:
        rows: any order.
        artefacts: True where ARTEFACT is a class, as of alerts: the verdict names it; else it takes a label back.
    """
    found: dict[str, tuple[int, Label | None]] = {}
    for row in rows:
        l1_id = str(row["l1_id"])
        time = int(row.get("labelled_ms") or 0)
        if l1_id in found and time < found[l1_id][0]:
            continue
        verdict = row.get("verdict") or CONFIRMED
        class_name = row.get("class_name") or None
        if verdict == NOT_AN_OBJECT and artefacts:
            verdict, class_name = CONFIRMED, NOT_AN_OBJECT
        usable = verdict != NOT_AN_OBJECT and (class_name is not None or verdict == CONFIRMED)
        label = Label(l1_id, class_name, row.get("object_id") or None, row.get("l2_id") or None)
        found[l1_id] = time, label if usable else None
    return {l1_id: label for l1_id, (_, label) in found.items() if label is not None}


def _table(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8") as lines:
                rows: list[Mapping[str, Any]] = list(csv.DictReader(lines))
        elif path.suffix.lower() in TABLE_FORMATS:
            rows = read_table(path)
        else:
            raise ConfigurationError(
                f"--labels: expected a topic or a file ending in {', '.join(TABLE_FORMATS)}, received {path}"
            )
    except OSError as error:
        raise ConfigurationError(f"--labels: cannot read {path}: {error.strerror or error}") from error
    except (UnicodeError, csv.Error) as error:
        raise ConfigurationError(f"--labels: expected text in UTF-8 with columns, received {path}: {error}") from error
    missing = [name for name in ("l1_id", "class_name") if rows and name not in rows[0]]
    if missing or not rows:
        found = ", ".join(rows[0]) if rows else "no rows"
        raise ConfigurationError(f"--labels: expected columns l1_id and class_name in {path}, received {found}")
    return rows
