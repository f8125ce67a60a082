"""The classifier of the image lane: preparation, engine and verdict; the engine may be missing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from classifiers.classifier import EngineUse, Verdicts
from classifiers.images.prepare import prepare_stamps
from classifiers.items import Stamps
from classifiers.loaded import LoadedEngine, by_role
from classifiers.verdict.images import image_verdicts
from classifiers.watch import Watch

IMAGE_ROLE = "image_anomaly"


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
        self._engine = by_role(engines, frozenset({IMAGE_ROLE})).get(IMAGE_ROLE)
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
        watch = Watch()
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
        verdicts = image_verdicts(answer, prepared)
        watch.stop("verdict")
        return replace(verdicts, stage_seconds=watch.seconds)
