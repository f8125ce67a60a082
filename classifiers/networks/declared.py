"""What networks say of themselves in plain numbers, for those who describe or score them and need no torch.

Names are the graphs' outputs in their order; bins are steps of ln(1 + z).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

LN_STEP = 3e-4 * math.log(10.0)
GALAXY_BINS, GALAXY_BIN = 480, 3 * LN_STEP
QSO_BINS, QSO_BIN = 312, 9 * LN_STEP
ALTERNATIVES = 3
"""Of class and redshift, that the classifier names beside its first answer."""
CLASSIFIER_OUTPUTS = (
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
)

ANOMALY_OUTPUTS = ("score", "contribution", "map")

QSO_OUTPUTS = ("qso_logit", "high_z_logit", "bal_logit", "redshift_qso", "redshift_qso_error", "survey_high_z_logit")
REDSHIFT_THRESHOLD = 2.1
SURVEY_THRESHOLDS: Mapping[str, float] = {"WEAVE": 2.2}
"""Surveys with a threshold of their own: WEAVE-QSO selects Lyman-alpha forests at z > 2.2 (Pieri et al. 2016,
arXiv:1611.09388)."""

BANDS = 56
"""Of J-PAS; its finder's classes part at ``REDSHIFT_THRESHOLD``."""
NARROWBAND_OUTPUTS = (
    "class_logits",
    "redshift",
    "redshift_error",
    "redshift_qso",
    "redshift_qso_error",
    "score",
    "contribution",
)
