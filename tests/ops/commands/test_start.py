"""What a command imports is what a user waits for each time it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from importlib import import_module

for name in ("archive", "dead_letters", "ledger", "produce", "tail", "topics"):
    import_module(f"ops.commands.{name}")
print(*sorted({"astropy", "matplotlib", "onnxruntime", "torch"} & sys.modules.keys()))
"""


@pytest.mark.slow
def test_commands_that_classify_nothing_start_without_engines_and_astropy() -> None:
    """Lists, proofs and copies are there at once."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
