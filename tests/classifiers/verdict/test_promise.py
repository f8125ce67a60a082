"""Which records a calibration of a survey guarantees its rate for, down to the bytes of the L2 record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from classifiers.bundle.calibration import Calibration
from classifiers.suite import open_suites
from classifiers.verdict.calibrate import score_calibration
from classifiers.verdict.promise import nominal_rows
from schemas.codec import Codec
from stream.decoded import Accepted, Identity
from stream.records.identity import encode_identity
from stream.records.l2 import L2Writer
from stream.transports.contract import Message, TopicPartition
from tests.classifiers.narrowband.test_suite import BANDS, spectrum

SCORES = np.random.default_rng(0).random(2000)
SHORT = np.array([False, True, False])


def made(**fields: Any) -> Calibration:
    return score_calibration("c", SCORES, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [False, False, False]),
        ({"domain": "SURVEY"}, [False, False, False]),
        ({"domain": "SURVEY", "surveys": ("A",)}, [False, False, True]),
        ({"domain": "SURVEY", "surveys": ("A",), "kept_coverage": "SHORT"}, [False, True, True]),
        ({"domain": "SURVEY", "surveys": ("A", "B"), "kept_coverage": "WHOLE"}, [True, False, True]),
    ],
)
def test_the_rate_is_nominal_for_other_surveys_and_for_the_coverage_that_kept_its_tables(
    fields: dict[str, Any], expected: list[bool]
) -> None:
    assert nominal_rows(made(**fields), ["A", "A", "B"], SHORT).tolist() == expected


@pytest.mark.parametrize("fields", [{"surveys": ("A",)}, {"kept_coverage": "SHORT"}])
def test_simulations_are_of_no_survey(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="of no survey"):
        made(**fields)


def records(codec: Codec, folder: Path, surveys: list[str]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the L2 records, and their bytes, of pseudo-spectra of some surveys; the last lacks half of its bands."""
    suite = open_suites([folder])["narrowband"]
    widths = [BANDS] * (len(surveys) - 1) + [BANDS // 2]
    items = [spectrum(row, n, survey=survey) for row, (survey, n) in enumerate(zip(surveys, widths, strict=True))]
    accepted = [
        Accepted(
            Message(TopicPartition("t", 0), row, 1, None, None, (), 1_000),
            "narrowband",
            encode_identity(Identity(f"l1-{row}", item.survey), "narrowband"),
            item,
            "s",
            0,
        )
        for row, item in enumerate(items)
    ]
    finished = L2Writer(suite.engines(), topic="l2", codec=codec).finish(accepted, suite.classify(items), 0)
    values = [each.value for each in finished]
    return [codec.decode(value).record for value in values], values


def domains(found: list[dict[str, Any]]) -> list[str]:
    return [engine["calibration_domain"] for record in found for engine in record["engines"]]


def test_each_record_says_what_is_promised_of_its_own_survey(write_tiny: Callable[..., Path], codec: Codec) -> None:
    """Alone or in a batch with others, a record is the same bytes."""
    folder = write_tiny("narrowband", made(domain="SURVEY", surveys=("A",)))
    found, together = records(codec, folder, ["A", "B", "A", "A"])
    assert domains(found) == ["SURVEY", "SIMULATED", "SURVEY", "SURVEY"]
    assert records(codec, folder, ["A", "A", "A", "A"])[1][2:] == together[2:]
    assert {record["engines"][0]["calibration_id"] for record in found} == {"c"}


def test_without_names_of_surveys_records_are_as_they_were(
    write_tiny: Callable[..., Path], codec: Codec, tmp_path: Path
) -> None:
    """A file of before promises for all; simulations promise nothing."""
    assert domains(records(codec, write_tiny("narrowband", made(domain="SURVEY")), ["A", "B"])[0]) == ["SURVEY"] * 2
    assert domains(records(codec, write_tiny("narrowband", made()), ["A", "B"])[0]) == ["SIMULATED"] * 2
