"""``specstream archive``: keeps topics as they are in a folder that `run` can replay."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.entering import EntryProgress, say_summary
from ops.commands.options import OptionalConfigFile
from ops.stopping import stop_on_signals
from stream.archive import archive as archive_topics
from stream.entry import EntrySummary, Interrupted, Patience
from stream.errors import ConfigurationError
from stream.settings import load_settings
from stream.transports.folder import FolderArchive
from stream.transports.opening import check_folder_topic, open_reader
from stream.transports.url import FolderBroker, parse_broker_url, parse_topic_url


def archive(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC_URL...", help="Topics of one broker.")],
    to: Annotated[str, typer.Option("--to", metavar="file:FOLDER", help="Where they are kept.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as messages arrive.")] = False,
    config: OptionalConfigFile = None,
) -> None:
    """Keep topics with their coordinates, byte for byte; started again, it goes on where it was.

    Example: `specstream archive kafka://localhost:9092/specstream.l1.spectrum --to file:nights/2026-11-21`
    """
    settings = load_settings(config)
    target = parse_broker_url(to)
    if not isinstance(target, FolderBroker):
        raise ConfigurationError(f"--to: expected file:FOLDER, received {to!r}")
    urls = [parse_topic_url(topic) for topic in topics]
    brokers = {str(url.broker): url.broker for url in urls}
    if len(brokers) != 1:
        raise ConfigurationError(f"TOPIC_URL: expected topics of one broker, received {', '.join(brokers)}")
    (broker,) = brokers.values()
    for url in urls:
        check_folder_topic(url)
    names = [url.topic for url in urls]
    properties = settings.kafka.properties()
    stop = stop_on_signals()
    folder = FolderArchive(target.folder, dict.fromkeys(names, str(broker)))
    try:
        with EntryProgress("archiving") as report:
            patience = Patience(report, stop)
            summary = archive_topics(
                lambda start: patience(lambda: open_reader(broker, names, start=start, librdkafka=properties)),
                folder,
                follow=follow,
                report=report,
                stop=stop,
            )
    except Interrupted:
        summary = EntrySummary()
    finally:
        folder.close()
    say_summary("in", summary, to)
