"""The whole service on an in-memory transport that keeps the contract, with deterministic engines.

``stream/service.py`` wires the threads of ``stream/serving``; what they do is tested here through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import Codec
from stream.service import ServiceReport, serve
from stream.settings import Settings

L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"


@pytest.fixture(scope="session")
def settings() -> Callable[..., Settings]:
    """Return a maker of settings that wait little; keyword arguments are those of ``batching``."""

    def make(**batching: Any) -> Settings:
        return Settings(
            batching={"max_age_ms": 5, "commit_max_age_ms": 10, **batching}, topics={"image_alert": ["alerts"]}
        )

    return make


@pytest.fixture
def run(
    codec: Codec, null_engines: Any, telemetry: Any, settings: Callable[..., Settings]
) -> Callable[..., ServiceReport]:
    """Return a function that runs the service on a transport until it is idle; options are those of ``serve``."""

    def run(transport: Any, *, engines: Any = None, config: Settings | None = None, **options: Any) -> ServiceReport:
        options = {"codec": codec, "until_idle_s": 0.05} | options
        return serve(config or settings(), transport, {"spectrum": engines or null_engines()}, telemetry, **options)

    return run


@pytest.fixture(scope="session")
def l2_values() -> Callable[[Any], dict[str, bytes]]:
    """Return a function from a transport to the value of each L2 record by l2_id, each of which must be there once."""

    def values(transport: Any) -> dict[str, bytes]:
        pairs = [(dict(o.headers)["l2_id"].decode(), o.value) for o in transport.outputs if o.topic == L2]
        assert len({l2_id for l2_id, _ in pairs}) == len(pairs)
        return dict(pairs)

    return values


@pytest.fixture(scope="session")
def assert_each_once(codec: Codec) -> Callable[[Any], None]:
    """Return a check that each input of a transport has one L2 record or one dead letter, and nothing else has."""

    def check(transport: Any) -> None:
        counts: Counter[tuple[str, int, int]] = Counter()
        for output in transport.outputs:
            if output.topic in (L2, DEAD):
                source = codec.decode(output.value).record["source"]
                counts[source["topic"], source["partition"], source["offset"]] += 1
        assert counts == Counter(
            (source.topic, source.partition, message.offset)
            for source, messages in transport.partitions.items()
            for message in messages
        )

    return check
