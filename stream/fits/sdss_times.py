"""When an SDSS, BOSS or eBOSS spectrum was taken.

TAI-BEG and TAI-END are seconds of TAI since MJD 0. The primary header has those of all exposures (the earliest and the
latest); in full spec files, each exposure's extension has its own, and those count where the primary header has none.

Headers of the first years have TAI instead, written some 60 s after the end of an exposure (idlspec2d, get_tai) and
averaged over the exposures. The span is then estimated, to some minutes, where all exposures are of one night; the
record says so.

Two things look like times of the spectrum and are not: MJD and MJDLIST name nights, and TAI in the catalogue table of
a BOSS file is when the *imaging* was taken, years before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream.alerts.time_scales import tai_to_utc_mjd
from stream.fits.headers import Header
from stream.fits.opening import FitsFile

_SECONDS_PER_DAY: Final = 86400.0
_WRITTEN_AFTER_END_S: Final = 60.0
_EARLIEST_TAI_S: Final = 4.0e9  # 1985; headers write 0 where nothing is known
_COUNTS: Final = ("NEXP_B1", "NEXP_B2", "NEXP_R1", "NEXP_R2")


@dataclass(frozen=True, slots=True)
class ObservedSpan:
    """From the start of the first to the end of the last exposure.

    Attributes:
        start, end: MJD, UTC [d]; None where the file does not tell.
        assumptions: a sentence where they are estimated.
    """

    start: float | None = None
    end: float | None = None
    assumptions: tuple[str, ...] = ()


def observed_span(file: FitsFile) -> ObservedSpan:
    """Return when the exposures of a spec file were taken."""
    for headers in ([file.primary], [extension.header for extension in file.extensions[1:]]):
        starts = [s for header in headers if (s := _seconds(header, "TAI-BEG")) is not None]
        ends = [s for header in headers if (s := _seconds(header, "TAI-END")) is not None]
        if starts and ends and max(ends) >= min(starts):
            return ObservedSpan(_utc(min(starts)), _utc(max(ends)))
    return _estimated(file.primary)


def _estimated(header: Header) -> ObservedSpan:
    written, total = _seconds(header, "TAI"), header.number("EXPTIME")
    n = max((header.number(keyword) or 0.0 for keyword in _COUNTS), default=0.0)
    if written is None or total is None or n < 1 or len((header.text("MJDLIST") or "").split()) > 1:
        return ObservedSpan()
    exposure_s, mean_end = total / n, written - _WRITTEN_AFTER_END_S
    sentence = "mjd_start and mjd_end: TAI-BEG and TAI-END are missing, estimated from TAI, EXPTIME and NEXP"
    return ObservedSpan(
        _utc(mean_end - 0.5 * (n + 1) * exposure_s), _utc(mean_end + 0.5 * (n - 1) * exposure_s), (sentence,)
    )


def _seconds(header: Header, keyword: str) -> float | None:
    seconds = header.number(keyword)
    return seconds if seconds is not None and seconds > _EARLIEST_TAI_S else None


def _utc(tai_s: float) -> float:
    return tai_to_utc_mjd(tai_s / _SECONDS_PER_DAY)
