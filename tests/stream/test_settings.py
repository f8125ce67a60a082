"""The configuration: TOML and environment in, one frozen tree or a one-line error out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from classifiers.classifier import EngineUse
from stream.errors import ConfigurationError
from stream.service import computes_on_gpu, limits_of
from stream.settings import Settings, load_settings

Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    for name in ("SPECSTREAM_GROUP", "SPECSTREAM_BROKER"):
        monkeypatch.delenv(name, raising=False)

    def load(text: str) -> Settings:
        path = tmp_path / "specstream.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return load


def test_defaults_need_no_file() -> None:
    """Without a file every key has its documented default."""
    settings = load_settings(None)
    assert settings.broker == "kafka://localhost:9092"
    assert settings.topics.inputs == ("specstream.l1.spectrum",)
    assert (settings.metrics.host, settings.metrics.port) == ("127.0.0.1", 9108)


def test_every_section_is_read(load: Load) -> None:
    """The file of the documentation is understood."""
    settings = load(
        """
        broker = "file:/data/night"
        group = "weave"
        [topics]
        image_alert = ["ztf", "lsst"]
        [kafka]
        instance = "worker-0"
        group_protocol = "consumer"
        librdkafka = { "security.protocol" = "SASL_SSL", "socket.keepalive.enable" = true, "fetch.wait.max.ms" = 50 }
        [batching]
        max_records = 64
        [engines]
        runtime = "onnxruntime"
        bundles = ["a", "b"]
        [schemas.ids]
        1101 = "lsst/v11_1"
        """
    )
    assert settings.topics.inputs == ("specstream.l1.spectrum", "ztf", "lsst")
    assert settings.kafka.properties() == {
        "security.protocol": "SASL_SSL",
        "socket.keepalive.enable": "true",
        "fetch.wait.max.ms": "50",
    }
    assert settings.batching.max_records == 64
    assert settings.schemas.ids == {1101: Path("lsst/v11_1")}


def test_the_environment_wins_over_the_file(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is an environment variable; nested ones merge with the file's table."""
    monkeypatch.setenv("SPECSTREAM_GROUP", "from-environment")
    monkeypatch.setenv("SPECSTREAM_TOPICS__L2", "l2.other")
    monkeypatch.setenv("SPECSTREAM_TOPICS__IMAGE_ALERT", '["ztf"]')
    monkeypatch.setenv("SPECSTREAM_KAFKA__LIBRDKAFKA__SASL_PASSWORD", "secret")
    settings = load(
        'group = "from-file"\n[topics]\ndead_letter = "dead.other"\n[kafka.librdkafka]\n"sasl.username" = "me"'
    )
    assert settings.group == "from-environment"
    assert (settings.topics.l2, settings.topics.dead_letter) == ("l2.other", "dead.other")
    assert settings.topics.image_alert == ("ztf",)
    assert settings.kafka.properties() == {"sasl.username": "me", "sasl.password": "secret"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('grp = "x"', "grp: expected a known key"),
        ('[topics]\nl3 = "x"', "topics.l3: expected a known key"),
        ('[topics]\nl2 = "a b"', "topics.l2: .*received 'a b'"),
        ('[topics]\nl2 = "specstream.dead_letter"', "expected distinct topic names, received 'specstream.dead_letter'"),
        ('[topics]\nl1_spectrum = ""', "expected at least one input topic"),
        ("[batching]\nmax_records = 0", "batching.max_records: .*greater than or equal to 1, received 0"),
        ('[batching]\nmax_records = "many"', "batching.max_records: .*integer.*received 'many'"),
        ("[batching]\nmax_records = true", "batching.max_records: expected a number, received true"),
        ("[batching]\nmax_records = 500\nin_flight_max_records = 100", "expected at least max_records = 500"),
        ('broker = "http://host"', "broker: expected kafka://HOST:PORT.*received 'http://host'"),
        ("[metrics]\nport = 70000", "metrics.port: .*received 70000"),
        ('topics = "x"', "topics: expected a table, received 'x'"),
        ('[topics]\nimage_alert = "ztf"', "topics.image_alert: expected a list, received 'ztf'$"),
        ("[topics]\nimage_alert = [3]", "topics.image_alert.0: expected a string, received 3$"),
        ("[topics]\nl2 = {a = 3}", "topics.l2: expected a string, received a table$"),
        ('[schemas]\nids = "x"', "schemas.ids: expected a table, received 'x'$"),
        ('[schemas.ids]\nx = "y"', "schemas.ids.x: expected an integer, received 'x'$"),
        ('[metrics]\nhost = ""', "metrics.host: expected text with at least 1 character, received ''$"),
        ('[engines]\ndevice = "tpu"', "engines.device: expected 'auto', 'cuda' or 'cpu', received 'tpu'$"),
        ("[batching]\nmax_age_ms = 1.5", "batching.max_age_ms: expected an integer, received 1.5$"),
        ('[batching]\ndrain_timeout_s = "x"', "drain_timeout_s: expected a number, received 'x'$"),
        ("[kafka]\npartitions = 0", "kafka.partitions: expected a number greater than or equal to 1, received 0$"),
        ("[kafka.librdkafka]\na = [1]", "kafka.librdkafka.a: expected a string, received a hidden value$"),
        ("group = [", "expected TOML"),
    ],
)
def test_a_mistake_is_named_in_one_line(load: Load, text: str, said: str) -> None:
    """Key, expected and received stand in one line."""
    with pytest.raises(ConfigurationError, match=said) as raised:
        load(text)
    assert "\n" not in str(raised.value)
    assert "should" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error says which file."""
    with pytest.raises(ConfigurationError, match=r"absent\.toml: expected a readable TOML file"):
        load_settings(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SPECSTREAM_GRUOP", "perhaps SPECSTREAM_GROUP"),
        ("SPECSTREAM_TOPIC__L2", "perhaps SPECSTREAM_TOPICS"),
        ("SPECSTREAM_NOTHING__L2", "expected a known setting"),
        ("SPECSTREAM_FOO", "SPECSTREAM_FOO: expected a known setting, received an unknown one"),
        ("specstream_foo", "specstream_foo: expected a known setting"),
        ("SPECSTREAM_METRICS_PORT", "perhaps SPECSTREAM_METRICS__PORT"),
        ("SPECSTREAM_GROUP__L2", "expected a known setting"),
        ("SPECSTREAM_TOPICS__L3", "topics.l3: expected a known key"),
    ],
)
def test_an_unknown_variable_fails(load: Load, monkeypatch: pytest.MonkeyPatch, variable: str, said: str) -> None:
    """A mistyped variable is not silently ignored."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigurationError, match=said):
        load("")


