"""Bundles from nothing with the commands a user types: simulate, train, export, calibrate, verify, classify.

Small, so that they know little: what is shown is that every part of the way works, and that the way repeats.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.folder import GOLDEN_FILE, load_bundle
from classifiers.bundle.manifest import OUTPUTS
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.training.samples import draw_samples
from classifiers.training.simulation.simulator import Simulator

pytestmark = pytest.mark.slow
InTurn = Callable[..., list[tuple[int, str]]]
LONGEST_S = 600.0
"""For the trainings of one process on a machine that does other things too; alone they take a minute and a half."""
SPECTRAL = ("spectral-classifier", "qso-finder", "spectral-anomaly")
"""As they are trained; with the last one all three are calibrated."""
BUNDLES = (*SPECTRAL, "stamp-anomaly", "jpas-qso-finder")
RETRAINED = ("jpas-qso-finder", "spectral-classifier")
SIZES = {"stamp-anomaly": (256, 600), "jpas-qso-finder": (1000, 600)}
SPECTRAL_SIZE = (512, 4600)
"""Simulations to train on, and to calibrate on: the least with which the spectral bundles can hold their rates."""


def command(models: Path, bundle: str, *more: str) -> list[str]:
    """Return the command line that trains one bundle."""
    number, held_out = SIZES.get(bundle, SPECTRAL_SIZE)
    words = ["train", bundle, "--output", str(models / bundle), "--seed", "4", "--number", str(number)]
    return [*words, "--epochs", "2", "--held-out", str(held_out), "--device", "cpu", *more]


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def models(in_turn: InTurn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every bundle into one folder in one process, those with a trunk on that of the folder's classifier."""
    folder = tmp_path_factory.mktemp("rebuild") / "models"
    trunk = ("--classifier", str(folder / "spectral-classifier"))
    lines = [command(folder, bundle, *(trunk if bundle in SPECTRAL[1:] else ())) for bundle in BUNDLES]
    for status, said in in_turn(lines, LONGEST_S):
        assert status == 0, said
    return folder


def test_every_bundle_is_built_calibrated_and_verified(in_turn: InTurn, models: Path) -> None:
    """Digests agree, onnxruntime says what torch said, and each is calibrated on held-out simulations."""
    ((status, said),) = in_turn([["bundles", "verify", *(str(models / bundle) for bundle in BUNDLES)]])
    assert status == 0, said
    for name in BUNDLES:
        calibration = load_bundle(models / name).calibration("onnxruntime", "fp32")
        assert calibration.domain == "SIMULATED"
        assert calibration.id


@pytest.mark.parametrize("name", SPECTRAL)
def test_a_graph_answers_as_torch_does_and_each_row_by_itself(models: Path, name: str) -> None:
    """The golden answers are torch's; blank and fully masked rows get finite ones too."""
    bundle = load_bundle(models / name)
    engine = OnnxEngine(bundle)
    with np.load(models / name / GOLDEN_FILE, allow_pickle=False) as golden:
        arrays = dict(golden)
    inputs = {name: arrays[f"input_{name}"] for name in ("flux", "inverse_variance")}
    found = engine.run(inputs)
    assert set(OUTPUTS[bundle.manifest.role]) <= set(found)
    for output, value in found.items():
        np.testing.assert_allclose(value, arrays[f"output_{output}"], rtol=1e-4, atol=1e-5, err_msg=output)
    more = draw_samples(Simulator.load(), 40, 7).inputs()  # more rows than are computed at once
    assert dependent_outputs(engine, dict(zip(inputs, more, strict=True)), np.random.default_rng(1)) == ()
    flux = np.zeros((2, inputs["flux"].shape[1]), dtype=np.float32)
    inverse_variance = np.stack([np.zeros_like(flux[0]), np.ones_like(flux[0])])
    for output, value in engine.run({"flux": flux, "inverse_variance": inverse_variance}).items():
        if not output.startswith("radial_velocity"):
            assert np.isfinite(value).all(), output


