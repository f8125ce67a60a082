"""``specstream ingest``: FITS files of any supported survey become L1 records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.entering import EntryProgress, say_summary
from ops.commands.options import OptionalConfigFile, TopicUrlOption
from ops.patience import patiently
from ops.stopping import stop_on_signals
from ops.wiring import open_codec, open_entry
from stream.ingest import ingest as ingest_files
from stream.settings import load_settings
from stream.source_files import check_paths
from stream.transports.url import parse_topic_url

REFUSED = 1


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="FITS files, or folders of them.")],
    to: TopicUrlOption,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: take files as an L1 pipeline drops them.")] = False,
    rows: Annotated[
        str | None, typer.Option(metavar="EXPRESSION", help="Rows of multi-spectrum files: 'OBJ_FLAG & 1 != 0'.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Name of this work, where several ingests write one topic at once.")
    ] = None,
    config: OptionalConfigFile = None,
) -> None:
    """Publish the spectra of FITS files, each exactly once however often this is killed and started again.

    Example: `specstream ingest night/ --to kafka://localhost:9092/specstream.l1.spectrum --watch`
    """
    check_paths(paths)  # before a broker is waited for, or a folder made
    settings = load_settings(config)
    topic = parse_topic_url(to)
    codec = open_codec(settings, publishes={"l1_spectrum": topic.topic})
    publisher = patiently(lambda: open_entry(settings, topic, identity or f"ingest.{topic.topic}"))
    # only now: until the broker answers, a signal ends the program at once
    stop = stop_on_signals()
    try:
        with EntryProgress("ingesting") as report:
            summary = ingest_files(
                paths, topic.topic, publisher, codec, rows=rows, watch=watch, report=report, stop=stop
            )
    finally:
        publisher.close()
    say_summary("in", summary, to)
    if summary.refused:
        raise typer.Exit(REFUSED)
