from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from classifiers.quality import Quality
from stream.alerts import decode_alert
from stream.errors import Reason, Rejectable

Maker = Callable[..., dict[str, Any]]


def test_identity_names_what_users_join_on(ztf_record: Maker) -> None:
    identity, _ = decode_alert(ztf_record(), "ztf.alert")
    assert (identity.l1_id, identity.object_id, identity.survey) == ("3000000000000000001", "ZTF26aaaaaaa", "ZTF")
    assert (identity.ra_deg, identity.dec_deg) == (150.25, -12.5)
    assert identity.mjd_start == 61000.25
    assert identity.mjd_end == pytest.approx(61000.25 + 30 / 86400, abs=1e-9)
    assert identity.programme_id == "1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ra": 360.0}, "candidate.ra"),
        ({"ra": -0.1}, "candidate.ra"),
        ({"ra": float("nan")}, "candidate.ra"),
        ({"ra": None}, "candidate.ra"),
        ({"dec": 90.01}, "candidate.dec"),
        ({"dec": float("inf")}, "candidate.dec"),
    ],
)
def test_an_implausible_position_is_a_dead_letter_that_names_the_field(
    ztf_record: Maker, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Rejectable) as caught:
        decode_alert(ztf_record(**changes), "ztf.alert")
    assert caught.value.reason is Reason.IMPLAUSIBLE_POSITION
    assert caught.value.field == field
    assert caught.value.expected
    assert caught.value.received == str(next(iter(changes.values())))


def test_an_alert_without_any_position_is_flagged(ztf_record: Maker) -> None:
    identity, stamps = decode_alert(ztf_record(ra=None, dec=None), "ztf.alert")
    assert identity.ra_deg is None
    assert stamps.flags == Quality.NO_POSITION


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"objectId": None}, Reason.MISSING_FIELD, "objectId"),
        ({"objectId": "  "}, Reason.MISSING_FIELD, "objectId"),
        ({"candid": None}, Reason.MISSING_FIELD, "candid"),
        ({"candid": 1.5}, Reason.INVALID_VALUE, "candid"),
        ({"candid": True}, Reason.INVALID_VALUE, "candid"),
        ({"candidate": None}, Reason.MISSING_FIELD, "candidate"),
        ({"candidate": []}, Reason.INVALID_VALUE, "candidate"),
        ({"jd": 0.0}, Reason.INVALID_VALUE, "candidate.jd"),
        ({"jd": float("nan")}, Reason.INVALID_VALUE, "candidate.jd"),
        ({"jd": "2461000.75"}, Reason.INVALID_VALUE, "candidate.jd"),
        ({"ra": "150"}, Reason.INVALID_VALUE, "candidate.ra"),
    ],
)
def test_a_missing_or_mistyped_field_is_named(
    ztf_record: Maker, changes: dict[str, Any], reason: Reason, field: str
) -> None:
    with pytest.raises(Rejectable) as caught:
        decode_alert(ztf_record(**changes), "ztf.alert")
    assert (caught.value.reason, caught.value.field, caught.value.survey) == (reason, field, "ZTF")


@pytest.mark.parametrize("exptime", [None, 0.0, -1.0, float("nan"), 1e9])
def test_an_unusable_exposure_time_leaves_the_end_open(ztf_record: Maker, exptime: float | None) -> None:
    assert decode_alert(ztf_record(exptime=exptime), "ztf.alert")[0].mjd_end is None


def test_a_record_of_no_survey_says_what_came() -> None:
    with pytest.raises(Rejectable) as caught:
        decode_alert({"temperature": 1, "humidity": 2}, "weather.report")
    assert caught.value.reason is Reason.UNSUPPORTED
    assert "weather.report" in (caught.value.received or "")
    assert "ZTF" in (caught.value.expected or "")


def test_a_long_received_value_is_shortened(ztf_record: Maker) -> None:
    with pytest.raises(Rejectable) as caught:
        decode_alert(ztf_record(jd=int("9" * 300)), "ztf.alert")
    assert len(caught.value.received or "") <= 80
