"""Arrays in, arrays out: preprocessing, engines, calibration and verdicts.

Imports neither ``stream``, ``schemas`` nor ``ops``; knows no bytes, no network and no clock.

Linear algebra takes one thread of each thread that calls it, unless the environment says otherwise. The matrices are
small and the callers many: with threads of its own, OpenBLAS made the lines of a spectrum twice as slow (560 against
280 us) and took a third of the processor's time for waiting (2 cores, numpy 2.4). One thread also adds up in one order
on every machine.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when numpy is imported, which nobody has done before
