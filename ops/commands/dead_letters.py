"""``specstream dead-letters``: what could not be classified, why, and back into the stream."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.commands.entering import EntryProgress, say_summary
from ops.commands.options import ConfigFile, WhereOption, command_group
from ops.commands.tail import Format
from ops.console import messages, output, terminal_width
from ops.listing.columns import Column, cell
from ops.listing.writers import open_writer
from ops.patience import patiently
from ops.reading import everything
from ops.wiring import open_codec, open_topic
from schemas.errors import Undecodable
from stream.errors import ConfigurationError, Reason
from stream.expression import compile_expression
from stream.redrive import redrive as redrive_letters
from stream.settings import Settings, load_settings
from stream.transports.opening import open_publisher

SCHEMA = "org.specstream.dead_letter"
SHOWN_BYTES = 256
LETTER_COLUMN = Column("letter", "letter", 9)

app = command_group("Messages that could not be classified: why, and back again.")


def _letters(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each dead letter with its name, one at a time: the topic may be larger than memory."""
    codec = open_codec(settings)
    for message in everything(lambda: open_topic(settings, settings.topics.dead_letter)):
        letter = f"{message.source.partition}:{message.offset}"
        try:
            decoded = codec.decode(message.value or b"")
        except Undecodable as error:
            messages().print(f"not a dead letter: {letter}: {error}", style="yellow", markup=False)
            continue
        if decoded.schema_name == SCHEMA:
            yield letter, decoded.record


@app.command("list")
def list_letters(
    config: ConfigFile,
    where: WhereOption = None,
    form: Annotated[Format, typer.Option("--format", help="How to write them.")] = Format.TABLE,
) -> None:
    """List dead letters with their reason; the first column is what `show` takes.

    Example: `specstream dead-letters list -c specstream.toml --where 'reason == "CUTOUT_MISSING"'`
    """
    condition = compile_expression(where) if where else None
    writer = open_writer(form, typer.echo, {}, first=(LETTER_COLUMN,), width=terminal_width())
    listed = 0
    for letter, record in _letters(load_settings(config)):
        if condition is None or condition(record):
            writer.write({"letter": letter, **record}, SCHEMA)
            listed += 1
    writer.close()
    if not listed:
        messages().print("no dead letters", style="yellow")


@app.command("show")
def show(
    letter: Annotated[str, typer.Argument(help="PARTITION:OFFSET in the dead-letter topic, as `list` gives it.")],
    config: ConfigFile,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the original bytes there ('-': standard output).")
    ] = None,
) -> None:
    """Show one dead letter whole; with --save, its original bytes.

    Example: `specstream dead-letters show 0:12 -c specstream.toml --save poison.avro`
    """
    found = next((record for name, record in _letters(load_settings(config)) if name == letter), None)
    if found is None:
        raise ConfigurationError(
            f"letter: expected PARTITION:OFFSET of a dead letter, as `dead-letters list` gives it, received {letter!r}"
        )
    value: bytes = found["original_value"] or b""
    if save is not None and str(save) == "-":
        sys.stdout.buffer.write(value)
        return
    for field in ("source.topic", "source.partition", "source.offset", "reason", "message", "field", "expected",
                  "received", "schema_id", "survey", "program_version"):  # fmt: skip
        content = cell(found, field)
        if content is not None:
            output().print(f"{field:18} {content}", markup=False)
    output().print(f"{'bytes':18} {len(value)}", markup=False)
    for start in range(0, min(len(value), SHOWN_BYTES), 16):
        row = value[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        output().print(f"  {start:06x}  {row.hex(' '):47}  {text}", markup=False)
    if save is not None:
        try:
            save.write_bytes(value)
        except OSError as error:
            raise ConfigurationError(f"--save: cannot write {save}: {error.strerror or error}") from error
        messages().print(f"wrote {len(value)} bytes to {save}", markup=False)


@app.command("redrive")
def redrive(
    config: ConfigFile,
    reason: Annotated[
        list[Reason] | None, typer.Option(metavar="REASON", help="Only those of this reason; may be repeated.")
    ] = None,
    where: WhereOption = None,
) -> None:
    """Put dead letters back into their input topics once the cause is mended, each once.

    Example: `specstream dead-letters redrive -c specstream.toml --reason UNKNOWN_SCHEMA`
    """
    settings = load_settings(config)
    condition = compile_expression(where) if where else None
    codec = open_codec(settings)
    topic = settings.topics.dead_letter
    publisher = patiently(
        lambda: open_publisher(
            settings.broker,
            f"redrive.{topic}",
            settings.topics.ingest_state,
            librdkafka=settings.kafka.properties(),
            max_message_bytes=settings.kafka.message_max_bytes,
        )
    )
    reader = patiently(lambda: open_topic(settings, topic))
    try:
        with EntryProgress("redriving") as report:
            summary = redrive_letters(
                reader, publisher, codec, reasons=tuple(reason or ()), where=condition, report=report,
                stop=threading.Event(),
            )  # fmt: skip
    finally:
        reader.close()
        publisher.close()
    say_summary("back in", summary, "their input topics")
