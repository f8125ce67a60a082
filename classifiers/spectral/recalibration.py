"""Recalibrates the unknown flag of a spectral classifier from a survey's own labelled spectra (domain SURVEY).

Split conformal prediction promises its rate for objects exchangeable with those that the tables were made from, so a
survey's own known objects make the promise hold for that survey. The scores are computed from the spectra by the same
engines, since an L2 record holds p-values in the old tables, not the scores. What is not a statement about novelty
stays as it was: the temperature, the factors on errors, and the anomaly bundle with its own p-value.

Objects enter in the order of a digest of their names, hence at random with respect to what they are, and each once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, calibration_file
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle, write_bundle
from classifiers.bundle.manifest import Manifest
from classifiers.errors import ClassifierError
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine, by_role
from classifiers.preprocess.prepare import prepare
from classifiers.spectral.other import published_probabilities
from classifiers.verdict.answers import answered_rows
from classifiers.verdict.calibrate import known_needed, spectral_calibration
from classifiers.verdict.novelty import novelty
from classifiers.verdict.unknown import constant_rows, other_limits, weighed_other

_ROLES = frozenset({"spectral_classifier", "anomaly"})


class TooFewLabels(ClassifierError):
    """The labelled objects cannot hold the declared rate.

    Attributes:
        needed: known objects inside the bundle's domain.
        got: how many there are.
    """

    def __init__(self, needed: int, got: int, rate: float, confidence: float) -> None:
        super().__init__(
            f"calibrate: expected at least {needed} labelled known objects inside the bundle's domain, which a rate of "
            f"{rate:g} held with confidence {confidence:g} needs; received {got}"
        )
        self.needed = needed
        self.got = got


@dataclass(frozen=True, slots=True)
class Scores:
    """Engine outputs of n labelled spectra inside the domain.

    Attributes:
        names: of the spectra, n strings.
        label: (n,) int64 index into the classifier's ``class_names``.
        class_logits: (n, k+1) float32.
        p_other: (n,) float64, as it is published, weighed by type as before it is compared with the threshold.
        energy: (n,) float32.
        anomaly_score: (n,) float32, NaN without an anomaly engine.
        flagged: (n,) bool, NOVEL or OTHER_KNOWN by the calibration that the bundle came with.
        outside: spectra left out because the flag never reaches novelty: bad data or outside the domain.
    """

    names: tuple[str, ...]
    label: NDArray[np.int64]
    class_logits: NDArray[np.float32]
    p_other: NDArray[np.float64]
    energy: NDArray[np.float32]
    anomaly_score: NDArray[np.float32]
    flagged: NDArray[np.bool_]
    outside: int

    @staticmethod
    def joined(parts: Sequence[Scores]) -> Scores:
        """Join the scores of several batches, at least one."""
        return Scores(
            names=tuple(name for part in parts for name in part.names),
            label=np.concatenate([part.label for part in parts]),
            class_logits=np.concatenate([part.class_logits for part in parts]),
            p_other=np.concatenate([part.p_other for part in parts]),
            energy=np.concatenate([part.energy for part in parts]),
            anomaly_score=np.concatenate([part.anomaly_score for part in parts]),
            flagged=np.concatenate([part.flagged for part in parts]),
            outside=sum(part.outside for part in parts),
        )


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
        engine = self._engines["spectral_classifier"].engine
        return self.bundle.calibration(engine.runtime, engine.dtype)

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
        stopped |= constant_rows(prepared.flux, prepared.inverse_variance)
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
        flagged = novelty(answers, rows, n).novel | (other > other_limits(old, rows["spectral_classifier"].short))
        score = answers["anomaly"].outputs["score"] if "anomaly" in answers else np.full(n, np.nan, np.float32)
        return Scores(
            tuple(names[row] for row in inside.tolist()),
            label[inside],
            outputs["class_logits"][inside],
            other[inside],
            outputs["energy"][inside],
            score[inside],
            flagged[inside],
            n - inside.size,
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
        old = self.calibration
        other_rate = alpha * old.other_rate / old.alpha
        needed, got = known_needed(alpha, other_rate, confidence), len(scores.names)
        if got < needed:
            raise TooFewLabels(needed, got, alpha, confidence)
        digests = [hashlib.sha256(name.encode()).digest() for name in scores.names]
        order = np.array(sorted(range(got), key=lambda row: digests[row]))
        anomaly = self._engines.get("anomaly")
        partner: dict[str, Any] = {}
        if anomaly is not None:
            partner = {"anomaly": anomaly.bundle, "anomaly_scores": scores.anomaly_score[order]}
        engine = self._engines["spectral_classifier"].engine
        return spectral_calibration(
            identifier or f"survey-{_digest(scores)}-{got}",
            class_logits=scores.class_logits[order],
            labels=scores.label[order],
            energy=scores.energy[order],
            p_other=scores.p_other[order],
            alpha=alpha,
            other_rate=other_rate,
            confidence=confidence,
            temperature=old.temperature,
            runtime=engine.runtime,
            dtype=engine.dtype,
            domain="SURVEY",
            other_odds=old.other_odds,
            redshift_error_factor=old.redshift_error_factor,
            velocity_error_factor=old.velocity_error_factor,
            **partner,
        )


def _digest(scores: Scores) -> str:
    pairs = sorted(f"{name}\t{label}" for name, label in zip(scores.names, scores.label.tolist(), strict=True))
    return hashlib.sha256("\n".join(pairs).encode()).hexdigest()[:12]


def check_free(folder: Path) -> None:
    """Check that a bundle can be written to a folder without touching anything.

    Raises:
        BundleError: there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = "something in it" if folder.is_dir() else "a file"
        raise BundleError(str(folder), expected="a folder that is empty or not there yet", found=found)


def write_recalibrated(bundle: Bundle, calibration: Calibration, folder: Path) -> Bundle:
    """Write a copy of a bundle with one calibration replaced or added; the bundle itself is never touched.

    Raises:
        BundleError: there is something in the folder already.
    """
    check_free(folder)
    files = {name: (bundle.folder / name).read_bytes() for name in bundle.manifest.files}
    files[calibration_file(calibration.runtime, calibration.dtype)] = calibration.model_dump_json().encode()
    write_bundle(folder, bundle.manifest.model_dump(exclude={"files"}), files)
    return load_bundle(folder)
