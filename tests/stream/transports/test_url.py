from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import ConfigurationError
from stream.transports.url import FolderBroker, KafkaBroker, TopicUrl, parse_broker_url, parse_topic_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka://localhost:9092", KafkaBroker("localhost:9092")),
        ("kafka://a.b:1,[::1]:65535", KafkaBroker("a.b:1,[::1]:65535")),
        ("kafka://localhost:9092/", KafkaBroker("localhost:9092")),
        ("file:night", FolderBroker(Path("night"))),
        ("file:/data/night/", FolderBroker(Path("/data/night"))),
        ("file:///data/night", FolderBroker(Path("/data/night"))),
        ("file:~/night", FolderBroker(Path.home() / "night")),
    ],
)
def test_broker_address_is_read(text: str, expected: object) -> None:
    assert parse_broker_url(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka://h:9092,i:9093/specstream.l2", TopicUrl(KafkaBroker("h:9092,i:9093"), "specstream.l2")),
        ("file:night/l1", TopicUrl(FolderBroker(Path("night")), "l1")),
        ("file:./a/b/l1", TopicUrl(FolderBroker(Path("a/b")), "l1")),
        ("file:///data/l1", TopicUrl(FolderBroker(Path("/data")), "l1")),
        ("file:/l1", TopicUrl(FolderBroker(Path("/")), "l1")),
    ],
)
def test_topic_address_is_read(text: str, expected: object) -> None:
    assert parse_topic_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:9092", "kafka://", "kafka://host", "kafka://host:0", "kafka://host:99999", "kafka://h:1/t"),
        *("file:", "file://server/share", "kafka://h:1,,i:2", "http://h:1", "kafka://h:1,"),
    ],
)
def test_impossible_broker_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_broker_url(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("kafka://h:1", "kafka://h:1/", "kafka://h:1/a/b", "kafka://h:1/a b", "file:topic", "file:f/", "file:f/.."),
        *("x:f/t", "file://server/share/t", f"file:f/{'t' * 250}"),
    ],
)
def test_impossible_topic_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_topic_url(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["kafka://h:1,i:2/t", "file:night/l1", "file:/data/l1"])
def test_topic_address_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_topic_url(text)) == text
