"""``specstream bench``: every measurement of README's table, each beside its reference in the same run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.bench.alerts import alerts
from ops.bench.latency import latency
from ops.bench.load import Bench
from ops.bench.measurement import Measurement, machine, to_json, to_markdown
from ops.bench.memory import memory
from ops.bench.replicas import replicas
from ops.bench.simulation import simulation
from ops.bench.throughput import exposure, throughput
from ops.commands.options import make_output_folder
from ops.console import messages, output
from ops.engines import open_classifiers
from ops.kafka.launcher import running_broker
from ops.wiring import open_codec
from stream.decoded import Lane
from stream.errors import ConfigurationError
from stream.settings import load_settings
from stream.transports.url import KafkaBroker, parse_broker_url

PARTS = ("spectra", "replicas", "exposure", "alerts", "latency", "memory", "simulation")
LANES: Mapping[str, Lane] = {"spectra": "spectrum", "exposure": "spectrum", "alerts": "image", "latency": "spectrum"}
HALF_LOAD_WITHOUT_RATE = 2000.0


def bench(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PARTS)}; may be repeated.")] = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Also bench.json, bench.md.")] = None,
    records: Annotated[int, typer.Option(min=1000, help="Spectra of the throughput benches.")] = 40_000,
    backlog: Annotated[int, typer.Option(min=1000, help="Spectra of the memory bench.")] = 100_000,
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="kafka://HOST:PORT; none: a real one is started for the run.")
    ] = None,
    data: Annotated[
        Path, typer.Option("--data", envvar="SPECSTREAM_DATA", metavar="DIR", help="Real ZTF alerts, if there.")
    ] = Path("../shared/data"),
) -> None:
    """Measure throughput, latency and memory on a real Kafka, each figure beside its reference.

    Example: `specstream bench --only spectra --only latency --output out/bench`
    """
    parts = tuple(only or PARTS)
    for part in parts:
        if part not in PARTS:
            raise ConfigurationError(f"--only: expected one of {', '.join(PARTS)}, received {part!r}")
    if to is not None:
        make_output_folder("--output", to)
    rows: list[Measurement] = []
    with ExitStack() as opened:
        if broker is None:
            bootstrap = opened.enter_context(running_broker()).bootstrap
        else:
            url = parse_broker_url(broker)
            if not isinstance(url, KafkaBroker):
                raise ConfigurationError(f"--broker: expected kafka://HOST:PORT, received {broker!r}")
            bootstrap = url.servers
        settings = load_settings(None)
        given = Bench(bootstrap, open_codec(settings), records, backlog)
        real = data if (data / "alerts").is_dir() else None
        os.sync()
        for row in _measure(parts, given, real):
            rows.append(row)
            messages().print(f"{row.key}: {row.what}: {row.value:.4g} {row.unit}, ratio {row.ratio:.2f}", markup=False)
    output().print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n", markup=False)
    output().print(to_markdown(rows), markup=False)
    if to is not None:
        (to / "bench.json").write_text(to_json(rows, datetime.now(UTC)) + "\n", encoding="utf-8")
        (to / "bench.md").write_text(to_markdown(rows) + "\n", encoding="utf-8")


def _measure(parts: tuple[str, ...], given: Bench, data: Path | None) -> Iterator[Measurement]:
    classifiers = open_classifiers(load_settings(None))
    for part in parts:
        if part in LANES and LANES[part] not in classifiers:
            raise ConfigurationError(
                f"engines.bundles: expected an engine for the {LANES[part]} lane, which {part} needs"
            )
    rate = HALF_LOAD_WITHOUT_RATE
    if "spectra" in parts:
        for row in throughput(given, classifiers):
            rate = row.value if row.key == "b" else rate
            yield row
    if "replicas" in parts:
        yield from replicas(given)
    if "exposure" in parts:
        yield from exposure(given, classifiers)
    if "alerts" in parts:
        yield from alerts(given, classifiers, data)
    if "latency" in parts:
        yield from latency(given, classifiers, rate)
    if "memory" in parts:
        yield from memory(given)
    if "simulation" in parts:
        yield from simulation()
