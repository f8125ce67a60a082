"""Settings given to librdkafka: ours, the user's, and those that are refused."""

from __future__ import annotations

import pytest

from stream.errors import ConfigurationError
from stream.transports.broker import BrokerReader, BrokerTransport
from stream.transports.broker.configuration import check_overrides, member_configuration, producer_configuration

BREAKING = {
    "isolation.level": "read_uncommitted",
    "enable.auto.commit": "true",
    "enable.idempotence": "false",
    "acks": "1",
    "transactional.id": "mine",
    "group.id": "other",
    "group.instance.id": "0",
    "partition.assignment.strategy": "cooperative-sticky",
}


@pytest.mark.parametrize("key", sorted(BREAKING))
def test_setting_that_would_break_exactly_once_is_refused_by_name(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{key}'"):
        BrokerTransport("127.0.0.1:1", ["t"], "g", librdkafka={key: BREAKING[key]})


def test_setting_that_repeats_what_we_need_is_taken() -> None:
    check_overrides({"isolation.level": "read_committed", "acks": "all", "enable.auto.commit": "False"})


def test_security_settings_reach_consumer_and_producer() -> None:
    user = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "ssl.ca.location": "/etc/ca.pem"}
    member = member_configuration("h:1", "g", instance=None, group_protocol="classic", librdkafka=user)
    producer = producer_configuration("h:1", "id", 1_000_000, user)
    for configuration in (member, producer):
        assert {key: configuration[key] for key in user} == user


def test_settings_of_one_client_do_not_reach_the_other() -> None:
    user = {"linger.ms": "50", "fetch.min.bytes": "10"}
    member = member_configuration("h:1", "g", instance=None, group_protocol="classic", librdkafka=user)
    producer = producer_configuration("h:1", "id", 1_000_000, user)
    assert ("linger.ms" in member, member["fetch.min.bytes"]) == (False, "10")
    assert ("fetch.min.bytes" in producer, producer["linger.ms"]) == (False, "50")


@pytest.mark.parametrize(("protocol", "instance", "static"), [("classic", "3", "3"), ("consumer", "3", None)])
def test_instance_is_a_static_member_under_the_classic_protocol_alone(
    protocol: str, instance: str, static: str | None
) -> None:
    member = member_configuration(
        "h:1",
        "g",
        instance=instance,
        group_protocol=protocol,  # type: ignore[arg-type]
        librdkafka={},
    )
    assert member.get("group.instance.id") == static


def test_session_of_the_new_protocol_is_refused_as_the_brokers() -> None:
    with pytest.raises(ConfigurationError, match=r"group\.consumer\.session\.timeout\.ms"):
        BrokerTransport("h:1", ["t"], "g", group_protocol="consumer", librdkafka={"session.timeout.ms": "6000"})


def test_setting_that_librdkafka_does_not_know_is_a_configuration_error_of_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"no\.such\.setting") as caught:
        BrokerReader("127.0.0.1:1", ["t"], {"no.such.setting": "1"})
    assert "\n" not in str(caught.value)
