"""Manifests say what trained a bundle where that was no processor, and what they said before where it was."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training import bundles
from classifiers.training.narrowband import declared
from classifiers.training.narrowband.simulator import NarrowbandSimulator
from classifiers.training.provenance import device_setting, remapped, train_command

SIZES = {"n": 512, "epochs": 2, "threads": 1}


@pytest.mark.parametrize("bundle", bundles.BUNDLES)
def test_a_spectral_bundle_names_the_gpu_that_trained_it(bundle: str) -> None:
    plain = bundles.manifest(bundle, 4, 512, 2, {})["training"]
    words = f"specstream train {bundle} --output {bundle} --seed 4 --number 512 --epochs 2"
    assert plain == {"command": words, "seed": 4, "data": {}, "settings": SIZES}
    assert bundles.manifest(bundle, 4, 512, 2, {}, 1, "cpu")["training"] == plain
    there = bundles.manifest(bundle, 4, 512, 2, {}, 1, "cuda")["training"]
    assert there == {**plain, "command": f"{words} --device cuda", "settings": {**SIZES, "device": "cuda"}}


def test_a_bundle_of_bands_names_the_gpu_that_trained_it() -> None:
    pivot = np.asarray(NarrowbandSimulator.load().pivot_angstrom)
    for kind, more in (("cpu", ""), ("cuda", " --device cuda")):
        made = declared.manifest(pivot, 4, {**SIZES, **device_setting(kind)}, {})["training"]
        words = "specstream train jpas-qso-finder --output jpas-qso-finder --seed 4 --number 512 --epochs 2"
        assert made["command"] == words + more
        assert made["settings"].get("device") == (None if kind == "cpu" else kind)


def test_a_map_names_its_device_where_the_rest_is_of_another() -> None:
    """And no longer where it is made on the same one again."""
    on_gpu = {**SIZES, "device": "cuda"}
    assert remapped(SIZES, "cpu") == SIZES
    assert remapped(SIZES, "cuda") == {**SIZES, "map_device": "cuda"}
    assert remapped(on_gpu, "cuda") == on_gpu
    assert remapped(on_gpu, "cpu") == {**on_gpu, "map_device": "cpu"}
    assert remapped(remapped(SIZES, "cuda"), "cpu") == SIZES
    assert train_command("b", 1, remapped(on_gpu, "cpu")).endswith("--device cuda")
