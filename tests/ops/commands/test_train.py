"""``train`` beside what an earlier training left: what is replaced is said before it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
SMALL = ("--number", "256", "--epochs", "1", "--held-out", "256", "--device", "cpu")


def test_a_checkpoint_that_is_not_resumed_is_named_before_it_is_replaced(specstream: Any, tmp_path: Path) -> None:
    """One line before the first epoch; none where there was nothing, or where it is resumed."""
    line = ("train", "jpas-qso-finder", "-o", tmp_path / "made", *SMALL)
    first, anew, resumed = specstream(*line), specstream(*line), specstream(*line, "--resume")
    for done in (first, anew, resumed):
        assert done.returncode == 0, done.stderr
    said = [[each for each in done.stderr.splitlines() if "a checkpoint" in each] for done in (first, anew, resumed)]
    assert said[0] == said[2] == []
    (words,) = said[1]
    assert words.endswith(
        f"a checkpoint after epoch 1 lies in {tmp_path / 'made.training'}: "
        "--resume goes on from it; this training starts anew and replaces it"
    )
    assert anew.stderr.index(words) < anew.stderr.index("epoch 1:")
