"""The configuration: one frozen tree, from a TOML file and the environment, built once at the entry point.

Every key is also an environment variable, which wins over the file: ``SPECSTREAM_GROUP``, ``SPECSTREAM_TOPICS__L2``;
lists and tables are written there as JSON, and librdkafka properties also one by one
(``SPECSTREAM_KAFKA__LIBRDKAFKA__SASL_PASSWORD``). Unknown keys and variables fail. Scientific thresholds live
in the bundles.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_origin

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from stream.errors import ConfigurationError
from stream.sections import (
    BatchingSettings,
    EnginesSettings,
    KafkaSettings,
    MetricsSettings,
    SchemasSettings,
    TopicsSettings,
)

PREFIX = "SPECSTREAM_"
OTHER_VARIABLES: Final = frozenset({"data"})
"""Variables that are read elsewhere: ``SPECSTREAM_DATA``, the folder of data for ``bench`` and training."""
_TOML_NAMES: Final[Mapping[type, str]] = {dict: "table"}
_EXPECTED: Final = {
    "dict_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "a string",
    "tuple_type": "a list",
}
"""What is expected where pydantic's own words are not those of TOML, by its kind of error."""


def _broker_url(value: str) -> str:
    if not re.fullmatch(r"kafka://[^/\s]+/?|file:.+", value):
        raise ValueError(f"expected kafka://HOST:PORT[,HOST:PORT] or file:FOLDER, received {value!r}")
    return value


class Settings(BaseSettings):
    """The whole configuration of a `specstream` process."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    broker: Annotated[str, AfterValidator(_broker_url)] = Field(
        default="kafka://localhost:9092",
        description="kafka://HOST:PORT[,HOST:PORT] or file:FOLDER.",
    )
    group: str = Field(default="specstream", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="Consumer group.")
    topics: TopicsSettings = Field(default_factory=TopicsSettings, description="Topic names.")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="Kafka client.")
    batching: BatchingSettings = Field(default_factory=BatchingSettings, description="Batches, commits, memory.")
    engines: EnginesSettings = Field(default_factory=EnginesSettings, description="Engines.")
    metrics: MetricsSettings = Field(default_factory=MetricsSettings, description="Metrics and health.")
    schemas: SchemasSettings = Field(default_factory=SchemasSettings, description="Writer schemas.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over what the file says."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read the configuration from a TOML file (None: defaults) and the environment.

    Raises:
        ConfigurationError: one line with the key, what was expected and what came; secrets are never part of it.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: expected a readable TOML file, received {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: expected TOML, received {_one_line(str(error))}") from error
    _check_variables(os.environ)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(describe_validation_error(error)) from None
    except SettingsError as error:
        raise ConfigurationError(
            f"environment: expected JSON for a list or table, received: {_one_line(str(error))}"
        ) from None


def describe_validation_error(error: ValidationError) -> str:
    """Say in one line which key is wrong, what was expected and what came; what may be secret is hidden."""
    first = error.errors(include_url=False)[0]
    key = (
        ".".join(str(part) for part in first["loc"] if part not in ("constrained-str", "literal['']", "[key]"))
        or "configuration"
    )
    if first["type"] == "extra_forbidden":
        return f"{key}: expected a known key, received an unknown one"
    expected = _expected(first["type"], _one_line(first["msg"]))
    received = first["input"]
    secret = any(word in key for word in ("librdkafka", "password", "token"))
    if secret or (key == "kafka" and first["type"] != "value_error"):
        return f"{key}: expected {expected.removeprefix('expected ')}, received a hidden value"
    if first["type"] == "value_error":
        return f"{key}: {expected}"
    if not isinstance(received, str | int | float | bool | None):
        return f"{key}: expected {expected}, received a {_TOML_NAMES.get(type(received), type(received).__name__)}"
    return f"{key}: expected {expected}, received {_one_line(repr(received))}"


def _expected(kind: str, message: str) -> str:
    """Return what pydantic expected, in the words of TOML and as the object of a sentence."""
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    message = message.replace("String should match", "text that matches").replace("String should have", "text with")
    if kind.startswith(("greater_than", "less_than")):
        message = f"a number {message}"
    return message.partition(", unable to ")[0]


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse SPECSTREAM_ variables that are no setting, and text where a setting is a list or table in JSON."""
    shapes = _shapes()
    for variable, value in environment.items():
        name = variable[len(PREFIX) :].lower()
        if not variable.upper().startswith(PREFIX) or name in OTHER_VARIABLES:
            continue
        section, nested, _ = name.partition("__")
        known = section in shapes and (not nested or shapes[section] is dict)
        if not known and not _made_by_kubernetes(name, value):
            near = difflib.get_close_matches(name, shapes, n=1, cutoff=0.75)
            hint = f", perhaps {PREFIX}{near[0].upper()}" if near else ""
            raise ConfigurationError(f"{variable}: expected a known setting{hint}, received an unknown one")
        if (shape := shapes.get(name)) is not None:
            _check_json(variable, value, shape)


def _check_json(variable: str, value: str, shape: type) -> None:
    """Raise ConfigurationError unless a variable's value is a list or table in JSON; tables may hold secrets."""
    try:
        came: object = json.loads(value)
    except ValueError:
        came = None
    if not isinstance(came, shape):
        expected = 'a JSON list such as ["a", "b"]' if shape is list else 'a JSON table such as {"a": "b"}'
        received = _one_line(repr(value)) if shape is list else "a hidden value"
        raise ConfigurationError(f"{variable}: expected {expected}, received {received}")


def _shapes() -> dict[str, type | None]:
    """Return each setting as a variable names it, without the prefix: ``list`` or ``dict`` in JSON, None otherwise."""
    shapes: dict[str, type | None] = {}
    for section, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        shapes[section] = dict if inner else None
        for key, nested in inner.items():
            shapes[f"{section}__{key}"] = {tuple: list, dict: dict}.get(get_origin(nested.annotation))
    return shapes


def _made_by_kubernetes(name: str, value: str) -> bool:
    """Return whether Kubernetes makes such a variable for a service whose name starts with specstream."""
    if re.fullmatch(r"(\w+_)?port(_\d+_(tcp|udp|sctp))?", name):
        return "://" in value
    return bool(re.fullmatch(r"(\w+_)?(service_(host|port(_\w+)?)|port_\d+_(tcp|udp|sctp)_(proto|port|addr))", name))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
