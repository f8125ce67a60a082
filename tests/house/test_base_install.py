"""What installs without extras works without what extras bring."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ops.command_line import COMMANDS

IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


@pytest.mark.slow
def test_every_command_imports_without_extras(base_install: Mapping[str, str]) -> None:
    """Those that need an extra, such as ``train``, bring it when they are run."""
    modules = sorted({target.partition(":")[0] for target in COMMANDS.values()})
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules], env=base_install, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_command_that_needs_an_extra_names_it(base_install: Mapping[str, str], tmp_path: Path) -> None:
    words = ["train", "qso-finder", "--output", str(tmp_path / "qso-finder")]
    done = subprocess.run(
        [sys.executable, "-m", "ops", *words], env=base_install, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install '.[train]'" in " ".join(done.stderr.split())
