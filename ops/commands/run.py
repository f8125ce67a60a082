"""``specstream run``: the service."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from functools import partial
from typing import Annotated

import structlog
import typer

from ops.commands.options import ConfigFile
from ops.engines import open_classifiers, serving
from ops.logs import configure_logs
from ops.metrics.declared import declare
from ops.metrics.server import HealthServer
from ops.metrics.telemetry import PrometheusTelemetry
from ops.stopping import asks_to_stop
from ops.version import versions
from ops.wiring import absent_topics, check_broker, open_codec, open_input, service_schemas
from schemas.codec import Codec
from stream.entry import Interrupted
from stream.service import serve
from stream.settings import Settings, load_settings

INCOMPLETE = 1


def run(
    config: ConfigFile,
    until_idle: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="End with status 0 once nothing arrived for that long and everything is committed.",
        ),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Classify what arrives: L1 spectra and image alerts in, L2 records and dead letters out, exactly once.

    Example: `specstream run --config specstream.toml --until-idle 10`
    """
    if log_level not in {"debug", "info", "warning", "error"}:
        raise typer.BadParameter(f"expected debug, info, warning or error, got {log_level}", param_hint="--log-level")
    settings = load_settings(config)
    check_broker(settings)
    configure_logs(log_level)
    log = structlog.get_logger("specstream")
    stop = threading.Event()
    handler = asks_to_stop(stop)
    signal.signal(signal.SIGTERM, handler)  # SIGINT ends at once until there is something to drain
    classifiers = open_classifiers(
        settings,
        lambda each: log.info("runtime passed over", runtime=each.runtime, reason=each.reason, bundles=each.bundles),
        lambda line: log.warning("engines", notice=line),
        lambda each: log.info("rehearsed", **asdict(each)),
    )
    metrics = declare()
    telemetry = PrometheusTelemetry(metrics)
    telemetry.build(versions())
    for lane, classifier in classifiers.items():
        telemetry.engines(classifier.engines())
        for engine in classifier.engines():
            log.debug("engine", lane=lane, name=engine.name, version=engine.version, runtime=engine.runtime,
                      dtype=engine.dtype, calibration=engine.calibration_id)  # fmt: skip
    for group in serving(engine for classifier in classifiers.values() for engine in classifier.engines()):
        log.info("serving", runtime=group.runtime, dtype=group.dtype, bundles=group.bundles)
    with HealthServer(settings.metrics.host, settings.metrics.port, metrics, telemetry) as server:
        codec = _codec(settings, telemetry, stop)
        if codec is None:
            log.info("stopped before it started")
            return
        signal.signal(signal.SIGINT, handler)
        transport = open_input(settings)
        try:
            log.info("started", broker=settings.broker, group=settings.group, inputs=settings.topics.inputs,
                     metrics=f"http://{settings.metrics.host}:{server.port}/metrics")  # fmt: skip
            for topic in absent_topics(settings):
                log.warning("topic is not there yet", topic=topic, broker=settings.broker)
            report = serve(settings, transport, classifiers, telemetry, codec=codec, stop=stop, until_idle_s=until_idle)
        finally:
            transport.close()
    log.info("ended", records_in=report.records_in, records_out=report.records_out, records_dead=report.records_dead,
             drained=report.drained, seconds=round(report.seconds, 3))  # fmt: skip
    if not report.drained:
        raise typer.Exit(INCOMPLETE)


def _codec(settings: Settings, telemetry: PrometheusTelemetry, stop: threading.Event) -> Codec | None:
    """Return the codec; None where it was asked to stop before, or while the schema registry was away."""
    if stop.is_set():
        return None
    not_ready = partial(telemetry.ready, False)  # noqa: FBT003 - the protocol's order
    try:
        return open_codec(settings, publishes=service_schemas(settings), waiting=not_ready, stop=stop)
    except Interrupted:
        return None
