from __future__ import annotations

import numpy as np
import pytest
from astropy.time import Time

from stream.alerts.time_scales import tai_to_utc_mjd


@pytest.mark.parametrize("mjd_tai", [51180.5, 53736.5, 54832.25, 56109.75, 57204.001, 57754.01, 61105.0936434868])
def test_utc_equals_astropys(mjd_tai: float) -> None:
    reference = Time(mjd_tai, format="mjd", scale="tai").utc.mjd
    assert tai_to_utc_mjd(mjd_tai) == pytest.approx(reference, abs=1e-9)


@pytest.mark.parametrize("mjd_tai", [53735.9, 56108.5, 57203.999, 57753.99])
def test_on_a_day_of_86401_seconds_utc_equals_astropys_within_one(mjd_tai: float) -> None:
    reference = Time(mjd_tai, format="mjd", scale="tai").utc.mjd
    assert abs(tai_to_utc_mjd(mjd_tai) - reference) * 86400 < 1.001


def test_no_leap_second_since_the_table_was_written() -> None:
    utc = Time("2026-06-01", scale="utc")
    assert np.isclose((utc.tai.mjd - utc.mjd) * 86400, 37)
