"""A whole run in a folder, start to end: what ``classify`` and the demo do with the service's own pipeline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.engines import open_classifiers
from ops.metrics.declared import declare
from ops.metrics.telemetry import PrometheusTelemetry
from ops.reading import everything
from ops.terminating import ending_on_sigterm
from ops.wiring import open_input, open_topic
from schemas.codec import Codec
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted
from stream.sections import SchemasSettings, TopicsSettings
from stream.service import ServiceReport, serve
from stream.settings import Settings, load_settings
from stream.telemetry import Telemetry
from stream.transports.contract import Message


@dataclass(frozen=True, slots=True)
class Run:
    """What came out: (message, record) pairs of L2 in input order, dead-letter records, and the service's report."""

    records: list[tuple[Message, dict[str, Any]]]
    dead_letters: list[dict[str, Any]]
    report: ServiceReport


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for the topics of one run, which is gone however the run ends, but for SIGKILL."""
    with ending_on_sigterm(), tempfile.TemporaryDirectory(prefix="specstream-") as folder:
        yield Path(folder)


def settings_for(folder: Path, images: bool = False) -> Settings:
    """Return the configuration of a run in ``folder``: of the user's environment only engines and batches count."""
    base = load_settings(None)
    topics = TopicsSettings(image_alert=("specstream.l1.image_alert",) if images else ())
    update = {"broker": f"file:{folder}", "group": "one-shot", "topics": topics, "schemas": SchemasSettings()}
    return base.model_copy(update=update)


def classify_in(settings: Settings, codec: Codec, telemetry: Telemetry | None = None) -> Run:
    """Classify everything in the folder's input topics and return what came out."""
    classifiers = open_classifiers(settings)
    lanes = {lane: one for lane, one in classifiers.items() if lane != "image" or settings.topics.image_alert}
    transport = open_input(settings)
    try:
        report = serve(
            settings,
            transport,
            lanes,
            telemetry or PrometheusTelemetry(declare()),
            codec=codec,
            until_idle_s=0.0,
        )
    finally:
        transport.close()
    return collect(settings, codec, report)


def collect(settings: Settings, codec: Codec, report: ServiceReport) -> Run:
    """Read the L2 records and dead letters of a run, in the order of their inputs."""
    records = [
        (message, codec.decode(message.value or b"").record)
        for message in everything(lambda: open_topic(settings, settings.topics.l2))
    ]
    records.sort(key=lambda pair: tuple(pair[1]["source"][key] for key in ("topic", "partition", "offset")))
    dead = [
        codec.decode(message.value or b"").record
        for message in everything(lambda: open_topic(settings, settings.topics.dead_letter))
    ]
    return Run(records, dead, report)


def inputs_of(
    settings: Settings, codec: Codec, topic: str, wanted: Mapping[int, Any]
) -> Iterator[tuple[Any, Accepted]]:
    """Yield the decoded inputs at the wanted offsets of a one-partition topic, each with its value in ``wanted``."""
    decoder = MessageDecoder(codec)
    for message in everything(lambda: open_topic(settings, topic)):
        if message.offset in wanted:
            decoded = decoder.decode(message)
            if isinstance(decoded, Accepted):
                yield wanted[message.offset], decoded
