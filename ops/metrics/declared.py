"""Every metric of specstream, declared once: base units, ``_total`` for counters, labels from closed sets.

prometheus-client cannot create native histograms, so the buckets span what was measured: engine batches from a
millisecond to seconds, end-to-end times from tens of milliseconds to a minute, conformal p-values in twentieths.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

SURVEYS = (
    "SDSS",
    "BOSS",
    "EBOSS",
    "LAMOST",
    "DESI",
    "ESO",
    "4MOST",
    "WEAVE",
    "JPAS",
    "SIMULATED",
    "ZTF",
    "LSST",
    "DECAM",
    "WINTER",
    "PGIR",
)
OTHER_SURVEY = "OTHER"

STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
END_TO_END_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
P_VALUE_BUCKETS = (0.01, *(round(0.05 * i, 2) for i in range(1, 21)))


def survey_label(survey: str) -> str:
    """Return the survey if it is one of the closed set, else OTHER, so that input never creates a time series."""
    return survey if survey in SURVEYS else OTHER_SURVEY


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics, registered on one registry."""

    registry: CollectorRegistry
    records_in: Counter
    records_out: Counter
    records_dead: Counter
    classified: Counter
    unknown: Counter
    unknown_ratio: Gauge
    unknown_p_value: Histogram
    batch_records: Histogram
    stage_seconds: Histogram
    engine_seconds: Histogram
    end_to_end_seconds: Histogram
    lag: Gauge
    ledger_imbalance: Gauge
    backpressure: Counter
    engine_faults: Counter
    ready: Gauge
    engine_info: Gauge
    build: Info


def declare(registry: CollectorRegistry | None = None) -> Metrics:
    """Declare every metric on ``registry``, or on a new one."""
    registry = registry or CollectorRegistry()
    return Metrics(
        registry=registry,
        records_in=Counter("specstream_records_in", "Input messages taken up.", ("survey", "lane"), registry=registry),
        records_out=Counter("specstream_records_out", "L2 records committed.", ("survey", "lane"), registry=registry),
        records_dead=Counter(
            "specstream_records_dead", "Dead letters committed.", ("survey", "lane", "reason"), registry=registry
        ),
        classified=Counter(
            "specstream_classified",
            "L2 records committed, by most probable class.",
            ("lane", "class"),
            registry=registry,
        ),
        unknown=Counter(
            "specstream_unknown",
            "L2 records flagged unknown, by reason; sky fibres apart as SKY_FIBRE.",
            ("lane", "reason"),
            registry=registry,
        ),
        unknown_ratio=Gauge(
            "specstream_unknown_ratio",
            "Fraction of committed L2 records flagged NOVEL by this process; to compare with the declared rate.",
            ("lane",),
            registry=registry,
        ),
        unknown_p_value=Histogram(
            "specstream_unknown_p_value",
            "Conformal p-values; uniform as long as the stream looks like the calibration sample.",
            ("lane",),
            buckets=P_VALUE_BUCKETS,
            registry=registry,
        ),
        batch_records=Histogram(
            "specstream_batch_records", "Records per engine batch.", ("lane",), buckets=BATCH_BUCKETS, registry=registry
        ),
        stage_seconds=Histogram(
            "specstream_stage_seconds",
            "Wall time of one batch in a stage.",
            ("stage",),
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        ),
        engine_seconds=Histogram(
            "specstream_engine_seconds",
            "Wall time of one batch in an engine.",
            ("engine", "runtime", "dtype"),
            buckets=STAGE_BUCKETS_S,
            registry=registry,
        ),
        end_to_end_seconds=Histogram(
            "specstream_end_to_end_seconds",
            "Time from the append of the input message to the commit of its output.",
            ("lane",),
            buckets=END_TO_END_BUCKETS_S,
            registry=registry,
        ),
        lag=Gauge(
            "specstream_consumer_lag_records",
            "Messages not yet committed, per owned partition.",
            ("topic", "partition"),
            registry=registry,
        ),
        ledger_imbalance=Gauge(
            "specstream_ledger_imbalance_records",
            "Records in minus out minus dead; anything but 0 is an alarm.",
            registry=registry,
        ),
        backpressure=Counter(
            "specstream_backpressure_events", "Times the input was held back, by kind.", ("kind",), registry=registry
        ),
        engine_faults=Counter(
            "specstream_engine_faults",
            "Records for which an engine answered NaN or inf; they are published as unknown, BAD_DATA.",
            ("lane",),
            registry=registry,
        ),
        ready=Gauge("specstream_ready", "1 when assigned, bundles loaded and no commit stalled.", registry=registry),
        engine_info=Gauge(
            "specstream_engine_info",
            "1 for each engine in use, with the runtime that computes it; calibration_id tells a borrowed calibration.",
            ("engine", "version", "runtime", "dtype", "calibration_domain", "calibration_id", "bundle_sha256"),
            registry=registry,
        ),
        build=Info("specstream_build", "Version of specstream and of the libraries it runs on.", registry=registry),
    )
