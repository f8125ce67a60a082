"""Nonsense is told from data, and data of unusual but possible values pass."""

import math
from typing import Any

import pytest

from schemas.errors import Undecodable
from schemas.plausibility import check_plausible

ALERT: dict[str, Any] = {
    "objectId": "ZTF18abc",
    "candid": 12,
    "candidate": {"ra": 10.0, "dec": -5.0, "jd": 2459000.5, "magpsf": 18.2, "field": None},
}


def test_alert_passes() -> None:
    check_plausible(ALERT, "ztf.alert")


@pytest.mark.parametrize(
    "change",
    [
        {"diaSourceId": -3},
        {"objectId": "ZTF\x00\x17"},
        {"candidate": {"ra": 1e200, "dec": 0.0}},
        {"candidate": {"ra": 10.0, "dec": math.inf}},
        {"candidate": {"jd": -1e30}},
        {"candidate": {"a": 1e-300, "b": 2e250, "c": 1.0}},
    ],
)
def test_nonsense_is_a_wrong_schema(change: dict[str, Any]) -> None:
    with pytest.raises(Undecodable) as caught:
        check_plausible(ALERT | change, "ztf.alert")
    assert caught.value.reason == "WRONG_SCHEMA"
    assert "ztf.alert" in caught.value.message


def test_the_field_that_gives_it_away_is_named() -> None:
    with pytest.raises(Undecodable) as caught:
        check_plausible(ALERT | {"candidate": {"ra": 1e9}}, "ztf.alert")
    assert (caught.value.field, caught.value.expected, caught.value.received) == (
        "candidate.ra",
        "-720 to 720",
        "1000000000.0",
    )


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"ra_deg": None, "dec_deg": math.nan},
        {"ra": 400.0},
        {"cname": "4MOST-α Ωmega ☄", "comment": "two\nlines\tand a tab"},
        {"covariance": 0.0, "flux": -1e5, "scatter": 1e-12},
    ],
)
def test_unusual_data_pass(record: dict[str, Any]) -> None:
    check_plausible(record, "r")
