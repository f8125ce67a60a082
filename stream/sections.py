"""The sections of the configuration: frozen, bounded, described; ``stream.settings`` joins them into one tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def _property_value(value: object) -> object:
    """Write a TOML scalar the way librdkafka reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false where a number is asked for: they would be taken for 1 and 0."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float, int | None):
            raise ValueError(f"expected a number, received {str(value).lower()}")
        return value


class TopicsSettings(_Section):
    """Names of the topics."""

    l1_spectrum: TopicName | Literal[""] = Field(
        default="specstream.l1.spectrum", description="Input: spectra; empty = none."
    )
    image_alert: tuple[TopicName, ...] = Field(
        default=(), description="Inputs: image alert topics, third-party ones as they are."
    )
    l2: TopicName = Field(
        default="specstream.l2.classification", description="Output: one record per classified input."
    )
    dead_letter: TopicName = Field(
        default="specstream.dead_letter", description="Output: one record per rejected input."
    )
    ledger: TopicName = Field(
        default="specstream.ledger", description="Output: one account per commit and input partition."
    )
    label: TopicName = Field(default="specstream.label", description="People's verdicts on L2 records.")
    ingest_state: TopicName = Field(
        default="specstream.ingest_state", description="Progress of ingest, produce and archive."
    )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the topics to consume."""
        return ((self.l1_spectrum,) if self.l1_spectrum else ()) + self.image_alert

    @model_validator(mode="after")
    def _distinct(self) -> TopicsSettings:
        names = [*self.inputs, self.l2, self.dead_letter, self.ledger, self.label, self.ingest_state]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"expected distinct topic names, received {doubled[0]!r} twice")
        if not self.inputs:
            raise ValueError("expected at least one input topic in l1_spectrum or image_alert, received none")
        return self


class KafkaSettings(_Section):
    """How to speak to a Kafka broker; unused with ``file:``."""

    instance: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Stable name of this replica (a StatefulSet's ordinal); unset = a fresh one at each start.",
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        default="classic", description="Group protocol; consumer is KIP-848."
    )
    message_max_bytes: int = Field(
        default=33_554_432, ge=65_536, le=1_000_000_000, description="Largest output message [byte]."
    )
    partitions: int = Field(default=4, ge=1, le=10_000, description="Partitions of a topic that `topics create` makes.")
    replication_factor: int = Field(
        default=1, ge=1, le=16, description="Replicas of a topic that `topics create` makes."
    )
    retention_hours: int = Field(
        default=168, ge=-1, le=1_000_000, description="Retention of created topics [h]; -1 = for ever."
    )
    librdkafka: dict[str, Annotated[SecretStr, BeforeValidator(_property_value)]] = Field(
        default_factory=dict,
        description="Further librdkafka properties (TLS, SASL, tuning), passed through; never printed.",
    )

    def properties(self) -> dict[str, str]:
        """Return the librdkafka properties in the clear, for the client alone: never log them."""
        return {name: value.get_secret_value() for name, value in self.librdkafka.items()}

    @model_validator(mode="before")
    @classmethod
    def _dotted(cls, values: Any) -> Any:
        """Spell property names from the environment (SASL_PASSWORD) as librdkafka does (sasl.password)."""
        if isinstance(values, Mapping) and isinstance(values.get("librdkafka"), Mapping):
            dotted = {str(name).lower().replace("_", "."): value for name, value in values["librdkafka"].items()}
            return {**values, "librdkafka": dotted}
        return values


BATCH_ON_GPU, BATCH_ON_CPU = 1_024, 256


class BatchingSettings(_Section):
    """When a batch goes to the engines, when finished work is committed, and how much may be in memory."""

    max_records: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Records in an engine batch; unset = 1024 where a GPU computes, 256 elsewhere [1].",
    )
    max_bytes: int = Field(default=67_108_864, ge=1_024, description="Array bytes in an engine batch [byte].")
    max_age_ms: int = Field(default=100, ge=0, le=600_000, description="Longest wait of a record for its batch [ms].")
    commit_max_records: int = Field(
        default=4_096, ge=1, le=1_000_000, description="Finished records that make a commit due [1]."
    )
    commit_max_bytes: int = Field(
        default=33_554_432, ge=1_024, description="Output bytes that make a commit due [byte]."
    )
    commit_max_age_ms: int = Field(default=250, ge=0, le=600_000, description="Longest wait of a finished record [ms].")
    in_flight_max_records: int = Field(
        default=16_384, ge=1, le=10_000_000, description="Records read but not committed [1]."
    )
    in_flight_max_bytes: int = Field(default=268_435_456, ge=65_536, description="Bytes read but not committed [byte].")
    drain_timeout_s: float = Field(default=20.0, gt=0, le=600, description="Longest time to finish after SIGTERM [s].")

    @model_validator(mode="after")
    def _batch_fits(self) -> BatchingSettings:
        if self.max_records is not None and self.in_flight_max_records < self.max_records:
            raise ValueError(
                f"in_flight_max_records: expected at least max_records = {self.max_records}, "
                f"received {self.in_flight_max_records}"
            )
        return self

    def engine_batch(self, *, on_gpu: bool) -> int:
        """Return the records in an engine batch, of engines on a GPU or on the processor."""
        unset = BATCH_ON_GPU if on_gpu else BATCH_ON_CPU
        return min(self.max_records or unset, self.in_flight_max_records)


class EnginesSettings(_Section):
    """Which engines compute, and on what."""

    runtime: Literal["auto", "tensorrt", "tensorrt_rtx", "torch", "onnxruntime"] = Field(
        default="auto", description="Runtime; auto takes the first of the others that can serve, in this order."
    )
    dtype: Literal["fp32", "tf32", "fp16", "bf16"] = Field(
        default="fp32", description="Number format of the networks' layers; onnxruntime has fp32, on CUDA also tf32."
    )
    device: Literal["auto", "cuda", "cpu"] = Field(
        default="auto", description="Where engines compute; cpu has torch compute on the processor."
    )
    compiled: bool = Field(
        default=False,
        description="Whether torch fuses kernels (torch.compile): minutes at the first start, per bucket.",
    )
    cache: Path | None = Field(
        default=None,
        description="Folder for engines that TensorRT built; none = specstream/engines in the user's cache folder.",
    )
    bundles: tuple[str, ...] = Field(
        default=(), description="Bundles by name or folder; empty = those that ship with specstream."
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=1_024,
        description="Threads of the CPU runtime; 0 = one per core but one, which reads, decodes and commits [1].",
    )


class MetricsSettings(_Section):
    """Where /metrics and /health are served."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=9108, ge=0, le=65_535, description="Port to listen on; 0 = any free one.")


class SchemasSettings(_Section):
    """Where writer schemas come from besides those that ship with specstream."""

    ids: dict[Annotated[int, Field(ge=0, le=2_147_483_647)], Path] = Field(
        default_factory=dict, description="Confluent schema id -> .avsc file, or folder of .avsc files."
    )
    registry: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="URL of a Confluent-compatible schema registry."
    )
    registry_user: str | None = Field(default=None, description="User name for the registry.")
    registry_password: SecretStr | None = Field(default=None, description="Password for the registry; never printed.")
    registry_token: SecretStr | None = Field(
        default=None, description="Bearer token for the registry, instead of user and password; never printed."
    )
    registry_ca_file: Path | None = Field(
        default=None, description="Certificate authorities to trust for the registry."
    )
