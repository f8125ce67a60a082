"""``bundle.json``: what a bundle is, reads and answers, and the digest of each of its files.

The manifest describes; nothing in it is executed. Unknown keys are refused, so that a manifest written for a later
version is never half understood.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from classifiers.preprocess.grid import CommonGrid

Role: TypeAlias = Literal["spectral_classifier", "anomaly", "qso", "image_anomaly", "narrowband"]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

SPECTRAL_ROLES: frozenset[str] = frozenset({"spectral_classifier", "anomaly", "qso"})
INPUTS: dict[str, tuple[str, ...]] = {
    "spectral_classifier": ("flux", "inverse_variance"),
    "anomaly": ("flux", "inverse_variance"),
    "qso": ("flux", "inverse_variance"),
    "image_anomaly": ("stamps", "mask"),
    "narrowband": ("flux", "inverse_variance"),
}
"""Inputs of each role, by the contract of ``classifiers.engine``."""
OUTPUTS: dict[str, tuple[str, ...]] = {
    "spectral_classifier": (
        "class_logits",
        "other_type_probability",
        "entropy",
        "aleatoric_entropy",
        "mutual_information",
        "energy",
        "redshift",
        "redshift_error",
        "redshift_margin",
        "alternative_class",
        "alternative_redshift",
        "alternative_probability",
        "radial_velocity_km_s",
        "radial_velocity_error_km_s",
    ),
    "anomaly": ("score", "contribution", "map"),
    "qso": ("qso_logit", "high_z_logit", "bal_logit", "redshift_qso", "redshift_qso_error"),
    "image_anomaly": ("score", "contribution", "map"),
    "narrowband": (
        "class_logits",
        "redshift",
        "redshift_error",
        "redshift_qso",
        "redshift_qso_error",
        "score",
        "contribution",
    ),
}
"""Outputs that each role must have."""
SURVEY_HIGH_Z = "survey_high_z_logit"
"""Optional output of role qso: the logit of high_z_logit at the thresholds of ``survey_qso_z_thresholds``."""
LINE_OUTPUTS = ("line_flux", "line_flux_error", "line_equivalent_width", "line_velocity_width")


class Frozen(BaseModel):
    """Base of the models on disk: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputGrid(Frozen):
    """The common grid that a spectral bundle reads; see ``CommonGrid``."""

    log10_start: float = Field(description="log10 of the first bin's centre [log10 Angstrom, vacuum]")
    log10_step: float = Field(gt=0, description="width of a bin [dex]")
    n: int = Field(ge=1, description="number of bins")

    def grid(self) -> CommonGrid:
        """Return the grid itself."""
        return CommonGrid(self.log10_start, self.log10_step, self.n)


class Band(Frozen):
    """One band of a narrow-band bundle; a measurement belongs to it when its wavelength is within the tolerance."""

    name: str = Field(min_length=1)
    wavelength_angstrom: float = Field(gt=0, description="central (pivot) wavelength [Angstrom]")
    tolerance_angstrom: float = Field(gt=0, description="how far the wavelength in a record may be from it [Angstrom]")


class Tensor(Frozen):
    """One input or output of the graph; the batch axis comes first and is not in ``shape``."""

    name: str = Field(min_length=1)
    shape: tuple[Annotated[int, Field(ge=0)], ...] = Field(description="shape of one row")
    dtype: Literal["float32", "int64"] = "float32"


class Domain(Frozen):
    """Where the bundle's answers hold; outside, records are unknown (OUT_OF_DOMAIN) or get a quality bit."""

    min_coverage: float = Field(default=0.0, ge=0, le=1, description="below this fraction of the grid: OUT_OF_DOMAIN")
    full_coverage: float = Field(
        default=0.0, ge=0, le=1, description="below this fraction of the grid: bit SHORT_COVERAGE"
    )
    min_snr: float | None = Field(default=None, description="below this median S/N per grid pixel: OUT_OF_DOMAIN")
    full_snr: float | None = Field(default=None, description="below this median S/N per grid pixel: bit LOW_SNR")
    max_snr: float | None = Field(
        default=None, description="above this median S/N per grid pixel, which no errors can be: OUT_OF_DOMAIN"
    )
    no_signal_snr: float | None = Field(
        default=None, description="below this median S/N: NO_SIGNAL, whatever the classes say"
    )
    min_resolving_power: float | None = Field(default=None, description="below: OUT_OF_DOMAIN and bit LOW_RESOLUTION")
    max_resolving_power: float | None = Field(default=None, description="above: OUT_OF_DOMAIN")
    mediums: tuple[Literal["AIR", "VACUUM"], ...] = ("AIR", "VACUUM")
    samplings: tuple[Literal["DISPERSED", "NARROWBAND"], ...] = ("DISPERSED",)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.min_resolving_power, self.max_resolving_power
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_resolving_power {low} is above max_resolving_power {high}")
        return self


