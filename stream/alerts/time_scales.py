"""TAI to UTC without importing astropy.time on the hot path; the tests compare the table with astropy's.

On a day with a leap second the result is that of the elapsed seconds, within 1 s of a UTC day of 86,401 s.

Table: IERS Bulletin C, TAI - UTC since 1999; a new leap second is announced half a year ahead and is one more row here.
"""

from __future__ import annotations

from bisect import bisect_right

_SECONDS_PER_DAY = 86400.0
_LEAP_SECONDS: tuple[tuple[float, int], ...] = (
    # (first UTC day [MJD], TAI - UTC [s])
    (51179.0, 32),  # 1999-01-01
    (53736.0, 33),  # 2006-01-01
    (54832.0, 34),  # 2009-01-01
    (56109.0, 35),  # 2012-07-01
    (57204.0, 36),  # 2015-07-01
    (57754.0, 37),  # 2017-01-01
)
_STARTS_TAI = tuple(day + seconds / _SECONDS_PER_DAY for day, seconds in _LEAP_SECONDS)


def tai_to_utc_mjd(mjd_tai: float) -> float:
    """Return the UTC of a TAI instant.

    Args:
        mjd_tai: Modified Julian Date, TAI [d]; instants before 1999 are taken with the offset of 1999.

    Returns:
        Modified Julian Date, UTC [d].
    """
    row = max(bisect_right(_STARTS_TAI, mjd_tai) - 1, 0)
    return mjd_tai - _LEAP_SECONDS[row][1] / _SECONDS_PER_DAY
