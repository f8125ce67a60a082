"""The star templates that ship, integrated over bins."""

from __future__ import annotations

import numpy as np

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.stars.templates import FILE, OUTSIDE_TYPES, STAR_TYPES, outside, templates


def test_every_type_has_a_template_and_the_file_is_small() -> None:
    known = templates()
    assert {known.names[row] for row in range(11)} >= set(STAR_TYPES)
    assert set(known.star_type.tolist()) == set(range(len(STAR_TYPES)))
    assert FILE.stat().st_size < 1_000_000


def test_types_outside_have_templates_on_the_same_pixels() -> None:
    known, others = templates(), outside()
    assert set(others.star_type.tolist()) == set(range(len(OUTSIDE_TYPES)))
    assert not set(others.names) & set(known.names)
    assert (others.flux.shape[1], others.log10_start) == (known.flux.shape[1], known.log10_start)
    assert others.covered() == known.covered()
    assert others.flux.min() > 0


def test_a_template_that_moves_by_a_bin_is_the_same_one_bin_on() -> None:
    known, rows = templates(), np.arange(11)
    covered = known.covered()
    bins = slice(covered.start + 2, covered.stop - 2)
    here, there = known.binned(rows, bins, np.array([0.0, 1.0])).transpose(1, 0, 2)
    np.testing.assert_allclose(there[:, 1:], here[:, :-1], rtol=1e-9)


def test_a_line_is_seen_at_its_wavelength_in_vacuum() -> None:
    known = templates()
    row = known.names.index("A0")
    bins = known.covered()
    values = known.binned(np.array([row]), bins, np.zeros(1))[0, 0]
    wavelength = COMMON_GRID.centres_angstrom[bins]
    for line in (6564.61, 4862.68, 4341.68):  # Balmer lines in vacuum, NIST
        near = np.flatnonzero(np.abs(wavelength - line) < 15.0)
        depth = 1.0 - values[near]
        centre = (depth * wavelength[near]).sum() / depth.sum()
        assert abs(centre / line - 1.0) * 299_792.458 < 60.0


def test_bins_at_the_ends_are_whole() -> None:
    known = templates()
    values = known.binned(np.arange(11), known.covered(), np.zeros(1))
    assert values.min() > 0.1
    assert np.isfinite(values).all()
