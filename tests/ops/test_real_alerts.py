"""The shipped image bundle on every real alert, whole and damaged: flags and honest doubt, never NaN in a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers.classifier import Classifier, Verdicts
from classifiers.items import Stamps
from classifiers.quality import Quality
from classifiers.suite import default_bundles, open_suites
from classifiers.training.stamps.evaluate import RealAlert
from classifiers.training.stamps.scheme import CLASS_SCHEME, CLASSES, StampClass
from ops.real_alerts import TRIPLETS, real_alerts

Image = np.ndarray


@pytest.fixture(scope="module")
def alerts(data_dir: Path) -> list[RealAlert]:
    return real_alerts(data_dir / "alerts")


@pytest.fixture(scope="module")
def items(alerts: list[RealAlert]) -> list[Stamps]:
    return [alert.stamps for alert in alerts]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_suites(default_bundles())["image"]


def test_every_real_alert_is_read_with_its_scores(alerts: list[RealAlert]) -> None:
    groups = Counter(alert.group for alert in alerts)
    assert groups == {"ZTF": 73, "LSST": 8, "DECAM": 1, "WINTER": 4, "PGIR": 5, TRIPLETS: 39}
    assert sum("rb" in alert.real_bogus for alert in alerts) == 73
    assert sum("drb" in alert.real_bogus for alert in alerts) == 43 + 5 + 39
    assert sum("reliability" in alert.real_bogus for alert in alerts) == 9
    expected = Counter(alert.expected for alert in alerts if alert.why.startswith("ZTF"))
    assert expected[StampClass.HOSTLESS] > 10
    assert expected[StampClass.NUCLEAR] > 30


def check(verdicts: Verdicts, n: int) -> None:
    """Assert what holds of any alert: probabilities that sum to 1, or none at all and then unknown."""
    assert len(verdicts) == n
    assert verdicts.class_scheme == CLASS_SCHEME
    assert verdicts.class_names == CLASSES
    said = verdicts.top_class >= 0
    np.testing.assert_allclose(verdicts.class_probabilities[said].sum(axis=1), 1.0, rtol=1e-12)
    assert np.isnan(verdicts.class_probabilities[~said]).all()
    assert verdicts.unknown[~said].all()
    for name in ("entropy", "anomaly_score", "anomaly_p_value", "map_x", "map_y"):
        assert np.isfinite(verdicts.columns[name][said]).all(), name
        assert np.isnan(verdicts.columns[name][~said]).all(), name
    assert (verdicts.columns["anomaly_p_value"][said] > 0).all()


def test_whole_alerts_have_a_class_each_and_the_same_bits_in_any_batch(
    classifier: Classifier, items: list[Stamps]
) -> None:
    whole = classifier.classify(items)
    check(whole, len(items))
    assert (whole.top_class >= 0).all()
    order = np.random.default_rng(1).permutation(len(items))[:50]
    shuffled = classifier.classify([items[row] for row in order])
    assert shuffled.class_probabilities.tobytes() == whole.class_probabilities[order].tobytes()
    assert shuffled.columns["anomaly_score"].tobytes() == whole.columns["anomaly_score"][order].tobytes()
    alone = classifier.classify([items[7]])
    assert alone.class_probabilities[0].tobytes() == whole.class_probabilities[7].tobytes()


@pytest.mark.parametrize("scale", [1e-20, 1e-3, -1.0, 1e8])
def test_flux_units_do_not_matter_and_the_sign_gives_an_answer(
    classifier: Classifier, items: list[Stamps], scale: float
) -> None:
    whole = classifier.classify(items)
    scaled = classifier.classify([changed(item, lambda image: image * np.float32(scale)) for item in items])
    check(scaled, len(items))
    if scale > 0:
        difference = np.abs(scaled.class_probabilities - whole.class_probabilities)
        assert np.nanmax(difference) < 0.02


def changed(item: Stamps, function: Callable[[Image], Image]) -> Stamps:
    """Return an alert with its images changed."""
    science, template, difference = (
        None if image is None else function(image) for image in (item.science, item.template, item.difference)
    )
    return replace(item, science=science, template=template, difference=difference)


def riddled(items: Sequence[Stamps], fraction: float) -> list[Stamps]:
    rng = np.random.default_rng(3)
    return [
        changed(item, lambda image: np.where(rng.random(image.shape) < fraction, np.float32(np.nan), image))
        for item in items
    ]


def test_alerts_riddled_with_nan_are_classified_as_long_as_pixels_remain(
    classifier: Classifier, items: list[Stamps]
) -> None:
    check(classifier.classify(riddled(items, 0.3)), len(items))
    ruined = classifier.classify(riddled(items, 0.999))
    check(ruined, len(items))
    assert ruined.unknown.all()


@pytest.mark.parametrize("value", [0.0, 1.0, -4e4, np.nan, np.inf])
def test_nothing_is_said_of_a_constant_difference(classifier: Classifier, items: list[Stamps], value: float) -> None:
    constant = [replace(item, difference=np.full_like(item.difference, value)) for item in items]
    verdicts = classifier.classify(constant)
    check(verdicts, len(items))
    assert (verdicts.top_class == -1).all()
    assert set(verdicts.unknown_reason) == {"BAD_DATA"}


@pytest.mark.parametrize("missing", [("template",), ("science",), ("science", "template")])
def test_missing_stamps_are_flagged_and_the_rest_is_classified(
    classifier: Classifier, items: list[Stamps], missing: tuple[str, ...]
) -> None:
    verdicts = classifier.classify([replace(item, **dict.fromkeys(missing)) for item in items])  # type: ignore[arg-type]
    check(verdicts, len(items))
    assert (verdicts.quality_flags & Quality.CUTOUT_MISSING).all()
    assert (verdicts.top_class >= 0).mean() > 0.9
    if len(missing) == 2:  # without science and template nobody can tell a host: no confident place
        places = verdicts.class_probabilities[:, StampClass.NUCLEAR :]
        real = verdicts.class_probabilities[:, StampClass.ARTEFACT] < 0.5
        assert np.median(places[real].max(axis=1)) < 0.9


@pytest.mark.parametrize(("height", "width"), [(63, 20), (9, 9), (1, 1), (200, 200), (64, 62)])
def test_stamps_of_any_size_are_answered(classifier: Classifier, items: list[Stamps], height: int, width: int) -> None:
    def resized(image: Image) -> Image:
        rows, columns = np.arange(height) % image.shape[0], np.arange(width) % image.shape[1]
        return image[rows][:, columns]

    verdicts = classifier.classify([changed(item, resized) for item in items])
    check(verdicts, len(items))
    if height * width < 100:
        assert verdicts.unknown.all()
    if height > 63:
        assert (verdicts.quality_flags & Quality.CUTOUT_RESIZED).all()


def test_pure_noise_is_no_confident_real_source(classifier: Classifier) -> None:
    rng = np.random.default_rng(11)
    noise = [
        Stamps(*(rng.normal(0, 1, (63, 63)).astype(np.float32) for _ in range(3)), survey="ZTF", flags=0)
        for _ in range(200)
    ]
    verdicts = classifier.classify(noise)
    check(verdicts, len(noise))
    real = 1 - verdicts.class_probabilities[:, StampClass.ARTEFACT]
    assert np.mean(real > 0.9) < 0.01


def test_the_surveys_own_real_alerts_are_mostly_called_real(
    classifier: Classifier, alerts: list[RealAlert], items: list[Stamps]
) -> None:
    verdicts = classifier.classify(items)
    sure = np.array([alert.real_bogus.get("drb", 0) > 0.9 for alert in alerts])
    assert (verdicts.top_class[sure] != StampClass.ARTEFACT).mean() > 0.85
    moving = np.array([alert.expected is StampClass.HOSTLESS for alert in alerts])
    assert (verdicts.top_class[moving] == StampClass.HOSTLESS).mean() > 0.8
