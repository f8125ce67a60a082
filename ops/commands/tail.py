"""``specstream tail``: committed records of a topic, as a person or a script wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from classifiers.verdict.anomalous import anomalous
from ops.commands.options import OptionalConfigFile, WhereOption
from ops.console import messages, terminal_width
from ops.listing.writers import Writer, field_names, field_units, open_writer
from ops.patience import PatientReader
from ops.wiring import open_codec, open_topic_reader
from schemas.codec import Codec
from schemas.errors import CatalogueError, Undecodable
from stream.expression import Expression, compile_expression
from stream.settings import load_settings
from stream.transports.contract import Message

POLL_S = 0.5
AT_A_TIME = 500


class Format(StrEnum):
    """Formats of a list."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    ECSV = "ecsv"


def tail(
    topic: Annotated[str, typer.Argument(metavar="TOPIC_URL", help="kafka://HOST:PORT/TOPIC or file:FOLDER/TOPIC.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records arrive.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="End after that many records.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write them.")] = Format.TABLE,
    where: WhereOption = None,
    anomalies: Annotated[
        bool,
        typer.Option(
            "--anomalies",
            help="Keep the anomaly feed: NOVEL, improbable to the VAE, two redshifts, broad absorption.",
        ),
    ] = False,
    config: OptionalConfigFile = None,
) -> None:
    """Read L2 records, dead letters, L1 records, ledger entries or alerts; committed records only, oldest first.

    Example: `specstream tail file:spool/specstream.l2.classification --where 'unknown_reason == "NOVEL" and snr > 5'`
    """
    settings = load_settings(config)
    codec = open_codec(settings)
    condition = compile_expression(where) if where else None
    reader = PatientReader(open_topic_reader(settings, topic))
    listing = _Listing(form, condition, anomalies, limit, codec)
    try:
        while not listing.full():
            arrived = reader.read(AT_A_TIME, POLL_S)
            for message in arrived:
                listing.show(message)
                if listing.full():
                    break
            if not arrived and not follow and reader.at_end():
                break
        listing.say_if_empty()
    except KeyboardInterrupt:
        if not follow:
            raise
    finally:
        listing.close()
        reader.close()


class _Listing:
    def __init__(
        self, form: str, condition: Expression | None, anomalies: bool, limit: int | None, codec: Codec
    ) -> None:
        self._form = form
        self._condition = condition
        self._anomalies = anomalies
        self._limit = limit
        self._codec = codec
        self._shown = 0
        self._writer: Writer | None = None

    def full(self) -> bool:
        return self._limit is not None and self._shown >= self._limit

    def show(self, message: Message) -> None:
        where = f"{message.source.topic}[{message.source.partition}] offset {message.offset}"
        try:
            decoded = self._codec.decode(message.value or b"")
        except Undecodable as error:
            messages().print(f"not shown: {where}: {error.reason}: {error}", style="yellow", markup=False)
            return
        record: Mapping[str, Any] = decoded.record
        own = decoded.schema_name.startswith("org.specstream.")
        if not own:
            place = {"topic": message.source.topic, "partition": message.source.partition, "offset": message.offset}
            record = {**place, "schema": decoded.schema_name, "bytes": len(message.value or b""), **record}
        if self._anomalies and not _is_anomaly(record):
            return
        if self._condition is not None and not self._condition(record):
            return
        if self._writer is None:
            schema = self._schema(decoded.schema_name) if own else {"fields": []}
            self._writer = open_writer(
                self._form, typer.echo, field_units(schema), names=field_names(schema), width=terminal_width()
            )
        self._writer.write(record, decoded.schema_name)
        self._shown += 1

    def _schema(self, schema_name: str) -> Mapping[str, Any]:
        try:
            schema: Mapping[str, Any] = json.loads(self._codec.catalogue.text(schema_name))
        except CatalogueError:
            return {"fields": []}
        return schema

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def say_if_empty(self) -> None:
        if self._writer is None and self._form == Format.TABLE:
            messages().print("no records", style="yellow")


def _is_anomaly(record: Mapping[str, Any]) -> bool:
    if "unknown_reason" not in record:
        return False
    p_value = record["anomaly_p_value"]
    p_value = float("nan") if p_value is None else p_value
    reason, other = record["unknown_reason"] or "", record["other_type"] or ""
    return bool(anomalous(reason, other, p_value, record["quality_flags"]))
