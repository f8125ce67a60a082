"""What no training can be made of is refused at once; what a training gives is shown by ``test_rebuild``.

What imports torch, which takes seconds, is imported by the test: collection stays quick.
"""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.slow
def test_bad_requests_are_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    from classifiers.training.train import train_bundle

    with pytest.raises(ValueError, match="qso-finder"):
        train_bundle("oracle", 1, 10, 1, tmp_path)
    with pytest.raises(ValueError, match="epochs = 0"):
        train_bundle("qso-finder", 1, 10, 0, tmp_path)
