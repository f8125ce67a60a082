"""Addresses of brokers and topics: ``kafka://HOST:PORT[,HOST:PORT][/TOPIC]`` and ``file:FOLDER[/TOPIC]``.

Pure: nothing is opened or looked up. An address that cannot be is a ``ConfigurationError`` of one line that says what
was expected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stream.errors import ConfigurationError

KAFKA_PREFIX = "kafka://"
FILE_PREFIX = "file:"
TOPIC_FORM = "kafka://HOST:PORT[,HOST:PORT]/TOPIC or file:FOLDER/TOPIC"
BROKER_FORM = "kafka://HOST:PORT[,HOST:PORT] or file:FOLDER"

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/,\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """A Kafka cluster, by its bootstrap servers ``HOST:PORT[,HOST:PORT]``."""

    servers: str

    def __str__(self) -> str:
        return f"{KAFKA_PREFIX}{self.servers}"


@dataclass(frozen=True, slots=True)
class FolderBroker:
    """A folder of the file transport."""

    folder: Path

    def __str__(self) -> str:
        return f"{FILE_PREFIX}{self.folder}"


BrokerUrl: TypeAlias = KafkaBroker | FolderBroker


@dataclass(frozen=True, slots=True)
class TopicUrl:
    """A topic on a broker."""

    broker: BrokerUrl
    topic: str

    def __str__(self) -> str:
        return f"{self.broker}/{self.topic}"


def check_topic_name(topic: str) -> str:
    """Return ``topic`` if it is a name that Kafka and the file transport allow.

    Raises:
        ConfigurationError: it is not.
    """
    if _TOPIC_NAME.fullmatch(topic) is None or topic in {".", ".."}:
        raise ConfigurationError(
            f"topic {topic!r}: expected 1 to 249 of the characters A-Z a-z 0-9 . _ - (and neither '.' nor '..')"
        )
    return topic


def parse_broker_url(text: str) -> BrokerUrl:
    """Return the broker that ``text`` names, which must not name a topic.

    Raises:
        ConfigurationError: the text has another form.
    """
    if text.startswith(KAFKA_PREFIX):
        return KafkaBroker(_servers(text, text[len(KAFKA_PREFIX) :].removesuffix("/"), BROKER_FORM))
    if text.startswith(FILE_PREFIX):
        return FolderBroker(_folder(text, _file_path(text), BROKER_FORM))
    raise ConfigurationError(f"broker {text!r}: expected {BROKER_FORM}")


def parse_topic_url(text: str) -> TopicUrl:
    """Return the topic that ``text`` names.

    Raises:
        ConfigurationError: the text has another form, or no topic in it.
    """
    if text.startswith(KAFKA_PREFIX):
        servers, slash, topic = text[len(KAFKA_PREFIX) :].partition("/")
        if not slash or not topic:
            raise ConfigurationError(f"topic address {text!r} names no topic: expected {TOPIC_FORM}")
        return TopicUrl(KafkaBroker(_servers(text, servers, TOPIC_FORM)), check_topic_name(topic))
    if text.startswith(FILE_PREFIX):
        folder, slash, topic = _file_path(text).rpartition("/")
        if not slash or not topic or (not folder and not text.startswith(f"{FILE_PREFIX}/")):
            raise ConfigurationError(f"topic address {text!r} names no folder and topic: expected {TOPIC_FORM}")
        return TopicUrl(FolderBroker(_folder(text, folder or "/", TOPIC_FORM)), check_topic_name(topic))
    raise ConfigurationError(f"topic address {text!r}: expected {TOPIC_FORM}")


def _file_path(text: str) -> str:
    path = text[len(FILE_PREFIX) :]
    if path.startswith("//"):
        if not path.startswith("///"):
            raise ConfigurationError(f"address {text!r} names a host: expected file:FOLDER on a local disk")
        path = path[2:]
    return path


def _folder(text: str, path: str, form: str) -> Path:
    if not path:
        raise ConfigurationError(f"address {text!r} names no folder: expected {form}")
    return Path(path).expanduser()


def _servers(text: str, servers: str, form: str) -> str:
    for server in servers.split(","):
        match = _SERVER.fullmatch(server)
        if match is None or not 0 < int(match.group(2)) < 65536:
            raise ConfigurationError(f"address {text!r}: expected {form}, received server {server!r}")
    return servers