class SurveyThreshold(Frozen):
    """Redshift above which one survey calls a quasar distant."""

    survey: str = Field(pattern=r"^[A-Z0-9][A-Z0-9_-]*$", description="upper-case survey name, as in the L1 record")
    redshift: float = Field(gt=0)


class Training(Frozen):
    """How the weights came about; free of dates, so that the same training gives the same manifest."""

    command: str = Field(description="command line that trained it")
    seed: int
    data: dict[str, Sha256] = Field(default_factory=dict, description="training inputs: name to SHA-256")
    settings: dict[str, Any] = Field(default_factory=dict, description="everything else that decides the weights")


class Tolerance(Frozen):
    """How far another runtime or number format may be from the golden outputs (onnxruntime, fp32, CPU)."""

    class_agreement: float = Field(
        default=1.0, ge=0, le=1, description="least fraction of rows with the same top class"
    )
    probability: float = Field(default=0.0, ge=0, description="largest difference of a probability")
    entropy: float = Field(default=0.0, ge=0, description="largest difference of an entropy [nat]")
    redshift: float = Field(default=0.0, ge=0, description="largest difference of redshift / (1 + z)")
    p_value: float = Field(default=0.0, ge=0, description="largest difference of a p-value")
    relative: float = Field(
        default=1e-3, ge=0, description="largest difference of any other output, of the largest value of it [1]"
    )


