"""What a process compiles and what later ones load give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import hashlib, numpy as np
from classifiers.lines.measure import measure_lines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.quasars.redshift import measure_redshifts
from classifiers.quasars.second import second_scores
rng = np.random.default_rng(3)
n = 64
flux = (1.0 + 0.1 * rng.standard_normal((n, COMMON_GRID.n))).astype(np.float32)
flux[:, 900:904] += 2.0
weight, redshift = np.full(flux.shape, 100.0, np.float32), rng.uniform(0.1, 0.4, n)
found = measure_lines(flux, weight, redshift, np.arange(n) % 2 == 0, np.full(n, 2000.0))
arrays = [getattr(found, name) for name in found.__dataclass_fields__]
quasars = measure_redshifts(flux, weight, redshift[:, None] + 1.0, np.ones((n, 1)))
arrays += [quasars.redshift, quasars.error, second_scores(flux, weight, redshift, np.arange(n) % 2 == 0)[1]]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.mark.slow
def test_the_process_that_compiles_computes_the_same_bits_as_those_that_load(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    compiling, loading, again = (
        subprocess.run([sys.executable, "-c", MEASURE], env=environment, check=True, capture_output=True, text=True)
        for _ in range(3)
    )
    assert any(tmp_path.rglob("*.nbc"))
    assert compiling.stdout == loading.stdout == again.stdout != ""
