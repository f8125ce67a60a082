"""The classifiers of the two lanes: preparation, engines and verdict behind ``Classifier``; any role may be missing.

Verdicts are pure functions of the items. The only clock here measures stages for telemetry and decides nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import MANIFEST_FILE, Bundle, load_bundle
from classifiers.bundle.manifest import SPECTRAL_ROLES
from classifiers.classifier import Classifier, EngineUse, Verdicts
from classifiers.engine import Arrays, Engine
from classifiers.images.prepare import prepare_stamps
from classifiers.items import Spectrum, Stamps
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.runtimes.opening import AUTO, open_engine
from classifiers.runtimes.stages import stages
from classifiers.verdict.answers import Answer
from classifiers.verdict.blank import without_classes
from classifiers.verdict.images import image_verdicts
from classifiers.verdict.spectral import LEADS, spectral_verdicts

Lane: TypeAlias = Literal["spectrum", "image"]
IMAGE_ROLE = "image_anomaly"
MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """A bundle and the engine that runs it; ``refusals`` says why ``auto`` passed over other runtimes."""

    bundle: Bundle
    engine: Engine
    refusals: tuple[tuple[str, str], ...] = ()

    def use(self) -> EngineUse:
        """Return how L2 records name it."""
        manifest = self.bundle.manifest
        calibration = self.bundle.calibration(self.engine.runtime, self.engine.dtype)
        return EngineUse(
            name=manifest.name,
            version=manifest.version,
            bundle_sha256=self.bundle.sha256,
            runtime=self.engine.runtime,
            dtype=self.engine.dtype,
            calibration_id=calibration.id,
            calibration_domain=calibration.domain,
            class_scheme=manifest.class_scheme,
            prior_id=manifest.prior_id,
        )

    def answer(self, outputs: Arrays) -> Answer:
        """Return outputs with what is needed to read them."""
        return Answer(self.bundle.manifest, self.bundle.calibration(self.engine.runtime, self.engine.dtype), outputs)


class SpectralSuite:
    """The spectrum lane: at most one engine for each spectral role; a ``Classifier`` of ``Spectrum``."""

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check that the engines fit together.

        Args:
            engines: of the spectral roles.
            threads: batches whose engines compute at once; changes speed, never results.

        Raises:
            BundleError: two bundles of one role, different grids, no calibration, or a fused score that was calibrated
                with another anomaly bundle than the one given.
        """
        by_role = _by_role(engines, SPECTRAL_ROLES)
        self._engines = {role: by_role[role] for role in LEADS if role in by_role}
        grids = {loaded.bundle.manifest.name: loaded.bundle.manifest.grid for loaded in self._engines.values()}
        if len(set(grids.values())) > 1:
            raise BundleError(", ".join(grids), expected="one grid for all spectral bundles", found=str(grids))
        grid = next(iter(grids.values()), None)
        self._grid = COMMON_GRID if grid is None else grid.grid()
        self._uses = tuple(loaded.use() for loaded in self._engines.values())
        _check_partner(self._engines)
        self._stages = stages([(loaded.bundle, loaded.engine) for loaded in self._engines.values()])
        rows = [stage.rows for stage in self._stages]
        self._piece = max(rows, default=0) if all(rows) else 0
        self._threads = threads
        self._turns = threading.Semaphore(threads)

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engines that take part: classifier, anomaly, qso."""
        return self._uses

    def workers(self) -> int:
        """Return one more than the threads of the engines: one prepares and reads answers while the others compute."""
        return self._threads + 1

    def classify(self, items: Sequence[Spectrum]) -> Verdicts:
        """Classify n >= 1 spectra.

        A piece of the batch goes through preparation and engines while it is in the processor's cache. Engines take
        turns with those of other calls; preparation and verdicts do not.
        """
        n = len(items)
        piece = self._piece or n
        prepared = PreparedBatch.blank(n, self._grid)
        outputs = {
            loaded.bundle.manifest.name: {
                tensor.name: np.empty((n, *tensor.shape), tensor.dtype) for tensor in loaded.bundle.manifest.outputs
            }
            for loaded in self._engines.values()
        }

        seconds: dict[str, float] = {}
        for start in range(0, n, piece):
            watch, part = _Watch(), slice(start, start + piece)
            rows = prepare(items[part], self._grid, prepared.rows(part))
            watch.stop("preprocess")
            inputs = {"flux": rows.flux, "inverse_variance": rows.inverse_variance}
            for stage in self._stages:
                with self._turns:
                    watch.start()
                    answers = stage.run(inputs)
                    watch.stop(stage.label)
                for name, columns in answers.items():
                    for output, values in columns.items():
                        outputs[name][output][part] = values
            watch.add_to(seconds)
        watch = _Watch()
        read = {role: loaded.answer(outputs[loaded.bundle.manifest.name]) for role, loaded in self._engines.items()}
        verdicts = spectral_verdicts(items, prepared, read)
        watch.stop("verdict")
        watch.add_to(seconds)
        return replace(verdicts, stage_seconds=seconds)


class ImageSuite:
    """The image lane: one engine or none; a ``Classifier`` of ``Stamps``."""

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check the engine.

        Args:
            engines: of the image role.
            threads: batches whose engine computes at once; changes speed, never results.

        Raises:
            BundleError: two bundles, or no calibration.
        """
        self._engine = _by_role(engines, frozenset({IMAGE_ROLE})).get(IMAGE_ROLE)
        self._threads = threads
        self._turns = threading.Semaphore(threads)
        self._uses = () if self._engine is None else (self._engine.use(),)

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engine that takes part, if any."""
        return self._uses

    def workers(self) -> int:
        """Return one more than the threads of the engine."""
        return self._threads + 1

    def classify(self, items: Sequence[Stamps]) -> Verdicts:
        """Classify n >= 1 alerts."""
        watch = _Watch()
        prepared = prepare_stamps(items)
        watch.stop("preprocess")
        answer = None
        if self._engine is not None:
            with self._turns:
                watch.start()
                outputs = self._engine.engine.run({"stamps": prepared.stamps, "mask": prepared.mask})
                watch.stop(self._engine.bundle.manifest.name)
            answer = self._engine.answer(outputs)
            watch.start()
        verdicts = image_verdicts(answer, prepared.snr, prepared.coverage, prepared.quality_flags)
        watch.stop("verdict")
        return replace(verdicts, stage_seconds=watch.seconds)


class NullClassifier:
    """No engines and no preparation: empty verdicts, to measure everything else; a ``Classifier`` of anything."""

    def engines(self) -> tuple[EngineUse, ...]:
        """Return nothing."""
        return ()

    def workers(self) -> int:
        """Return 1."""
        return 1

    def classify(self, items: Sequence[Spectrum] | Sequence[Stamps]) -> Verdicts:
        """Return verdicts that say nothing of n items."""
        return without_classes({}, np.zeros(len(items), np.int64))


def default_bundles() -> tuple[Path, ...]:
    """Return the folders of the bundles that ship, by name."""
    return tuple(sorted(path.parent for path in MODELS.glob(f"*/{MANIFEST_FILE}")))


def load_engines(paths: Sequence[Path], runtime: str = AUTO) -> tuple[LoadedEngine, ...]:
    """Load bundles, verify every digest, and open their graphs.

    Args:
        paths: bundle folders.
        runtime: ``auto`` or a runtime's name.

    Raises:
        BundleError: a bundle is not intact.
        RuntimeUnavailable: the named runtime cannot serve.
    """
    loaded = []
    for path in paths:
        bundle = load_bundle(path)
        opened = open_engine(bundle, runtime)
        loaded.append(LoadedEngine(bundle, opened.engine, opened.refusals))
    return tuple(loaded)


def suites(engines: Sequence[LoadedEngine], threads: int = 1) -> dict[Lane, Classifier]:
    """Return the classifier of each lane; a lane without engines still prepares, and says only what that tells.

    Args:
        engines: of any roles.
        threads: batches of a lane whose engines compute at once; changes speed, never results.
    """
    spectral = [loaded for loaded in engines if loaded.bundle.manifest.role in SPECTRAL_ROLES]
    images = [loaded for loaded in engines if loaded.bundle.manifest.role == IMAGE_ROLE]
    return {"spectrum": SpectralSuite(spectral, threads), "image": ImageSuite(images, threads)}


def open_suites(paths: Sequence[Path], runtime: str = AUTO, threads: int = 1) -> dict[Lane, Classifier]:
    """Load bundles and return the classifier of each lane; see ``load_engines`` and ``suites``."""
    return suites(load_engines(paths, runtime), threads)


class _Watch:
    """Wall seconds of stages; waiting for a turn belongs to none."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now

    def add_to(self, total: dict[str, float]) -> None:
        for stage, seconds in self.seconds.items():
            total[stage] = total.get(stage, 0.0) + seconds


