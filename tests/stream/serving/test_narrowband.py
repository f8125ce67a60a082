"""Pseudo-spectra among spectra in one partition: each to its own engines, every record in its place."""

from __future__ import annotations

from typing import Any

import pytest

from classifiers.classifier import Verdicts
from schemas.codec import Codec
from stream.service import serve

L1 = "specstream.l1.spectrum"
L2 = "specstream.l2.classification"
DEAD = "specstream.dead_letter"


@pytest.fixture
def own_classes(null_engines: Any) -> Any:
    """Return engines with a scheme of their own, which take nothing but pseudo-spectra."""

    class OwnClasses(null_engines):  # type: ignore[misc]
        CLASSES = ("QSO_LOW_Z", "QSO_HIGH_Z", "GALAXY")

        def classify(self, items: Any) -> Verdicts:
            assert {item.sampling for item in items} == {"NARROWBAND"}
            answer: Verdicts = super().classify(items)
            return answer

    return OwnClasses()


def mixed(spectrum_value: Any, n: int) -> list[bytes]:
    """Return n messages, two of three of them pseudo-spectra."""
    return [spectrum_value(i, sampling="NARROWBAND" if i % 3 else "DISPERSED") for i in range(n)]


def records_of(transport: Any, codec: Codec) -> list[dict[str, Any]]:
    return [codec.decode(output.value).record for output in transport.outputs if output.topic == L2]


def test_a_mixed_partition_keeps_its_order_and_each_record_has_its_scheme(
    memory_transport: Any,
    spectrum_value: Any,
    codec: Codec,
    telemetry: Any,
    settings: Any,
    null_engines: Any,
    own_classes: Any,
    assert_each_once: Any,
) -> None:
    """200 records; the published lane is spectrum for both, telemetry tells them apart."""
    transport = memory_transport()
    transport.append(L1, 0, mixed(spectrum_value, 200))
    lanes = {"spectrum": null_engines(), "narrowband": own_classes}
    serve(settings(max_records=16), transport, lanes, telemetry, codec=codec, until_idle_s=0.05)
    assert_each_once(transport)
    records = records_of(transport, codec)
    assert [record["l1_id"] for record in records] == [f"spec-{i}" for i in range(200)]
    for i, record in enumerate(records):
        assert record["lane"] == "spectrum"
        assert list(record["class_probabilities"]) == list(own_classes.CLASSES if i % 3 else null_engines.CLASSES)
    lanes_told = {dict(output.headers)["lane"] for output in transport.outputs if output.topic == L2}
    assert lanes_told == {b"spectrum"}
    assert telemetry.counts["out", "SDSS", "spectrum"] == 67
    assert telemetry.counts["out", "SDSS", "narrowband"] == 133


def test_without_their_engines_pseudo_spectra_become_dead_letters_beside_classified_spectra(
    memory_transport: Any, spectrum_value: Any, codec: Codec, telemetry: Any, settings: Any, null_engines: Any
) -> None:
    """Each names what is missing and holds the original bytes, so that it can be redriven once the bundle is there."""
    transport = memory_transport()
    values = mixed(spectrum_value, 12)
    transport.append(L1, 0, values)
    lanes = {"spectrum": null_engines()}
    report = serve(settings(), transport, lanes, telemetry, codec=codec, until_idle_s=0.05)
    assert (report.records_out, report.records_dead) == (4, 8)
    assert [record["l1_id"] for record in records_of(transport, codec)] == [f"spec-{i}" for i in range(0, 12, 3)]
    letters = [codec.decode(output.value).record for output in transport.outputs if output.topic == DEAD]
    assert [letter["original_value"] for letter in letters] == [value for i, value in enumerate(values) if i % 3]
    for letter in letters:
        assert (letter["reason"], letter["received"], letter["survey"]) == ("UNSUPPORTED", "narrowband", "SDSS")
        assert letter["message"] == "no engines are loaded for the narrowband lane"
