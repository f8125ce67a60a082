"""What librdkafka does not take is refused before a broker is asked, whichever client it is for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stream.errors import ConfigurationError
from stream.transports.broker import BrokerPublisher, BrokerReader, BrokerTransport
from stream.transports.broker.checking import check_member, check_properties
from stream.transports.broker.topics import TopicSpec, create_topics
from stream.transports.opening import check_transport

NOBODY = "127.0.0.1:1"
WRONG = {
    "no.such.setting": "1",
    "security.protocol": "TLS",
    "ssl.ca.location": "/no/such/file",  # looked at once the protocol is SSL
    "linger.ms": "soon",  # of a producer
    "fetch.min.bytes": "some",  # of a consumer
    "isolation.level": "read_uncommitted",  # breaks a guarantee
}
OPENERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "transport": lambda user: BrokerTransport(NOBODY, ["t"], "g", librdkafka=user),
    "reader": lambda user: BrokerReader(NOBODY, ["t"], user),
    "publisher": lambda user: BrokerPublisher(NOBODY, "identity", "state", user),
    "topics": lambda user: create_topics(NOBODY, [TopicSpec("t")], user),
    "check": lambda user: check_transport(f"kafka://{NOBODY}", "g", librdkafka=user),
}


@pytest.mark.parametrize("key", sorted(WRONG))
@pytest.mark.parametrize("opener", sorted(OPENERS))
def test_whatever_is_opened_a_wrong_setting_is_named_in_one_line_without_a_broker(opener: str, key: str) -> None:
    user = {"security.protocol": "SSL"} if key.startswith("ssl.") else {}
    with pytest.raises(ConfigurationError, match=r"^kafka\.librdkafka: ") as caught:
        OPENERS[opener]({**user, key: WRONG[key]})
    named = {"linger.ms": "queue.buffering.max.ms"}.get(key, key)  # librdkafka's own name for it
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_settings_that_can_be_are_taken_in_silence(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """Those that go with our settings alone, too: by itself librdkafka would fetch more than it receives."""
    user = {
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me",
        "sasl.password": "mine", "linger.ms": "1", "fetch.min.bytes": "9", "receive.message.max.bytes": "20000000",
        "acks": "all", "enable.auto.commit": "false", "transaction.timeout.ms": "6000",
        "isolation.level": "read_committed",
    }  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        check_properties(user)
        check_member("g", instance="0", group_protocol=protocol, librdkafka=user)  # type: ignore[arg-type]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"session.timeout.ms": "2000", "max.poll.interval.ms": "1000"}, "max.poll.interval.ms"),
        ({"message.timeout.ms": "60000"}, "message.timeout.ms"),
    ],
)
def test_settings_of_a_member_that_do_not_go_together_are_refused(user: Mapping[str, str], words: str) -> None:
    """One of its consumer, and one of its producer, which is made long after the consumer."""
    check_properties(user)
    with pytest.raises(ConfigurationError, match=words):
        check_member("g", librdkafka=user)


def test_a_folder_has_no_settings_and_is_not_made(tmp_path: Path) -> None:
    check_transport(f"file:{tmp_path / 'night'}", "g", librdkafka=WRONG)
    assert list(tmp_path.iterdir()) == []
