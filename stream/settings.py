"""The configuration: one frozen tree, from a TOML file and the environment, built once at the entry point.

Every key is also an environment variable, which wins over the file: ``SPECSTREAM_GROUP``, ``SPECSTREAM_TOPICS__L2``;
lists and tables are written there as JSON, and librdkafka properties also one by one
(``SPECSTREAM_KAFKA__LIBRDKAFKA__SASL_PASSWORD``). Unknown keys fail. Scientific thresholds live in the bundles.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

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
    _refuse_unknown_variables(os.environ)
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
        ".".join(str(part) for part in first["loc"] if part not in ("constrained-str", "literal['']"))
        or "configuration"
    )
    if first["type"] == "extra_forbidden":
        return f"{key}: expected a known key, received an unknown one"
    message = _one_line(str(first["msg"]).removeprefix("Value error, "))
    if first["type"] == "model_type":
        message = "a table"
    received = first["input"]
    secret = any(word in key for word in ("librdkafka", "password", "token"))
    if secret or (key == "kafka" and first["type"] != "value_error"):
        return f"{key}: expected: {message}; received a hidden value"
    if first["type"] == "value_error" or not isinstance(received, str | int | float | bool | None):
        return f"{key}: {message}" + (
            "" if first["type"] == "value_error" else f", received a {type(received).__name__}"
        )
    return f"{key}: expected: {message}; received {_one_line(repr(received))}"


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """Refuse SPECSTREAM_ variables of unknown sections and near misses; others (Kubernetes makes some) are not ours."""
    fields = Settings.model_fields
    for variable in environment:
        if not variable.upper().startswith(PREFIX):
            continue
        section, nested, _ = variable[len(PREFIX) :].lower().partition("__")
        near = difflib.get_close_matches(section, fields, n=1, cutoff=0.75)
        if section not in fields and (nested or near):
            hint = f", perhaps {PREFIX}{near[0].upper()}" if near else ""
            raise ConfigurationError(f"{variable}: expected a known setting{hint}, received an unknown one")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
