"""Calibration of one bundle on one runtime and number format: a JSON file beside the graph, pure data.

``calibration/<runtime>-<dtype>.json`` holds temperatures, the null distributions of the scores and the
thresholds of the unknown flag. ``classifiers.verdict`` applies them, ``classifiers.verdict.calibrate`` makes them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from classifiers.bundle.manifest import Frozen, Sha256


class TailTable(Frozen):
    """Where a score stands among n calibration scores; larger = more novel.

    ``at_or_above[i]`` calibration scores are >= the knot ``scores[i]``. In the upper tail every score is a knot;
    below it a p-value is taken from the next lower knot, hence never too small.
    """

    model_config = ConfigDict(ignored_types=(cached_property,))

    n: int = Field(ge=1, description="size of the calibration sample")
    scores: tuple[float, ...] = Field(
        min_length=1, description="strictly ascending; the smallest calibration score first"
    )
    at_or_above: tuple[Annotated[int, Field(ge=1)], ...] = Field(description="calibration scores at or above each knot")

    @model_validator(mode="after")
    def _monotone(self) -> Self:
        if len(self.scores) != len(self.at_or_above):
            raise ValueError(f"{len(self.scores)} scores but {len(self.at_or_above)} counts")
        if np.any(np.diff(self.scores) <= 0) or np.any(np.diff(self.at_or_above) >= 0):
            raise ValueError("scores must ascend and at_or_above must descend")
        if self.at_or_above[0] != self.n:
            raise ValueError(
                f"the smallest score must have all {self.n} scores at or above it, not {self.at_or_above[0]}"
            )
        return self

    @cached_property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the knots as arrays: scores (m,) float64 and at_or_above (m,) int64."""
        return np.asarray(self.scores, dtype=np.float64), np.asarray(self.at_or_above, dtype=np.int64)


class Partner(Frozen):
    """The anomaly bundle with which the fused novelty score was calibrated."""

    name: str
    version: str
    bundle_sha256: Sha256


class Fused(Frozen):
    """Conformal table of the fused novelty score (Fisher's combination of the energy and VAE-score p-values)."""

    partner: Partner
    anomaly_weight: float = Field(default=1.0, gt=0, description="of the VAE's p-value beside that of the energy")
    table: TailTable = Field(description="of the fused score, on objects that neither null table was made from")


class ShortCoverage(Frozen):
    """Null distributions and threshold of their own for spectra that cover less than the domain's ``full_coverage``.

    What is missing makes known objects look unlike known ones; among whole spectra they would fill the tail, and whole
    ones would be flagged at less than the declared rate.
    """

    n: int = Field(ge=1, description="number of held-out objects")
    p_other_threshold: float | None = Field(
        default=None, ge=0, le=1, description="p_other above it: OTHER_KNOWN (or NO_SIGNAL); None: never"
    )
    novelty: TailTable = Field(description="null distribution of energy, or of score")
    fused: TailTable | None = Field(default=None, description="of the fused score; only in a spectral_classifier")


class Calibration(Frozen):
    """One calibration file.

    ``alpha`` is what an L2 record declares as ``unknown_rate``: at most that fraction of known objects is called NOVEL
    or OTHER_KNOWN, among whole spectra and, with ``short_coverage``, among those that lack wavelengths (conformal
    prediction within groups, Vovk et al. 2005, Sect. 4.5). It is the sum of the two rates, each held with
    ``confidence``.

    With domain SURVEY the rate is guaranteed for the ``surveys`` whose labelled objects made the tables, in the mix in
    which they were labelled; for all others, and for the coverage that kept the tables of an earlier calibration
    (``kept_coverage``), it is nominal (``classifiers.verdict.promise``).
    """

    format: Literal[1] = 1
    id: str = Field(min_length=1, description="identifier of this calibration, as in the L2 record")
    runtime: str = "onnxruntime"
    dtype: Literal["fp32", "tf32", "fp16", "bf16"] = "fp32"
    domain: Literal["SIMULATED", "SURVEY"] = Field(
        default="SIMULATED", description="SIMULATED: nominal; SURVEY: guaranteed"
    )
    surveys: tuple[str, ...] = Field(
        default=(), description="of the labelled objects, upper case; none: not told (SIMULATED, older files)"
    )
    kept_coverage: Literal["WHOLE", "SHORT"] | None = Field(
        default=None, description="whose tables are those of an earlier calibration, too few of it being labelled"
    )
    n: int = Field(ge=1, description="number of held-out objects")
    alpha: float = Field(default=0.01, gt=0, lt=1, description="declared false-unknown rate")
    novel_rate: float = Field(default=0.01, gt=0, lt=1, description="part of alpha spent on NOVEL")
    other_rate: float = Field(default=0.0, ge=0, lt=1, description="part of alpha spent on OTHER_KNOWN")
    confidence: float = Field(default=0.99, gt=0, lt=1, description="that the rates hold for this calibration sample")
    temperature: float = Field(
        default=1.0, gt=0, description="divides class_logits (spectral_classifier, image classes)"
    )
    qso_temperature: float = Field(default=1.0, gt=0, description="divides qso_logit")
    high_z_temperature: float = Field(default=1.0, gt=0, description="divides high_z_logit")
    bal_temperature: float = Field(default=1.0, gt=0, description="divides bal_logit")
    redshift_error_factor: float = Field(
        default=1.0, gt=0, description="multiplies redshift_error and redshift_qso_error"
    )
    redshift_error_by_snr: tuple[tuple[float, Annotated[float, Field(gt=0)]], ...] = Field(
        default=(),
        description="of galaxies: (median S/N of a bin, factor on redshift_error), linear in ln S/N between them; "
        "empty: redshift_error_factor",
    )
    velocity_error_factor: float = Field(default=1.0, gt=0, description="multiplies radial_velocity_error_km_s")
    p_other_threshold: float | None = Field(
        None, ge=0, le=1, description="p_other above it: OTHER_KNOWN (or NO_SIGNAL)"
    )
    other_odds: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="by recognised type: what the odds of p_other are multiplied by before the threshold; 1 if absent",
    )
    novelty: TailTable | None = Field(default=None, description="null distribution of energy, or of score")
    fused: Fused | None = Field(default=None, description="only in a spectral_classifier")
    short_coverage: ShortCoverage | None = Field(
        default=None, description="of spectra that lack wavelengths; None: the same as for the others"
    )

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if self.novel_rate + self.other_rate > self.alpha * (1 + 1e-9):
            raise ValueError(
                f"novel_rate + other_rate = {self.novel_rate + self.other_rate} exceeds alpha = {self.alpha}"
            )
        if self.domain == "SIMULATED" and (self.surveys or self.kept_coverage):
            raise ValueError(f"a calibration of domain SIMULATED is of no survey, not of {', '.join(self.surveys)}")
        return self


def calibration_file(runtime: str, dtype: str) -> str:
    """Return the relative path of the calibration of a runtime and number format."""
    return f"calibration/{runtime}-{dtype}.json"