class Manifest(Frozen):
    """``bundle.json``.

    The class order is the order of ``class_logits``; a ``spectral_classifier`` has one more column, OTHER.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str = Field(min_length=1)
    role: Role
    architecture: str = Field(
        default="", description="name from which the torch module is rebuilt; empty when it cannot be"
    )
    class_scheme: str = Field(default="", description="name of the class scheme; empty without classes")
    class_names: tuple[str, ...] = ()
    star_classes: tuple[str, ...] = Field(default=(), description="classes with a radial velocity and no redshift")
    other_types: tuple[str, ...] = Field(
        (), description="recognised types outside the scheme: M, LT, WD, CV, CARBON, OB, SKY"
    )
    prior_id: str = Field(default="", description="class prior of the training sample")
    grid: InputGrid | None = Field(default=None, description="input grid of a spectral role")
    stamp_shape: tuple[int, int, int] | None = Field(
        default=None, description="(stamp, height, width) of an image role"
    )
    bands: tuple[Band, ...] = Field(default=(), description="bands that a narrowband role reads, by wavelength")
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    domain: Domain = Domain()
    batch_buckets: tuple[int, ...] = Field(description="batch sizes that the graph is run at; never 1")
    redshift_range: tuple[float, float] | None = Field(default=None, description="range searched [1]")
    family_redshift_ranges: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="ranges of their own, by what class names begin with (GALAXY)"
    )
    zwarn_margin: float = Field(
        default=0.0, ge=0, le=1, description="redshift_margin below this sets zwarn bit 2 (ambiguous)"
    )
    zwarn_snr: float | None = Field(default=None, description="S/N below this sets zwarn bit 1")
    zwarn_coverage: float = Field(default=0.0, ge=0, le=1, description="coverage below this sets zwarn bit 8")
    qso_z_threshold: float | None = Field(
        default=None, description="redshift threshold of high_z_logit, or between the QSO classes of a narrowband role"
    )
    survey_qso_z_thresholds: tuple[SurveyThreshold, ...] = Field(
        default=(), description="surveys with a threshold of their own, in the order of survey_high_z_logit"
    )
    qso_classes: tuple[str, ...] = Field(default=(), description="classes of a narrowband role that are quasars")
    high_z_classes: tuple[str, ...] = Field(default=(), description="those of qso_classes at or above qso_z_threshold")
    lines: tuple[str, ...] = Field(default=(), description="names of the measured lines")
    training: Training
    metrics: dict[str, Any] = Field(default_factory=dict, description="what the evaluation measured")
    tolerances: dict[str, Tolerance] = Field(default_factory=dict, description="by number format")
    files: dict[str, Sha256] = Field(description="every other file of the bundle: relative path to SHA-256")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _check_tensors("input", INPUTS[self.role], self.inputs, exact=True)
        _check_tensors("output", OUTPUTS[self.role], self.outputs, exact=False)
        if (self.role in SPECTRAL_ROLES) != (self.grid is not None):
            raise ValueError(f"role {self.role} {'needs' if self.grid is None else 'has no'} grid")
        if (self.role == "image_anomaly") != (self.stamp_shape is not None):
            raise ValueError(f"role {self.role} {'needs' if self.stamp_shape is None else 'has no'} stamp_shape")
        if (
            not self.batch_buckets
            or min(self.batch_buckets) < 2
            or list(self.batch_buckets) != sorted(set(self.batch_buckets))
        ):
            raise ValueError(f"batch_buckets must ascend and be at least 2, not {self.batch_buckets}")
        if self.role in ("qso", "narrowband") and self.qso_z_threshold is None:
            raise ValueError(f"role {self.role} needs qso_z_threshold")
        surveys = [each.survey for each in self.survey_qso_z_thresholds]
        answered = SURVEY_HIGH_Z in {tensor.name for tensor in self.outputs}
        if len(set(surveys)) != len(surveys) or bool(surveys) != answered:
            raise ValueError(f"survey_qso_z_thresholds name each survey once and need the output {SURVEY_HIGH_Z}")
        self._check_bands()
        if len(set(self.class_names)) != len(self.class_names) or not set(self.star_classes) <= set(self.class_names):
            raise ValueError("class_names must differ from each other and contain every one of star_classes")
        if self.class_names and not self.class_scheme:
            raise ValueError("class_names need a class_scheme")
        self._check_shapes()
        return self

    def _check_bands(self) -> None:
        if (self.role == "narrowband") != bool(self.bands):
            raise ValueError(f"role {self.role} {'has no' if self.bands else 'needs'} bands")
        if not set(self.high_z_classes) <= set(self.qso_classes) <= set(self.class_names):
            raise ValueError("class_names must contain every one of qso_classes, and those every one of high_z_classes")
        if self.role == "narrowband" and not self.high_z_classes:
            raise ValueError("role narrowband needs qso_classes and high_z_classes")
        for one, two in pairwise(self.bands):
            if one.wavelength_angstrom + one.tolerance_angstrom > two.wavelength_angstrom - two.tolerance_angstrom:
                raise ValueError(f"bands must ascend and their tolerances not overlap: {one.name}, {two.name}")

    def _check_shapes(self) -> None:
        wanted: dict[str, tuple[int, ...]] = {}
        k = len(self.class_names)
        if self.grid is not None:
            wanted |= {"flux": (self.grid.n,), "inverse_variance": (self.grid.n,), "contribution": (self.grid.n,)}
        if self.bands:
            wanted |= dict.fromkeys(("flux", "inverse_variance", "contribution"), (len(self.bands),))
        if self.stamp_shape is not None:
            wanted |= dict.fromkeys(("stamps", "mask", "contribution"), self.stamp_shape)
        if self.role == "spectral_classifier":
            if k == 0:
                raise ValueError("role spectral_classifier needs class_names")
            wanted |= {"class_logits": (k + 1,), "other_type_probability": (len(self.other_types),)}
        elif k:
            wanted |= {"class_logits": (k,)}
        wanted |= {"map": (2,), SURVEY_HIGH_Z: (len(self.survey_qso_z_thresholds),)}
        wanted |= dict.fromkeys(LINE_OUTPUTS, (len(self.lines),))
        scalars = set(OUTPUTS[self.role]) - set(wanted)
        scalars -= {"alternative_class", "alternative_redshift", "alternative_probability"}
        wanted |= dict.fromkeys(scalars, ())
        for tensor in (*self.inputs, *self.outputs):
            shape = wanted.get(tensor.name)
            if shape is not None and tensor.shape != shape:
                raise ValueError(
                    f"tensor {tensor.name} of a {self.role} must have row shape {shape}, not {tensor.shape}"
                )
            if (tensor.name == "alternative_class") != (tensor.dtype == "int64"):
                raise ValueError(f"tensor {tensor.name} has dtype {tensor.dtype}")
        if (k and self.role == "image_anomaly" and "class_logits" not in {t.name for t in self.outputs}) or (
            self.lines and not set(LINE_OUTPUTS) <= {t.name for t in self.outputs}
        ):
            raise ValueError("class_names of an image bundle need class_logits, and lines need their four outputs")


def _check_tensors(what: str, wanted: tuple[str, ...], tensors: tuple[Tensor, ...], *, exact: bool) -> None:
    names = [tensor.name for tensor in tensors]
    missing = [name for name in wanted if name not in names]
    if missing or len(set(names)) != len(names) or (exact and len(names) != len(wanted)):
        raise ValueError(f"{what}s must be {', '.join(wanted)}, each once; got {', '.join(names) or 'none'}")
