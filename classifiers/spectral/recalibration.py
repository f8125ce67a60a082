"""Recalibrates the unknown flag of a spectral classifier from a survey's own labelled spectra (domain SURVEY).

The scores are computed from the spectra by the same engines, since an L2 record holds p-values in the old tables, not
the scores. What is not a statement about novelty stays as it was: the temperature, the factors on errors, and the
anomaly bundle with its own p-value. What other roles share with it is in ``classifiers.recalibration``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle
from classifiers.bundle.manifest import Manifest
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine, by_role
from classifiers.preprocess.prepare import prepare
from classifiers.recalibration import Coverage, Declared, Labelled, Rows, groups, recalibrated, with_enough
from classifiers.spectral.other import published_probabilities
from classifiers.verdict.answers import answered_rows
from classifiers.verdict.calibrate import ANOMALY_WEIGHT, known_needed, spectral_calibration
from classifiers.verdict.noiseless import noiseless_rows
from classifiers.verdict.novelty import novelty
from classifiers.verdict.unknown import constant_rows, negative_rows, other_limits, weighed_other

_ROLES = frozenset({"spectral_classifier", "anomaly"})


@dataclass(frozen=True, slots=True)
class Scores(Labelled):
    """Engine outputs of n labelled spectra inside the domain.

    Attributes:
        class_logits: (n, k+1) float32.
        p_other: (n,) float64, as it is published, weighed by type as before it is compared with the threshold.
        energy: (n,) float32.
        anomaly_score: (n,) float32, NaN without an anomaly engine.
    """

    class_logits: NDArray[np.float32]
    p_other: NDArray[np.float64]
    energy: NDArray[np.float32]
    anomaly_score: NDArray[np.float32]


class Recalibration:
    """Scores labelled spectra batch by batch, then makes the calibration."""

    def __init__(self, engines: Sequence[LoadedEngine]) -> None:
        """Take a spectral classifier, and the anomaly engine that it is fused with where there is one.

        Raises:
            BundleError: no spectral classifier among them, or two of one role.
        """
        self._engines = by_role([each for each in engines if each.bundle.manifest.role in _ROLES], _ROLES)
        if "spectral_classifier" not in self._engines:
            raise BundleError("bundles", expected="a bundle of role spectral_classifier", found="none")

    @property
    def bundle(self) -> Bundle:
        """Return the classifier's bundle."""
        return self._engines["spectral_classifier"].bundle

    @property
    def manifest(self) -> Manifest:
        """Return the classifier's manifest."""
        return self.bundle.manifest

    @property
    def calibration(self) -> Calibration:
        """Return the calibration that the classifier came with, for the runtime in use."""
        return self._engines["spectral_classifier"].calibration

    def needed(self, alpha: float, confidence: float) -> int:
        """Return how many known objects of one coverage a rate needs, held with a confidence."""
        return known_needed(alpha, self._declared(alpha, confidence).other_rate, confidence)

    def score(self, names: Sequence[str], spectra: Sequence[Spectrum], label: NDArray[np.int64]) -> Scores:
        """Score n >= 1 labelled spectra; those that the flag would stop before novelty are counted and left out."""
        n = len(spectra)
        grid = self.manifest.grid
        if grid is None:
            raise BundleError(self.manifest.name, expected="a grid", found="none")
        prepared = prepare(spectra, grid.grid())
        inputs = {"flux": prepared.flux, "inverse_variance": prepared.inverse_variance}
        answers = {role: loaded.answer(loaded.engine.run(inputs)) for role, loaded in self._engines.items()}
        rows = {role: answered_rows(answer, spectra, prepared) for role, answer in answers.items()}
        domain = rows["spectral_classifier"].domain
        stopped = np.logical_or.reduce([each.absent for each in rows.values()])
        stopped |= domain.outside | domain.low_snr | domain.no_signal
        stopped |= constant_rows(prepared.flux, prepared.inverse_variance) | negative_rows(prepared.snr)
        stopped |= noiseless_rows(prepared.flux, prepared.inverse_variance)
        inside = np.flatnonzero(~stopped)
        outputs = answers["spectral_classifier"].outputs
        old = self.calibration
        logits = np.where(stopped[:, None], np.float32(0), outputs["class_logits"])
        published = published_probabilities(
            self.manifest,
            old.temperature,
            {**outputs, "class_logits": logits},
            prepared.flux,
            prepared.inverse_variance,
        )
        other = weighed_other(published.other, outputs, self.manifest.other_types, old.other_odds)
        short = rows["spectral_classifier"].short
        flagged = novelty(answers, rows, n).novel | (other > other_limits(old, short))
        score = answers["anomaly"].outputs["score"] if "anomaly" in answers else np.full(n, np.nan, np.float32)
        return Scores(
            names=tuple(names[row] for row in inside.tolist()),
            surveys=tuple(spectra[row].survey for row in inside.tolist()),
            label=label[inside],
            short=short[inside],
            flagged=flagged[inside],
            outside=n - inside.size,
            class_logits=outputs["class_logits"][inside],
            p_other=other[inside],
            energy=outputs["energy"][inside],
            anomaly_score=score[inside],
        )

    def calibrate(self, scores: Scores, alpha: float, confidence: float, identifier: str = "") -> Calibration:
        """Return the calibration for domain SURVEY.

        Args:
            scores: of labelled objects, each object once.
            alpha: declared false-unknown rate; OTHER_KNOWN keeps its share of it.
            confidence: that the rate holds for this sample.
            identifier: as L2 records name it; "" makes one from the objects and their labels.

        Raises:
            TooFewLabels: with the number that is needed.
        """
        old, engine, domain = self.calibration, self._engines["spectral_classifier"].engine, self.manifest.domain
        declared, anomaly = self._declared(alpha, confidence), self._engines.get("anomaly")
        partner = None if old.fused is None else old.fused.partner.bundle_sha256
        can_be_kept = anomaly is None or anomaly.bundle.sha256 == partner
        found, needed = groups(scores, domain), self.needed(alpha, confidence)
        enough = with_enough(found, needed, declared, whole_can_be_kept=can_be_kept)
        made = {coverage: self._tables(scores, rows, coverage, declared) for coverage, rows in enough.items()}
        return recalibrated(
            old,
            made,
            declared,
            domain,
            id=identifier or scores.identifier(),
            surveys=tuple(sorted(set(scores.surveys))),
            runtime=engine.runtime,
            dtype=engine.dtype,
        )

    def _declared(self, alpha: float, confidence: float) -> Declared:
        old = self.calibration
        return Declared(alpha, alpha * old.other_rate / old.alpha, confidence)

    def _tables(self, scores: Scores, rows: Rows, coverage: Coverage, declared: Declared) -> Calibration:
        """Return the calibration of the labelled spectra of one coverage alone, as if there were no other."""
        old, anomaly = self.calibration, self._engines.get("anomaly")
        partner: dict[str, Any] = {}
        if anomaly is not None:
            null = anomaly.calibration
            if coverage == "SHORT" and null.short_coverage is not None:
                null = null.model_copy(update={"novelty": null.short_coverage.novelty})
            partner = {"anomaly": anomaly.bundle.with_calibration(null), "anomaly_scores": scores.anomaly_score[rows]}
        engine = self._engines["spectral_classifier"].engine
        return spectral_calibration(
            coverage,
            class_logits=scores.class_logits[rows],
            labels=scores.label[rows],
            energy=scores.energy[rows],
            p_other=scores.p_other[rows],
            alpha=declared.alpha,
            other_rate=declared.other_rate,
            confidence=declared.confidence,
            temperature=old.temperature,
            anomaly_weight=ANOMALY_WEIGHT if old.fused is None else old.fused.anomaly_weight,
            runtime=engine.runtime,
            dtype=engine.dtype,
            **partner,
        )
