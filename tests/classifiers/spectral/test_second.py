"""What the shipped classifier publishes of two objects in one fibre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.loaded import load_engines
from classifiers.quality import Quality
from classifiers.spectral.suite import SpectralSuite
from classifiers.suite import MODELS
from classifiers.training.evaluation.other_samples import double_redshifts
from classifiers.training.evaluation.real_spectra import real_spectra


@pytest.mark.slow
def test_a_second_redshift_is_a_quality_bit_and_the_first_of_the_alternatives(data_dir: Path) -> None:
    """In blended real spectra, and not in the same spectra alone."""
    spectra, labels = real_spectra(data_dir / "spectra")
    rows = [
        row
        for row, label in enumerate(labels)
        if label.group in ("GALAXY", "QSO") and label.snr > 10.0 and np.isfinite(label.redshift)
    ]
    redshift = np.array([labels[row].redshift for row in rows])
    alone = [spectra[row] for row in rows]
    pairs = double_redshifts(alone, redshift, [labels[row].object_id for row in rows], np.random.default_rng(3))
    assert 30 < len(pairs) <= len({labels[row].object_id for row in rows})
    suite = SpectralSuite(load_engines([MODELS / "spectral-classifier"]))
    found, single = suite.classify(pairs), suite.classify(alone)
    bit = found.quality_flags & int(Quality.SECOND_REDSHIFT) > 0
    assert bit.mean() > 0.3
    assert np.count_nonzero(single.quality_flags & int(Quality.SECOND_REDSHIFT)) <= 1
    assert (found.alternative_class[bit, 0] >= 0).all()
    second = found.alternative_redshift[bit, 0]
    assert (np.abs(second - found.columns["redshift"][bit]) > 0.01).all()
    near = np.abs(second[:, None] - redshift) / (1.0 + redshift)
    assert (near.min(axis=1) < 0.01).mean() > 0.95
    assert np.isfinite(found.alternative_probability[bit, 0]).all()