def _by_role(engines: Sequence[LoadedEngine], roles: frozenset[str]) -> dict[str, LoadedEngine]:
    chosen: dict[str, LoadedEngine] = {}
    for loaded in engines:
        manifest = loaded.bundle.manifest
        if manifest.role not in roles:
            raise BundleError(manifest.name, expected=f"a role of {', '.join(sorted(roles))}", found=manifest.role)
        if manifest.role in chosen:
            other = chosen[manifest.role].bundle.manifest.name
            raise BundleError(manifest.name, expected=f"one bundle of role {manifest.role}", found=f"{other} as well")
        chosen[manifest.role] = loaded
    return chosen


def _check_partner(engines: Mapping[str, LoadedEngine]) -> None:
    classifier, anomaly = engines.get("spectral_classifier"), engines.get("anomaly")
    if classifier is None or anomaly is None:
        return
    fused = classifier.bundle.calibration(classifier.engine.runtime, classifier.engine.dtype).fused
    if fused is None:
        return
    partner, manifest = fused.partner, anomaly.bundle.manifest
    found = (manifest.name, manifest.version, anomaly.bundle.sha256)
    if (partner.name, partner.version, partner.bundle_sha256) != found:
        raise BundleError(
            f"{classifier.bundle.folder}: fused calibration",
            expected=f"anomaly bundle {partner.name} {partner.version} (sha256 {partner.bundle_sha256})",
            found=f"{found[0]} {found[1]} (sha256 {found[2]}); recalibrate the classifier with it",
        )
