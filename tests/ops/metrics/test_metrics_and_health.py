"""Metrics and health as an operator sees them: over HTTP, from a real server."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from classifiers.classifier import EngineUse
from ops.metrics.declared import declare
from ops.metrics.server import LIVE_WITHIN_S, HealthServer
from ops.metrics.telemetry import PrometheusTelemetry
from stream.errors import ConfigurationError
from stream.transports.contract import TopicPartition


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A served telemetry with what a test needs to ask it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = declare(CollectorRegistry())
        self.telemetry = PrometheusTelemetry(self.metrics, monotonic=self.clock)

    def get(self, server: HealthServer, path: str) -> tuple[int, str]:
        """Return status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def samples(self, server: HealthServer) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Return every sample of /metrics by name and sorted labels."""
        _, text = self.get(server, "/metrics")
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def server(asked: Asked):
    with HealthServer("127.0.0.1", 0, asked.metrics, asked.telemetry, monotonic=asked.clock) as running:
        yield running


def test_events_of_the_stream_appear_as_metrics(asked: Asked, server: HealthServer) -> None:
    """What the service tells is what Prometheus reads."""
    told = asked.telemetry
    told.records_in("ZTF", "image", 3)
    told.records_out("ZTF", "image", 2)
    told.records_dead("ZTF", "image", "CUTOUT_MISSING", 1)
    told.unknown("image", "NOVEL", 1)
    told.end_to_end_seconds("image", [0.3, 0.4])
    told.engine_seconds("stamp-anomaly", "onnxruntime", "fp32", 0.02)
    told.engine_faults("image", 2)
    told.ledger_imbalance(0)
    told.engines(
        [EngineUse("stamp-anomaly", "1.0", "ab" * 32, "torch", "fp32", "sim-1+borrowed-for-torch-fp32", "SIMULATED")]
    )
    read = asked.samples(server)
    ztf = (("lane", "image"), ("survey", "ZTF"))
    assert read["specstream_records_in_total", ztf] == 3
    assert read["specstream_records_out_total", ztf] == 2
    assert (
        read["specstream_records_dead_total", (("lane", "image"), ("reason", "CUTOUT_MISSING"), ("survey", "ZTF"))] == 1
    )
    assert read["specstream_unknown_total", (("lane", "image"), ("reason", "NOVEL"))] == 1
    assert read["specstream_end_to_end_seconds_count", (("lane", "image"),)] == 2
    assert read["specstream_end_to_end_seconds_bucket", (("lane", "image"), ("le", "0.25"))] == 0
    assert read["specstream_engine_faults_total", (("lane", "image"),)] == 2
    assert read["specstream_ledger_imbalance_records", ()] == 0
    engine = next(labels for name, labels in read if name == "specstream_engine_info")
    assert {("runtime", "torch"), ("calibration_id", "sim-1+borrowed-for-torch-fp32")} <= set(engine)


def test_a_survey_of_any_name_makes_no_new_series(asked: Asked, server: HealthServer) -> None:
    """Labels come from a closed set, whatever a message claims."""
    for number in range(50):
        asked.telemetry.records_in(f"SURVEY{number}", "spectrum", 1)
    series = {labels for name, labels in asked.samples(server) if name == "specstream_records_in_total"}
    assert series == {(("lane", "spectrum"), ("survey", "OTHER"))}


def test_lag_of_a_lost_partition_disappears(asked: Asked, server: HealthServer) -> None:
    """A replica must not report the lag of partitions that another one owns now."""
    first, second = TopicPartition("t", 0), TopicPartition("t", 1)
    asked.telemetry.lag({first: 5, second: 7})
    asked.telemetry.lag({second: 2})
    lag = {dict(labels)["partition"]: value for (name, labels), value in asked.samples(server).items() if "lag" in name}
    assert lag == {"1": 2}


def test_ready_follows_the_service_and_says_why(asked: Asked, server: HealthServer) -> None:
    """Readiness is refused with the reason until the service is ready."""
    assert asked.get(server, "/health/ready") == (503, "not ready: starting\n")
    asked.telemetry.ready(ready=True, why="4 partitions assigned")
    assert asked.get(server, "/health/ready") == (200, "ready: 4 partitions assigned\n")
    asked.telemetry.ready(ready=False, why="broker away")
    assert asked.get(server, "/health/ready") == (503, "not ready: broker away\n")


def test_a_silent_service_is_not_live(asked: Asked, server: HealthServer) -> None:
    """A loop that hangs is found by the liveness probe."""
    asked.telemetry.stage_seconds("poll", 0.1)
    asked.clock.now += LIVE_WITHIN_S - 1
    assert asked.get(server, "/health/live")[0] == 200
    asked.clock.now += 2
    assert asked.get(server, "/health/live")[0] == 503


def test_an_unknown_path_names_the_known_ones(asked: Asked, server: HealthServer) -> None:
    """A person who mistypes learns what there is."""
    status, body = asked.get(server, "/health")
    assert status == 404
    assert "/health/ready" in body


def test_a_taken_port_is_one_line(asked: Asked, server: HealthServer) -> None:
    """Two services on one port: the second one says which key to change."""
    with pytest.raises(ConfigurationError, match=rf"metrics\.port: expected a free port.*{server.port}"):
        HealthServer("127.0.0.1", server.port, asked.metrics, asked.telemetry)
