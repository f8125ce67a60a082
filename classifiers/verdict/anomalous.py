"""The anomaly feed: which records an astronomer wants who looks for what is rare or strange.

What fits no class (NOVEL), what the VAE draws badly although its class is known, a second galaxy or quasar in the same
light, and quasars with broad absorption. Faults are none of these, nor are known types outside the scheme, but for what
is taken for a hot star and drawn badly: events that are blue and have broad lines are like these.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classifiers.quality import Quality

LEVEL: Final = 0.01
"""The VAE's p-value up to which a known object is anomalous."""
HOT: Final = ("WD", "CV", "OB")
"""What hot transients may be taken for. M, L, T and carbon stars have bands that the VAE draws badly all the same."""
BITS: Final = Quality.SECOND_REDSHIFT | Quality.BROAD_ABSORPTION


def anomalous(
    reason: ArrayLike, other_type: ArrayLike, anomaly_p_value: ArrayLike, quality_flags: ArrayLike
) -> NDArray[np.bool_]:
    """Return which records belong to the anomaly feed.

    Args:
        reason: (b,) why each is unknown, "" where it is not.
        other_type: (b,) the type outside the scheme it is most like, "" where there is none.
        anomaly_p_value: (b,) of the VAE [0..1], NaN where it gave none.
        quality_flags: (b,) integers, bits of ``Quality``.
    """
    why: NDArray[Any] = np.asarray(reason)
    badly_drawn = np.asarray(anomaly_p_value, np.float64) <= LEVEL
    found = np.asarray(quality_flags) & int(BITS) > 0
    hot = (why == "OTHER_KNOWN") & np.isin(np.asarray(other_type), HOT)
    return np.asarray((why == "NOVEL") | ((why == "") & (badly_drawn | found)) | (hot & badly_drawn), np.bool_)