def test_a_journal_lies_beside_each_bundle(models: Path) -> None:
    """The state to resume from, the losses of both epochs, and their pictures."""
    for name in BUNDLES:
        folder = models / f"{name}.training"
        found = {path.name for path in folder.iterdir()}
        assert found == {"checkpoint.safetensors", "history.json", "loss.png", "loss-terms.png", "calibration.png"}
        history = json.loads((folder / "history.json").read_text())
        assert (history["training"]["seed"], history["training"]["epochs"]) == (4, 2)
        assert len(history["epochs"]) == 2
        for epoch in history["epochs"]:
            assert math.isfinite(epoch["training"]["loss"] + epoch["held_out"]["loss"])
            assert epoch["held_out"].keys() == epoch["training"].keys()


def test_what_was_built_classifies_a_simulated_night(
    in_turn: InTurn, specstream: Any, models: Path, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Simulated into a topic and run through the service: by these bundles, with probabilities that sum to 1."""
    broker = f"file:{tmp_path / 'spool'}"
    chosen = json.dumps([str(models / name) for name in SPECTRAL])
    config = write_config(tmp_path / "s.toml", broker, f"[engines]\nbundles = {chosen}")
    lines = [
        ["simulate", "--to", f"{broker}/specstream.l1.spectrum", "-n", "40", "--seed", "9"],
        ["run", "--config", str(config), "--until-idle", "1"],
        ["ledger", "verify", "--config", str(config)],
    ]
    for status, said in in_turn(lines):
        assert status == 0, said
    told = specstream("tail", f"{broker}/specstream.l2.classification", "--format", "jsonl").stdout
    records = [json.loads(line) for line in told.splitlines()]
    assert len(records) == 40
    digests = {name: load_bundle(models / name).sha256 for name in SPECTRAL}
    for record in records:
        assert {engine["name"]: engine["bundle_sha256"] for engine in record["engines"]} == digests
        if record["class_probabilities"]:
            assert sum(record["class_probabilities"].values()) == pytest.approx(1.0, abs=1e-6)
    answered = [record for record in records if record["class_probabilities"]]
    assert len(answered) > 30
    assert all(record["map_x"] is not None and 0 <= record["anomaly_p_value"] <= 1 for record in answered)


def test_a_finished_training_is_not_taken_for_another(in_turn: InTurn, models: Path) -> None:
    """Resumed with another seed or size it is refused in one line, and nothing is touched."""
    before = files(models)
    words = command(models, "spectral-anomaly", "--resume", "--classifier", str(models / "spectral-classifier"))
    changes = {"--seed": "5", "--number": "513", "--epochs": "3"}
    lines = [
        [*words, option, value] for option, value in changes.items()
    ]  # of an option given twice the last one holds
    for (option, value), (status, said) in zip(changes.items(), in_turn(lines, LONGEST_S), strict=True):
        assert status == 2
        old = words[words.index(option) + 1]
        name = {"--number": "n"}.get(option, option.removeprefix("--"))
        assert f"checkpoint.safetensors: expected {name} {value}, found {name} {old}" in said
    assert files(models) == before


def test_the_same_command_gives_the_same_bytes(in_turn: InTurn, models: Path, tmp_path: Path) -> None:
    """Trainings from the start, a map made anew and a finished training resumed, in another process and folder.

    Compared is every file of every bundle, of their journals and of what is calibrated with them: with the classifier,
    all the spectral ones. What the process trained before them is not the same either: it leaves no trace. A resumed
    training that is done only writes.
    """
    again, gone = tmp_path / "models", [name for each in RETRAINED for name in (each, f"{each}.training")]
    copytree(models, again, ignore=ignore_patterns(*gone))
    assert not any((again / name).exists() for name in gone)
    lines = [
        command(again, "stamp-anomaly", "--resume"),
        command(again, "jpas-qso-finder"),
        command(again, "spectral-anomaly", "--map-only"),
        command(again, "spectral-classifier"),
    ]
    for status, said in in_turn(lines, LONGEST_S):
        assert status == 0, said
    first, second = files(models), files(again)
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] != second[name]] == []