def test_variables_that_kubernetes_makes_are_ignored(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Kubernetes service called specstream sets SPECSTREAM_PORT and the like."""
    monkeypatch.setenv("SPECSTREAM_PORT", "tcp://10.0.0.1:9108")
    monkeypatch.setenv("SPECSTREAM_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SPECSTREAM_METRICS_SERVICE_PORT_HTTP", "9108")
    monkeypatch.setenv("SPECSTREAM_METRICS_PORT_9108_TCP", "tcp://10.0.0.1:9108")
    monkeypatch.setenv("SPECSTREAM_METRICS_PORT_9108_TCP_PROTO", "tcp")
    assert load("").group == "specstream"


def test_the_folder_of_data_is_no_setting(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that bench and training read may be set for every command."""
    monkeypatch.setenv("SPECSTREAM_DATA", "data")
    assert load("").group == "specstream"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SPECSTREAM_TOPICS__IMAGE_ALERT", "ztf", r"expected a JSON list such as \[.*\], received 'ztf'$"),
        ("SPECSTREAM_TOPICS__IMAGE_ALERT", '"ztf"', "expected a JSON list .*, received '\"ztf\"'$"),
        ("SPECSTREAM_ENGINES__BUNDLES", "", "expected a JSON list .*, received ''$"),
        ("SPECSTREAM_SCHEMAS__IDS", "[1]", "expected a JSON table such as {.*}, received a hidden value$"),
        ("SPECSTREAM_KAFKA__LIBRDKAFKA", "hunter2", "expected a JSON table .*, received a hidden value$"),
        ("SPECSTREAM_TOPICS", "ztf", "expected a JSON table .*, received a hidden value$"),
    ],
)
def test_text_that_is_no_json_is_named_with_its_variable(
    load: Load, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """Lists and tables in the environment must be JSON; tables, which may hold secrets, are not shown."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable}: {said}"):
        load("")


def test_tables_in_the_environment_are_json(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole section, or a table in one, may be one variable."""
    monkeypatch.setenv("SPECSTREAM_TOPICS", '{"l2": "l2.other"}')
    monkeypatch.setenv("SPECSTREAM_SCHEMAS__IDS", '{"7": "a.avsc"}')
    assert load("").topics.l2 == "l2.other"
    assert load("").schemas.ids == {7: Path("a.avsc")}


@pytest.mark.parametrize(
    "text",
    [
        '[kafka.librdkafka]\n"sasl.password" = ["hunter2"]',
        'kafka = "hunter2"',
        '[kafka]\nlibrdkafka = "hunter2"',
        '[kafka.librdkafka]\n"sasl.password" = "hunter2"\n[batching]\nmax_records = 0',
    ],
)
def test_secrets_are_never_part_of_an_error(load: Load, text: str) -> None:
    """Whatever is wrong, a password is not shown."""
    with pytest.raises(ConfigurationError) as raised:
        load(text)
    assert "hunter2" not in str(raised.value)


def test_secrets_are_never_printed(load: Load) -> None:
    """The tree can be logged."""
    settings = load('[kafka.librdkafka]\n"sasl.password" = "hunter2"')
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()


def test_settings_are_frozen(load: Load) -> None:
    """What was read once stays."""
    with pytest.raises(ValidationError):
        load("").group = "other"


def test_every_setting_is_described() -> None:
    """Each field of each section has a description."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        inner = getattr(field.annotation, "model_fields", {})
        for key, nested in inner.items():
            assert nested.description, f"{name}.{key}"


@pytest.mark.parametrize(
    ("text", "gpu", "records"),
    [
        ("", False, 256),
        ("", True, 1024),
        ("[batching]\nmax_records = 300", False, 300),
        ("[batching]\nmax_records = 300", True, 300),
        ("[batching]\nin_flight_max_records = 500", True, 500),
    ],
)
def test_batches_are_larger_on_a_gpu_unless_their_size_is_set(load: Load, text: str, gpu: bool, records: int) -> None:
    assert load(text).batching.engine_batch(on_gpu=gpu) == records
    assert limits_of(load(text).batching, on_gpu=gpu).batch.max_records == records


class OneEngine:
    """A classifier of which the runtime alone is asked."""

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime

    def engines(self) -> tuple[EngineUse, ...]:
        return (EngineUse("one", "1", "0" * 64, self._runtime, "fp32", "none", "SIMULATED"),)


@pytest.mark.parametrize(
    ("runtime", "text", "expected"),
    [
        ("onnxruntime", "", False),
        ("onnxruntime_cuda", "", True),
        ("tensorrt", "", True),
        ("tensorrt_rtx", "", True),
        ("torch", "", True),
        ("torch", '[engines]\nruntime = "torch"\ndevice = "cpu"', False),
    ],
)
def test_engines_compute_on_a_gpu_by_their_runtime_and_torch_unless_the_processor_is_asked_for(
    load: Load, runtime: str, text: str, expected: bool
) -> None:
    classifiers: Any = {"spectrum": OneEngine(runtime)}
    assert computes_on_gpu(load(text), classifiers) is expected
