"""The landmarks of the map: every known spectrum belongs to one, and each has its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classifiers.training.latent_map.reference import NAMES, landmarks, load_reference, medians
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.scheme import CLASSES, KINDS
from classifiers.training.simulation.simulator import Simulator


@pytest.fixture(scope="module")
def known() -> Samples:
    drawn = draw_samples(Simulator.load(), 1024, 3)
    return drawn.rows(np.flatnonzero(drawn.kind < KINDS.index("OTHER")))


def test_every_known_spectrum_belongs_to_the_landmark_of_its_class_and_redshift(known: Samples) -> None:
    names = np.array(NAMES)[landmarks(known)]
    assert set(names) == set(NAMES)
    for row, name in enumerate(names.tolist()):
        kind, z = KINDS[int(known.kind[row])], known.redshift[row]
        assert name.startswith(kind)
        if kind == "STAR":
            assert name == CLASSES[int(known.class_index[row])]
        elif "<" in name:
            assert z < float(name.split()[-1])
        elif ">" in name:
            assert z >= float(name.split()[-1])
        else:
            low, high = map(float, name.split()[-1].split("-"))
            assert low <= z < high


def test_the_reference_is_centred_near_nought_at_unit_scale() -> None:
    places = load_reference()
    assert places.shape == (len(NAMES), 2)
    assert np.all(np.abs(places) < 4.0)
    assert 0.5 < places.std() < 2.0


def test_a_reference_of_other_landmarks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_text(json.dumps({"STAR_A0": [0, 0]}))
    with pytest.raises(ValueError, match="STAR_F5"):
        load_reference(file)


def test_a_landmark_without_members_has_no_place() -> None:
    found = medians(np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]), np.array([0, 0, 2]))
    np.testing.assert_array_equal(found[[0, 2]], [[2.0, 3.0], [9.0, 9.0]])
    assert np.isnan(found[1]).all()
