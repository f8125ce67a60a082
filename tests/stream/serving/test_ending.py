"""How the service ends: stopped, idle, or by an error that it does not survive."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from stream.errors import ConfigurationError, Fatal, Retryable
from stream.transports.contract import TopicPartition

L1 = "specstream.l1.spectrum"


def test_stop_drains_commits_and_returns(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """After stop, what was read is committed, and nothing more is read."""
    stop = threading.Event()
    transport = memory_transport(before_poll=lambda transport: stop.set() if transport.polls == 3 else None)
    transport.append(L1, 0, [spectrum_value(i) for i in range(2000)])
    report = run(transport, stop=stop, until_idle_s=None)
    assert report.drained
    assert 0 < report.records_out < 2000
    assert transport.committed[TopicPartition(L1, 0)] == report.records_out


def test_a_drain_that_cannot_finish_is_given_up_in_time(
    run: Any, memory_transport: Any, spectrum_value: Any, settings: Any
) -> None:
    """With the broker gone, stop returns within the drain's bound and says that not all is committed."""

    def away(transport: Any) -> None:
        stop.set()
        raise Retryable("broker away")

    stop = threading.Event()
    transport = memory_transport(before_commit=away)
    transport.append(L1, 0, [spectrum_value(0)])
    started = time.monotonic()
    report = run(transport, stop=stop, until_idle_s=None, config=settings(drain_timeout_s=0.3))
    assert not report.drained
    assert time.monotonic() - started < 5
    assert transport.outputs == []


def test_fatal_errors_end_the_service_without_a_commit(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """A fenced commit is raised to the caller."""

    def fenced(transport: Any) -> None:
        raise Fatal("fenced by another process")

    transport = memory_transport(before_commit=fenced)
    transport.append(L1, 0, [spectrum_value(0)])
    with pytest.raises(Fatal, match="fenced"):
        run(transport)
    assert transport.outputs == []


def test_a_missing_topic_is_a_configuration_error(run: Any, memory_transport: Any) -> None:
    """What poll says of the configuration reaches the caller as it is."""

    def missing(transport: Any) -> None:
        raise ConfigurationError("topics.l1_spectrum: topic does not exist")

    with pytest.raises(ConfigurationError, match="does not exist"):
        run(memory_transport(before_poll=missing))


def test_idle_waits_for_an_assignment(run: Any, memory_transport: Any, spectrum_value: Any) -> None:
    """`until_idle_s` does not count time before the assignment."""

    def assign_late(transport: Any) -> None:
        transport.is_assigned = transport.polls > 40

    transport = memory_transport(before_poll=assign_late)
    transport.is_assigned = False
    run(transport, until_idle_s=0.01)
    assert transport.polls > 40
