from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from classifiers.images.prepare import prepare_stamps
from classifiers.training.stamps.alerts import simulate_alerts
from classifiers.training.stamps.anomalies import KINDS, inject, robust_noise
from classifiers.training.stamps.artefacts import KINDS as ARTEFACTS
from classifiers.training.stamps.artefacts import dead_clumps
from classifiers.training.stamps.conditions import SURVEYS
from classifiers.training.stamps.profiles import Galaxies, PointSpread, render_galaxies, render_points
from classifiers.training.stamps.scheme import CLASSES, SHARES, StampClass
from classifiers.training.stamps.simulate import SimulatedStamps, simulate_stamps

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulated() -> SimulatedStamps:
    return simulate_stamps(600, np.random.default_rng(17))


def column(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_one_seed_gives_the_same_pixels() -> None:
    one, other = (simulate_stamps(20, np.random.default_rng(5)).images for _ in range(2))
    assert one.tobytes() == other.tobytes()
    assert simulate_stamps(20, np.random.default_rng(6)).images.tobytes() != one.tobytes()


def test_a_point_source_keeps_its_flux_and_place() -> None:
    spread = PointSpread(np.float32([1.1]), np.float32([0.9]), np.float32([0.1]))
    image = render_points(63, column(30.3), column(33.8), column(1000.0), spread)[0].astype(np.float64)
    rows, columns = np.mgrid[:63, :63]
    assert image.sum() == pytest.approx(1000, rel=1e-3)
    assert (image * columns).sum() / image.sum() == pytest.approx(30.3, abs=0.02)
    assert (image * rows).sum() / image.sum() == pytest.approx(33.8, abs=0.02)


def test_half_the_light_of_a_galaxy_is_within_its_half_light_radius() -> None:
    def one(value: float) -> np.ndarray:
        return np.float32([value])

    for index in (1.0, 2.5):
        galaxy = Galaxies(one(100), one(100), one(1.0), one(12), one(index), one(1.0), one(0.3))
        image = render_galaxies(201, galaxy, one(0.1))[0].astype(np.float64)
        rows, columns = np.mgrid[:201, :201]
        inside = (rows - 100) ** 2 + (columns - 100) ** 2 <= 12**2
        assert image[inside].sum() / image.sum() == pytest.approx(0.5, abs=0.06)


def test_science_minus_template_shows_what_the_difference_shows() -> None:
    simulated = simulate_stamps(2048, np.random.default_rng(17))
    middle = simulated.images[:, :, 28:35, 28:35]
    usable = (np.abs(simulated.flux) > 1500) & np.isfinite(middle).all(axis=(1, 2, 3))
    change = (middle[usable, 0] - middle[usable, 1]).mean(axis=(1, 2))
    assert usable.sum() > 80
    assert ((change > 0) == simulated.is_positive[usable]).mean() > 0.9  # the template's own seeing blurs a few


def test_the_difference_has_the_sign_it_declares() -> None:
    """But for a few saturated stars, which leave more than what changed; one in 14 is bright, so many are drawn."""
    simulated = simulate_stamps(8000, np.random.default_rng(17))
    bright = np.abs(simulated.flux) > 1000
    peak = simulated.images[bright, 2, 29:34, 29:34].mean(axis=(1, 2))
    assert np.isfinite(peak).all()
    same = np.sign(peak) == np.sign(simulated.flux[bright])
    assert same.mean() > 0.97
    assert same[simulated.labels[bright] != StampClass.NUCLEAR].all()


def test_the_population_covers_what_surveys_send(simulated: SimulatedStamps) -> None:
    prepared = prepare_stamps(simulated.items())
    changed = simulated.labels != StampClass.ARTEFACT
    assert 0.3 < simulated.has_host[changed].mean() < 0.6
    assert 0.5 < simulated.is_positive[changed].mean() < 0.9
    assert (prepared.coverage < 0.5).mean() > 0.1  # small stamps
    assert (prepared.coverage == 1).mean() > 0.4
    assert any(item.template is None or item.science is None for item in simulated.items())
    assert all(item.difference is not None for item in simulated.items())
    assert 5 < np.median(prepared.snr) < 40


def test_every_class_and_kind_of_artefact_comes_in_its_share(simulated: SimulatedStamps) -> None:
    shares = np.bincount(simulated.labels, minlength=len(CLASSES)) / len(simulated.labels)
    assert shares == pytest.approx(SHARES, abs=0.07)
    kinds = np.array(simulated.kinds)
    artefact = simulated.labels == StampClass.ARTEFACT
    assert set(kinds[artefact]) == set(ARTEFACTS)
    assert set(kinds[~artefact]) == {""}
    assert (simulated.flux[artefact] == 0).all()
    assert set(simulated.surveys) == set(SURVEYS)


def middle_of(images: np.ndarray) -> np.ndarray:
    """Return the mean of the middle 3 x 3 pixels above the image's median, in sigmas of the image."""
    flat = images.reshape(len(images), -1)
    level = np.nanmedian(flat, axis=1)
    sigma = np.nanquantile(flat, 0.5, axis=1) - np.nanquantile(flat, 0.16, axis=1)
    return np.asarray((np.nanmean(images[:, 30:33, 30:33], axis=(1, 2)) - level) / sigma)


def test_a_hostless_source_is_seen_in_one_image_and_a_nuclear_one_has_a_counterpart() -> None:
    simulated = simulate_stamps(800, np.random.default_rng(23))
    whole = np.isfinite(simulated.images[:, :2, 28:35, 28:35]).all(axis=(1, 2, 3))
    bright = whole & (np.abs(simulated.flux) > 300)
    hostless, nuclear = (bright & (simulated.labels == kind) for kind in (StampClass.HOSTLESS, StampClass.NUCLEAR))
    fainter = np.where(simulated.is_positive, 1, 0)  # the image without the change
    empty = middle_of(simulated.images[hostless, fainter[hostless]])
    counterpart = middle_of(simulated.images[nuclear, fainter[nuclear]])
    assert hostless.sum() > 20
    assert np.median(empty) < 1
    assert np.median(counterpart) > 5


def test_clumps_of_dead_pixels_are_as_many_and_as_deep_as_declared_and_never_in_the_middle() -> None:
    number = np.array([0, 1, 1, 40])
    holes = dead_clumps(number, np.random.default_rng(2))
    assert not holes[0].any()
    for row in (1, 2):
        assert 3 <= np.count_nonzero(holes[row]) <= 32
    assert -600.0 <= holes.min() < holes[holes < 0].max() <= -5.0
    assert not holes[:, 27:36, 27:36].any()
    assert holes[3].any(axis=0).sum() > 40


def test_only_science_images_have_dead_pixels_and_differences_show_them() -> None:
    alerts = simulate_stamps(400, np.random.default_rng(8))
    rows = [row for row, name in enumerate(alerts.surveys) if name == "PGIR" and alerts.labels[row] != 0]
    images = alerts.images[rows]
    dark = images < -20.0
    science, template, difference = dark.any(axis=(2, 3)).T
    assert science.mean() > 0.5
    assert template.mean() < 0.1
    assert difference[science].mean() > 0.8


def test_simulation_needs_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, numpy; from classifiers.training.stamps.alerts import simulate_alerts;"
        "assert len(list(simulate_alerts(3, numpy.random.default_rng(1)))) == 3;"
        "assert not {'torch', 'onnx', 'onnxruntime', 'astropy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.slow
def test_simulated_alerts_have_positions_on_the_sphere_and_identifiers_of_their_own() -> None:
    records = list(simulate_alerts(700, np.random.default_rng(9)))
    assert len({record["l1_id"] for record in records}) == 700
    assert all(0 <= record["ra_deg"] < 360 and -90 <= record["dec_deg"] <= 90 for record in records)
    assert np.mean([record["dec_deg"] > 30 for record in records]) == pytest.approx(0.25, abs=0.06)
    assert 0.3 < np.mean([record["magnitude"] is None for record in records]) < 0.5  # artefacts
    assert all(stamp["image"].size == stamp["height"] * stamp["width"] for r in records for stamp in r["stamps"])


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_artefact_is_near_the_middle_and_as_strong_as_declared(kind: str, simulated: SimulatedStamps) -> None:
    rng = np.random.default_rng(4)
    for item, fwhm in list(zip(simulated.items(), simulated.fwhm_pixels, strict=True))[:40]:
        damaged = inject(item, kind, float(fwhm), rng)
        assert damaged.template is item.template
        change = np.abs(damaged.difference - item.difference) / robust_noise(item.difference)  # type: ignore[operator, arg-type]
        middle = change[31 - 12 : 31 + 13, 31 - 12 : 31 + 13]
        assert 14 < np.nanmax(change) < 151
        assert np.nanmax(middle) > 7  # off-grid peaks and masked pixels take some of it


def test_an_unknown_artefact_is_refused(simulated: SimulatedStamps) -> None:
    with pytest.raises(ValueError, match="dipole"):
        inject(simulated.items()[0], "ghost", 2.0, np.random.default_rng(1))
