"""What is said of image alerts, and of what nothing may be said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.manifest import Manifest
from classifiers.images.prepare import PreparedStamps, prepare_stamps
from classifiers.items import Stamps
from classifiers.quality import Quality
from classifiers.verdict.answers import Answer
from classifiers.verdict.calibrate import tail_table
from classifiers.verdict.images import image_verdicts

CLASSES = ("ARTEFACT", "NUCLEAR", "OFF_NUCLEAR", "HOSTLESS")
SHAPE = (3, 63, 63)
MANIFEST = Manifest.model_validate(
    {
        "name": "stamps",
        "version": "1",
        "role": "image_anomaly",
        "class_scheme": "STAMP-4",
        "class_names": CLASSES,
        "stamp_shape": SHAPE,
        "inputs": [{"name": name, "shape": SHAPE} for name in ("stamps", "mask")],
        "outputs": [
            {"name": "score", "shape": ()},
            {"name": "contribution", "shape": SHAPE},
            {"name": "map", "shape": (2,)},
            {"name": "class_logits", "shape": (4,)},
        ],
        "domain": {"min_coverage": 0.05},
        "batch_buckets": (16,),
        "training": {"command": "tests", "seed": 0},
        "files": {"model.onnx": "0" * 64},
    }
)
CALIBRATION = Calibration(id="tests", n=2000, novelty=tail_table(np.linspace(0, 1, 2000)), temperature=2.0)


def stamps(difference: np.ndarray | None, science: np.ndarray | None = None) -> Stamps:
    return Stamps(science=science, template=science, difference=difference, survey="TEST", flags=0)


@pytest.fixture
def prepared() -> PreparedStamps:
    noise = np.random.default_rng(1).normal(5, 2, (63, 63)).astype(np.float32)
    nothing = np.full((63, 63), np.nan, np.float32)
    constant = np.full((63, 63), 7.25, np.float32)
    return prepare_stamps(
        [stamps(noise, noise), stamps(noise), stamps(constant, noise), stamps(None, noise), stamps(nothing)]
    )


def answer(n: int, **changed: np.ndarray) -> Answer:
    outputs = {
        "score": np.full(n, 0.5, np.float32),
        "contribution": np.zeros((n, *SHAPE), np.float32),
        "map": np.zeros((n, 2), np.float32),
        "class_logits": np.tile(np.float32([0, 4, 0, 0]), (n, 1)),
    }
    return Answer(MANIFEST, CALIBRATION, outputs | changed)


def test_classes_are_tempered_probabilities_with_their_entropy(prepared: PreparedStamps) -> None:
    verdicts = image_verdicts(answer(5), prepared)
    assert verdicts.class_scheme == "STAMP-4"
    assert verdicts.class_names == CLASSES
    expected = np.exp([0, 2, 0, 0]) / np.exp([0, 2, 0, 0]).sum()  # logits over the temperature of 2
    np.testing.assert_allclose(verdicts.class_probabilities[0], expected)
    assert verdicts.columns["entropy"][0] == pytest.approx(-(expected * np.log(expected)).sum())
    assert verdicts.top_class[0] == CLASSES.index("NUCLEAR")
    assert not verdicts.unknown[0]


def test_an_alert_with_a_difference_alone_is_classified_and_flagged(prepared: PreparedStamps) -> None:
    verdicts = image_verdicts(answer(5), prepared)
    assert verdicts.top_class[1] >= 0
    assert verdicts.quality_flags[1] & Quality.CUTOUT_MISSING
    assert not verdicts.unknown[1]


@pytest.mark.parametrize(("row", "reason"), [(2, "BAD_DATA"), (3, "BAD_DATA"), (4, "OUT_OF_DOMAIN")])
def test_without_a_measurement_in_the_difference_nothing_is_said(
    prepared: PreparedStamps, row: int, reason: str
) -> None:
    verdicts = image_verdicts(answer(5), prepared)
    assert verdicts.unknown[row]
    assert verdicts.unknown_reason[row] == reason
    assert verdicts.top_class[row] == -1
    assert np.isnan(verdicts.class_probabilities[row]).all()
    assert all(
        np.isnan(verdicts.columns[name][row]) for name in ("entropy", "anomaly_score", "anomaly_p_value", "map_x")
    )


def test_the_anomaly_names_the_image_and_the_pixel_that_deviate_most(prepared: PreparedStamps) -> None:
    """From the middle, column and row; nothing where no pixel deviates and where nothing may be said."""
    contribution = np.zeros((5, *SHAPE), np.float32)
    contribution[:, 1, 2, 3] = 1
    contribution[0, 2, 40, 31] = 7
    contribution[1] = 0
    verdicts = image_verdicts(answer(5, contribution=contribution), prepared)
    assert verdicts.anomaly_image == ["DIFFERENCE", None, None, None, None]
    assert verdicts.columns["anomaly_x_pixel"][0] == 0
    assert verdicts.columns["anomaly_y_pixel"][0] == 9
    assert np.isnan(verdicts.columns["anomaly_x_pixel"][1:]).all()
    assert np.isnan(verdicts.columns["anomaly_y_pixel"][1:]).all()


@pytest.mark.parametrize("side", [40, 63, 80])
def test_the_strongest_pixel_is_one_of_the_stamp_as_it_was_sent(side: int) -> None:
    """Whatever was cropped or padded: its offset from pixel n // 2 is that of the stamp's own."""
    image = np.random.default_rng(side).normal(0, 1, (side, side)).astype(np.float32)
    image[side // 2 - 9, side // 2 + 4] = 1e4
    prepared = prepare_stamps([stamps(image, image)])
    verdicts = image_verdicts(answer(1, contribution=prepared.stamps), prepared)
    assert (verdicts.columns["anomaly_x_pixel"][0], verdicts.columns["anomaly_y_pixel"][0]) == (4, -9)


def test_an_engine_that_answers_nan_makes_bad_data(prepared: PreparedStamps) -> None:
    logits = np.tile(np.float32([0, 4, 0, 0]), (5, 1))
    logits[0, 2] = np.nan
    verdicts = image_verdicts(answer(5, class_logits=logits), prepared)
    assert verdicts.unknown_reason[0] == "BAD_DATA"
    assert verdicts.quality_flags[0] & Quality.NON_FINITE_OUTPUT
    assert verdicts.top_class[0] == -1


def test_a_score_in_the_declared_tail_is_novel_whatever_the_class(prepared: PreparedStamps) -> None:
    verdicts = image_verdicts(answer(5, score=np.float32([2, 0.5, 0.5, 0.5, 0.5])), prepared)
    assert verdicts.unknown_reason[:2] == ["NOVEL", None]
    assert verdicts.columns["anomaly_p_value"][0] == pytest.approx(1 / 2001)
    assert verdicts.top_class[0] >= 0
    assert verdicts.unknown_rate == 0.01


def test_a_bundle_without_classes_and_no_bundle_say_less(prepared: PreparedStamps) -> None:
    manifest = MANIFEST.model_copy(update={"class_names": (), "class_scheme": ""})
    plain = image_verdicts(replace(answer(5), manifest=manifest), prepared)
    assert plain.class_names == ()
    assert np.isfinite(plain.columns["anomaly_score"][0])
    nothing = image_verdicts(None, prepared)
    assert (nothing.top_class == -1).all()
    assert set(nothing.columns) == {"snr", "coverage"}
