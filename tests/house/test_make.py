"""What ``make`` says where it cannot do what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classifiers.runtimes.probing import why_not

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_gpu_tests_without_a_gpu_are_one_line_and_no_success() -> None:
    """Nothing is collected, and the reason is the one that the service gives."""
    make, reason = shutil.which("make"), why_not("torch")
    if make is None or not reason:
        pytest.skip("make is not installed" if make is None else "torch computes on a GPU here")
    command = [make, "test-gpu", f"PYTHON={sys.executable}"]
    # what a make that runs this test tells those below it would have them say where they are
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    said, *of_make = done.stderr.strip().splitlines()
    assert said == f"make test-gpu: {reason}"
    assert all(line.startswith("make") for line in of_make)
