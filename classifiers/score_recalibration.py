"""Recalibrates the unknown flag of a bundle with one novelty score from a survey's own labelled objects.

These are pseudo-spectra in bands and alert stamps. The score of an object, and whether the flag reaches novelty at all,
are those that the lane's classifier publishes. Temperature and factors on errors stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle
from classifiers.bundle.manifest import Manifest
from classifiers.images.suite import IMAGE_ROLE, ImageSuite
from classifiers.items import Spectrum, Stamps
from classifiers.loaded import LoadedEngine, by_role
from classifiers.narrowband.suite import NARROWBAND_ROLE, NarrowbandSuite
from classifiers.quality import Quality
from classifiers.recalibration import Declared, Labelled, groups, recalibrated, with_enough
from classifiers.verdict.calibrate import score_calibration
from classifiers.verdict.conformal import smallest_sample

LANES: Mapping[str, type[NarrowbandSuite] | type[ImageSuite]] = {
    NARROWBAND_ROLE: NarrowbandSuite,
    IMAGE_ROLE: ImageSuite,
}
"""Classifier of the lane, by role."""
_REACHED = (None, "NOVEL")
"""Reasons with which a verdict on novelty was reached."""


@dataclass(frozen=True, slots=True)
class NoveltyScores(Labelled):
    """Scores of n labelled objects inside the domain; ``score``: (n,) float64."""

    score: NDArray[np.float64]


class ScoreRecalibration:
    """Scores labelled objects batch by batch, then makes the calibration."""

    def __init__(self, engines: Sequence[LoadedEngine], role: str) -> None:
        """Take the engine of a role of ``LANES``.

        Raises:
            BundleError: none of the role among them, or two.
        """
        found = by_role([each for each in engines if each.bundle.manifest.role == role], frozenset({role}))
        if role not in found:
            raise BundleError("bundles", expected=f"a bundle of role {role}", found="none")
        self._engine = found[role]
        self._suite = LANES[role]([self._engine])

    @property
    def bundle(self) -> Bundle:
        """Return the bundle."""
        return self._engine.bundle

    @property
    def manifest(self) -> Manifest:
        """Return its manifest."""
        return self.bundle.manifest

    @property
    def calibration(self) -> Calibration:
        """Return the calibration that it came with, for the runtime in use."""
        return self._engine.calibration

    def needed(self, alpha: float, confidence: float) -> int:
        """Return how many known objects of one coverage a rate needs, held with a confidence."""
        return smallest_sample(alpha, confidence)

    def score(
        self, names: Sequence[str], items: Sequence[Spectrum] | Sequence[Stamps], label: NDArray[np.int64]
    ) -> NoveltyScores:
        """Score n >= 1 labelled objects; those that the flag would stop before novelty are counted and left out."""
        verdicts = self._suite.classify(items)  # type: ignore[arg-type]
        score = verdicts.columns["anomaly_score"]
        reached = np.array([reason in _REACHED for reason in verdicts.unknown_reason], np.bool_)
        inside = np.flatnonzero(reached & np.isfinite(score))
        return NoveltyScores(
            names=tuple(names[row] for row in inside.tolist()),
            surveys=tuple(items[row].survey for row in inside.tolist()),
            label=label[inside],
            short=(verdicts.quality_flags[inside] & int(Quality.SHORT_COVERAGE)) > 0,
            flagged=verdicts.unknown[inside],
            outside=len(items) - inside.size,
            score=score[inside],
        )

    def calibrate(self, scores: NoveltyScores, alpha: float, confidence: float, identifier: str = "") -> Calibration:
        """Return the calibration for domain SURVEY.

        Args:
            scores: of labelled objects, each object once.
            alpha: declared false-unknown rate, all of it spent on NOVEL.
            confidence: that the rate holds for this sample.
            identifier: as L2 records name it; "" makes one from the objects and their labels.

        Raises:
            TooFewLabels: with the number that is needed.
        """
        domain, declared = self.manifest.domain, Declared(alpha, 0.0, confidence)
        found, needed = groups(scores, domain), self.needed(alpha, confidence)
        enough = with_enough(found, needed, declared, whole_can_be_kept=True)
        return recalibrated(
            self.calibration,
            {coverage: score_calibration(coverage, scores.score[rows]) for coverage, rows in enough.items()},
            declared,
            domain,
            id=identifier or scores.identifier(),
            surveys=tuple(sorted(set(scores.surveys))),
            runtime=self._engine.engine.runtime,
            dtype=self._engine.engine.dtype,
        )
