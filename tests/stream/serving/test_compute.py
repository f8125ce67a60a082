"""Engines in the service: how they are timed, and what their failures cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from classifiers.classifier import EngineUse, Verdicts
from classifiers.quality import Quality
from classifiers.runtimes.device.contract import DeviceLost
from schemas.codec import Codec
from stream.errors import Fatal

L1 = "specstream.l1.spectrum"
DEAD = "specstream.dead_letter"


def test_engines_computed_in_one_call_are_timed_as_one(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, telemetry: Any
) -> None:
    """No share of a joint call is invented for one of its engines."""

    class Joined(null_engines):  # type: ignore[misc]
        def engines(self) -> tuple[EngineUse, ...]:
            (null,) = super().engines()
            return null, replace(null, name="other")

        def classify(self, items: Any) -> Verdicts:
            return replace(super().classify(items), stage_seconds={"preprocess": 0.001, "null+other": 0.002})

    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    run(transport, engines=Joined())
    assert set(telemetry.engines) == {("null+other", "none", "fp32")}
    assert {"preprocess", "records"} <= set(telemetry.stages)


def test_an_item_on_which_the_engines_fail_becomes_a_dead_letter(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, codec: Codec, settings: Any
) -> None:
    """One poison item costs itself alone; its batch mates are classified to the same bytes as without it."""
    values = [spectrum_value(i) for i in range(40)]
    values[17] = spectrum_value(17, resolving_power=1234.0)
    poison = null_engines(lambda item: ValueError("cannot rebin") if item.resolving_power == 1234.0 else None)
    transport = memory_transport()
    transport.append(L1, 0, values)
    report = run(transport, engines=poison, config=settings(max_records=40, max_age_ms=1000))
    assert (report.records_out, report.records_dead) == (39, 1)
    (dead,) = [codec.decode(o.value).record for o in transport.outputs if o.topic == DEAD]
    assert (dead["source"]["offset"], dead["reason"]) == (17, "INVALID_VALUE")
    assert "cannot rebin" in dead["message"]
    assert dead["original_value"] == values[17]


def test_an_unforeseen_error_of_the_engines_is_fatal(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any
) -> None:
    """An error that is no data error stops the service and names thread and cause."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    with pytest.raises(Fatal, match=r"compute thread.*KeyError") as raised:
        run(transport, engines=null_engines(lambda _: KeyError("missing output")))
    assert isinstance(raised.value.__cause__, KeyError)
    assert transport.outputs == []


def test_a_lost_device_ends_the_service_before_anything_of_its_batch_is_committed(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any
) -> None:
    """Another replica takes over from the last commit; no record is blamed for it."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    with pytest.raises(Fatal, match="DeviceLost: the device failed: fell off the bus"):
        run(transport, engines=null_engines(lambda _: DeviceLost("fell off the bus")))
    assert transport.outputs == []


def test_answers_that_are_no_numbers_are_counted(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, telemetry: Any
) -> None:
    """Whoever watches sees that an engine answers NaN, whatever else makes records unknown."""

    class Faulty(null_engines):  # type: ignore[misc]
        def classify(self, items: Any) -> Verdicts:
            verdicts = super().classify(items)
            verdicts.quality_flags[0] |= int(Quality.NON_FINITE_OUTPUT)
            return verdicts

    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(0)])
    run(transport, engines=Faulty())
    assert telemetry.counts["fault", "spectrum"] == 1


def test_engines_that_fail_on_everything_stop_the_service(
    run: Any, memory_transport: Any, spectrum_value: Any, null_engines: Any, settings: Any
) -> None:
    """Broken engines do not turn a night into dead letters."""
    transport = memory_transport()
    transport.append(L1, 0, [spectrum_value(i) for i in range(100)])
    with pytest.raises(Fatal, match="in a row"):
        run(transport, engines=null_engines(lambda _: ValueError("no")), config=settings(max_records=100))


def test_records_of_a_lane_without_engines_are_dead_letters(
    run: Any, memory_transport: Any, codec: Codec, data_dir: Any
) -> None:
    """An image alert that nobody can classify is kept, with the reason."""
    alert = next((data_dir / "alerts" / "ztf_ocf").glob("*.avro")).read_bytes()
    transport = memory_transport()
    transport.append("alerts", 0, [alert])
    assert run(transport).records_dead == 1
    (dead,) = [codec.decode(o.value).record for o in transport.outputs if o.topic == DEAD]
    assert dead["reason"] == "UNSUPPORTED"
    assert dead["original_value"] == alert
