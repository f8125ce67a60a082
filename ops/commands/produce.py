"""``specstream produce``: messages as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.entering import EntryProgress, say_summary
from ops.commands.options import OptionalConfigFile, TopicUrlOption
from ops.patience import patiently
from ops.stopping import stop_on_signals
from ops.wiring import open_entry
from stream.produce import produce as produce_files
from stream.settings import load_settings
from stream.source_files import check_paths
from stream.transports.url import parse_topic_url

REFUSED = 1


def produce(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, folders, tar archives.")],
    to: TopicUrlOption,
    identity: Annotated[
        str | None, typer.Option(help="Name of this work, where several produce into one topic at once.")
    ] = None,
    split: Annotated[
        bool,
        typer.Option(
            "--split",
            help="A container of several records becomes one message per record, each a container of its own with the "
            "same schema; everything else stays as it is.",
        ),
    ] = False,
    config: OptionalConfigFile = None,
) -> None:
    """Publish each file, and each member of a tar archive, as one message, byte for byte and once.

    Example: `specstream produce alerts/*.avro night.tar.gz --to kafka://localhost:9092/ztf`

    A message is one record: a file that holds several, such as an archive's nightly dump, needs `--split`.
    """
    check_paths(files)  # before a broker is waited for, or a folder made
    settings = load_settings(config)
    topic = parse_topic_url(to)
    publisher = patiently(lambda: open_entry(settings, topic, identity or f"produce.{topic.topic}"))
    # only now: until the broker answers, a signal ends the program at once
    stop = stop_on_signals()
    try:
        with EntryProgress("producing") as report:
            summary = produce_files(
                files,
                topic.topic,
                publisher,
                split=split,
                max_message_bytes=settings.kafka.message_max_bytes,
                report=report,
                stop=stop,
            )
    finally:
        publisher.close()
    say_summary("in", summary, to)
    if summary.refused:
        raise typer.Exit(REFUSED)
