"""The one interface that the stream sees: a lane's classifier turns a batch of items into verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EngineUse:
    """One engine that takes part, as the L2 record names it (field names equal the Avro record ``engine_use``)."""

    name: str
    version: str
    bundle_sha256: str
    runtime: str
    dtype: str
    calibration_id: str
    calibration_domain: str
    class_scheme: str = ""
    prior_id: str = ""

    def nominal(self) -> EngineUse:
        """Return how a record names the engine for which its calibration guarantees nothing."""
        return replace(self, calibration_domain="SIMULATED")


@dataclass(frozen=True, slots=True)
class Lines:
    """Measured lines of a batch of n spectra; arrays are (n, K) float64, NaN = not measured.

    Attributes:
        names: K line names.
        flux, flux_error: in ``flux_unit``.
        equivalent_width, equivalent_width_error: rest frame, emission positive [Angstrom].
        velocity_width, velocity_width_error: standard deviation without the instrument's, 0 = not resolved [km/s].
        flux_unit: n strings; None where no line is measured or the flux is not calibrated. Empty until the suite, which
            has the spectra, writes it.
    """

    names: tuple[str, ...]
    flux: NDArray[np.float64]
    flux_error: NDArray[np.float64]
    equivalent_width: NDArray[np.float64]
    equivalent_width_error: NDArray[np.float64]
    velocity_width: NDArray[np.float64]
    velocity_width_error: NDArray[np.float64]
    flux_unit: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the classifiers say of a batch of n items, as columns.

    Every float column is (n,) float64 with NaN = absent (null in L2); names and meanings equal the L2 fields.

    Attributes:
        class_scheme: scheme of ``class_names``; "" without classes.
        class_names: k class labels in the bundle's order.
        class_probabilities: (n, k) float64, rows sum to 1, or are NaN where ``top_class`` is -1 (absent: never publish
            them); (n, 0) without classes.
        top_class: (n,) int index into ``class_names``, -1 = none.
        columns: float columns by L2 field name: p_other, entropy, aleatoric_entropy, mutual_information, redshift,
            redshift_error, radial_velocity_km_s, radial_velocity_error_km_s, p_qso, redshift_qso, redshift_qso_error,
            p_qso_high_z, qso_z_threshold, p_bal, anomaly_score, anomaly_p_value, anomaly_wavelength_angstrom,
            anomaly_x_pixel, anomaly_y_pixel, unknown_p_value, map_x, map_y, snr, coverage. A missing key is an absent
            column.
        zwarn: (n,) int64, -1 = absent.
        other_type, unknown_reason: n strings or None.
        unknown: (n,) bool.
        unknown_rate: declared false-unknown rate.
        quality_flags: (n,) int64 bits of ``classifiers.quality.Quality``.
        alternative_class, alternative_redshift, alternative_probability: (n, a); class index -1 ends a row's list.
        lines: measured lines or None.
        anomaly_image: n strings or None, the image of the strongest pixel; None of other lanes.
        nominal: (n, e) bool, for which of the e engines (in the order of ``Classifier.engines``) the record is of no
            survey or coverage that the calibration, of domain SURVEY, was made from; None: for none.
        stage_seconds: seconds by stage ("preprocess", engine names, "lines", "verdict"); engines computed in one call
            are one stage, their names joined by "+". For telemetry only.
    """

    class_scheme: str
    class_names: tuple[str, ...]
    class_probabilities: NDArray[np.float64]
    top_class: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]
    zwarn: NDArray[np.int64]
    other_type: Sequence[str | None]
    unknown: NDArray[np.bool_]
    unknown_reason: Sequence[str | None]
    unknown_rate: float
    quality_flags: NDArray[np.int64]
    alternative_class: NDArray[np.int64]
    alternative_redshift: NDArray[np.float64]
    alternative_probability: NDArray[np.float64]
    lines: Lines | None = None
    anomaly_image: Sequence[str | None] | None = None
    nominal: NDArray[np.bool_] | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return n."""
        return int(self.top_class.shape[0])

    def uses(self, engines: Sequence[EngineUse], row: int) -> list[EngineUse]:
        """Return how the record of a row names the engines that took part."""
        if self.nominal is None:
            return list(engines)
        marks = self.nominal[row].tolist()
        return [use.nominal() if nominal else use for use, nominal in zip(engines, marks, strict=True)]


class Classifier(Protocol):
    """A lane's engines behind one call; a pure function of the items, whatever batch they come in.

    Any number of threads may call it at once.
    """

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engines that take part, in a fixed order."""
        ...

    def workers(self) -> int:
        """Return how many threads calling ``classify``, each with a batch of its own, keep the engines busy."""
        ...

    def classify(self, items: Sequence[Any]) -> Verdicts:
        """Classify n >= 1 items (``Spectrum`` in the spectrum and narrow-band lanes, ``Stamps`` in the image lane)."""
        ...
