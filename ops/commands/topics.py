"""``specstream topics``: makes the topics that the configuration names."""

from __future__ import annotations

from ops.commands.options import ConfigFile, command_group
from ops.console import messages, output
from ops.patience import patiently
from stream.settings import Settings, load_settings
from stream.transports.broker.topics import TopicSpec, create_topics
from stream.transports.folder.topics import create_topics as create_folder_topics
from stream.transports.url import FolderBroker, parse_broker_url

ENVELOPE_BYTES = 65_536  # a dead letter is the message, its headers and what was wrong with it

app = command_group("Topics of the configuration.")


@app.callback()
def _topics() -> None:
    """Topics of the configuration."""


@app.command("create")
def create(config: ConfigFile) -> None:
    """Create the topics with partitions, retention and message size; existing ones are compared, never changed.

    Example: `specstream topics create --config specstream.toml`
    """
    settings = load_settings(config)
    broker = parse_broker_url(settings.broker)
    specs = topic_specs(settings)
    if isinstance(broker, FolderBroker):
        made = create_folder_topics(broker.folder, {spec.name: spec.partitions for spec in specs})
        for spec in specs:
            output().print(f"{spec.name}: {'created' if spec.name in made else 'exists'}", markup=False)
        return
    properties = settings.kafka.properties()
    for report in patiently(lambda: create_topics(broker.servers, specs, properties)):
        output().print(f"{report.name}: {'created' if report.created else 'exists'}", markup=False)
        for difference in report.differences:
            messages().print(f"{report.name}: {difference}", style="yellow", markup=False)


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Return every topic of the configuration as it should be.

    Inputs may hold messages that leave room for a dead letter's envelope; labels and progress are kept for ever.
    """
    topics, kafka = settings.topics, settings.kafka
    retention_ms = -1 if kafka.retention_hours < 0 else kafka.retention_hours * 3_600_000

    def spec(name: str, max_message_bytes: int) -> TopicSpec:
        return TopicSpec(name, kafka.partitions, kafka.replication_factor, retention_ms, max_message_bytes)

    inputs = [spec(name, kafka.message_max_bytes - ENVELOPE_BYTES) for name in topics.inputs]
    outputs = [spec(name, kafka.message_max_bytes) for name in (topics.l2, topics.dead_letter, topics.ledger)]
    label = TopicSpec(topics.label, kafka.partitions, kafka.replication_factor, -1, kafka.message_max_bytes)
    state = TopicSpec(topics.ingest_state, 1, kafka.replication_factor, -1, kafka.message_max_bytes, compacted=True)
    return [*inputs, *outputs, label, state]
