"""The demo, as ``make demo`` runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_runs_end_to_end_and_keeps_to_its_own_folder(base_install: Mapping[str, str], tmp_path: Path) -> None:
    """It says verdicts, truth and a ledger that holds, draws pictures, and refuses a folder with somebody's files.

    All that without what ``make demo`` does not install.
    """
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "ops.demo", "--output", str(folder)]
    done = subprocess.run(command, env=base_install, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "in 580 = out 580 + dead 0: holds" in done.stdout
    assert "simulated as" in done.stdout
    pictures = sorted(path.name for path in (folder / "pictures").iterdir())
    assert "night.png" in pictures
    assert len(pictures) >= 5
    assert all((folder / "pictures" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    mine = folder / "thesis.tex"
    mine.write_text("years of work")
    done = subprocess.run(command, env=base_install, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert mine.read_text() == "years of work"
    assert (folder / "pictures" / "night.png").exists()
