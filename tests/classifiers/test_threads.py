"""How many threads a process that classifies has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COUNT = (
    "import os, sys; import ops.command_line; assert 'numpy' not in sys.modules; import numpy; "
    "matrix = numpy.ones((500, 500)); matrix @ matrix; print(len(os.listdir('/proc/self/task')))"
)


@pytest.mark.parametrize(("said", "expected"), [(None, "1"), ("2", "2")])
def test_linear_algebra_starts_no_threads_of_its_own_unless_asked(said: str | None, expected: str) -> None:
    """Batches are computed side by side already; an operator's own setting still counts."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if said is not None:
        environment["OPENBLAS_NUM_THREADS"] = said
    done = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
