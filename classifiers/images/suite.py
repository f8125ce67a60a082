"""The classifier of the image lane: preparation, engine and verdict; the engine may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from classifiers.classifier import Verdicts
from classifiers.images.prepare import prepare_stamps
from classifiers.items import Stamps
from classifiers.loaded import LoadedEngine
from classifiers.one_engine import OneEngineLane
from classifiers.verdict.images import image_verdicts
from classifiers.watch import Watch

IMAGE_ROLE = "image_anomaly"


class ImageSuite(OneEngineLane):
    """The image lane: one engine or none; a ``Classifier`` of ``Stamps``."""

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check the engine; arguments and errors as in ``OneEngineLane``."""
        super().__init__(IMAGE_ROLE, engines, threads)

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
        return replace(verdicts, nominal=self._nominal(items, verdicts), stage_seconds=watch.seconds)
