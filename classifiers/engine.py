"""The Engine protocol: a pure function of a batch, arrays in, named arrays out, shapes declared by the bundle.

The contract is final: better bundles drop in without code changes. Inputs and outputs by role (b = batch):

Spectral roles read ``flux`` and ``inverse_variance``, both (b, pixel) float32 on the bundle's grid: flux divided by the
row's scale, inverse variance times its square; masked pixels hold 0 in both. Channels are built in the graph.

``spectral_classifier``:
    class_logits (b, k+1) float32: log of the mean posterior probabilities, the last column is OTHER; calibration
        applies softmax(class_logits / T) over all columns: the last is p_other, the k classes are renormalised
    other_type_probability (b, m) float32: over the bundle's ``other_types``, given OTHER
    entropy, aleatoric_entropy, mutual_information (b,) float32 [nat] over the k classes
    energy (b,) float32: novelty ingredient, larger = more novel
    redshift, redshift_error (b,) float32: solution of the top class (NaN never; 0 for stars)
    redshift_margin (b,) float32: probability of the best minus the second redshift peak [0..1]
    alternative_class (b, a) int64, alternative_redshift (b, a) float32, alternative_probability (b, a) float32
    radial_velocity_km_s, radial_velocity_error_km_s (b,) float32, for stars (NaN where the bundle measures none)
    optional, for the bundle's ``lines``: line_flux, line_flux_error, line_equivalent_width, line_velocity_width
        (b, K) float32. Where the graph measures none, ``classifiers.lines`` measures them at ``redshift`` for rows that
        look like a galaxy or a quasar, and subclasses and redshift of these rows rest on what it finds
``anomaly``:
    score (b,) float32 reduced chi-square; contribution (b, pixel) float32 >= 0; map (b, 2) float32
``qso``:
    qso_logit, high_z_logit, bal_logit (b,) float32; p_qso_high_z = sigmoid(qso_logit) sigmoid(high_z_logit)
    optional, for the bundle's ``survey_qso_z_thresholds``: survey_high_z_logit (b, s) float32, takes the place of
        high_z_logit for spectra of these surveys
    redshift_qso, redshift_qso_error (b,) float32
``image_anomaly`` reads ``stamps`` (b, 3, 63, 63) float32 (science, template, difference; robustly normalised) and
    ``mask`` (b, 3, 63, 63) float32 (1 = valid): score (b,) deviance, larger = more novel, contribution (b, 3, 63, 63)
    >= 0, the terms of its part that is a sum over pixels, map (b, 2);
    optional class_logits (b, k) for a stamp classifier.
``narrowband`` reads ``flux`` and ``inverse_variance``, both (b, band) float32 on the bundle's ``bands``: F_lambda
    divided by the row's scale, inverse variance times its square; masked bands hold 0 in both.
    class_logits (b, k) float32: log posterior of the bundle's k classes but for a constant; calibration applies
        softmax(class_logits / T); P(QSO) is the sum over ``qso_classes``, P(QSO above the threshold) that over
        ``high_z_classes``
    redshift, redshift_error (b,) float32: solution of the top class (NaN never; without meaning for stars)
    redshift_qso, redshift_qso_error (b,) float32: solution if it is a quasar
    score (b,) float32 reduced chi-square against what the network can explain: novelty, larger = more novel
    contribution (b, band) float32 >= 0, its terms

A graph must give a row the same bits wherever it stands in the batch. On onnxruntime that rules out ReduceSum and
ReduceMean over trailing axes: take such sums as matrix products with a column of ones
(``classifiers.runtimes.independence`` tests it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class Engine(Protocol):
    """One loaded bundle on one runtime."""

    @property
    def name(self) -> str:
        """Return the bundle's name."""
        ...

    @property
    def runtime(self) -> str:
        """Return the runtime that computes: onnxruntime, tensorrt, tensorrt_rtx or torch."""
        ...

    @property
    def dtype(self) -> str:
        """Return the number format of the network: fp32, fp16 or bf16."""
        ...

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Compute the outputs of n >= 1 rows; padding to buckets never leaks into the result.

        Args:
            inputs: arrays by input name, first axis n, C-contiguous.

        Returns:
            Arrays by output name, first axis n.
        """
        ...
