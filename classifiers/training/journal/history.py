"""Losses of a training epoch by epoch, on its own samples and on held-out simulations, as numbers and as curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.training.evaluation.binned import binned_share
from classifiers.training.evaluation.document import Curve, Plot

TOTAL = "loss"
"""Name of the term that is the whole loss; every other is a part of it."""
_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0 + 1e-9)
_QUANTILES = np.linspace(0.02, 0.98, 49)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a network in training does on simulations that it is not trained on.

    Attributes:
        terms: mean loss by term, as in training but without augmentation.
        calibration: whether what it promises holds: a calibrated network lies on the diagonal.
    """

    terms: Mapping[str, float]
    calibration: Plot


@dataclass(frozen=True, slots=True)
class Epoch:
    """Mean losses of one epoch by term; ``held_out`` is measured at its end, ``training`` all along it."""

    training: Mapping[str, float]
    held_out: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class History:
    """All epochs so far, and the calibration at the end of the last; a new one for each epoch."""

    epochs: tuple[Epoch, ...] = ()
    calibration: Plot | None = None

    def plus(self, training: Mapping[str, float], held_out: HeldOut | None) -> History:
        """Return the history with one more epoch."""
        epoch = Epoch(dict(training), {} if held_out is None else dict(held_out.terms))
        return History((*self.epochs, epoch), self.calibration if held_out is None else held_out.calibration)

    def plain(self) -> dict[str, Any]:
        """Return the history as JSON types."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "calibration": None if self.calibration is None else asdict(self.calibration),
        }

    @staticmethod
    def of(plain: Mapping[str, Any]) -> History:
        """Return the history that ``plain`` gave.

        Raises:
            KeyError, TypeError: it is none.
        """
        plot = plain["calibration"]
        if plot is not None:
            plot = Plot(**{**plot, "curves": [Curve(**curve) for curve in plot["curves"]]})
        return History(tuple(Epoch(**epoch) for epoch in plain["epochs"]), plot)

    def to_json(self, told: Mapping[str, str | int]) -> str:
        """Return the history as a JSON document, with what the training was told."""
        return json.dumps({"training": dict(told), **self.plain()}, indent=1) + "\n"

    def plots(self) -> dict[str, Plot]:
        """Return the pictures by name: each term of the loss, training beside held-out, calibration."""
        names = [name for name in self._terms("training") if name != TOTAL]
        terms = [self._curve(name, name, "training") for name in names]
        both = [self._curve(TOTAL, "training", "training"), self._curve(TOTAL, "held-out simulations", "held_out")]
        found = {
            "loss-terms": Plot("Terms of the loss", "epoch", "mean loss", terms),
            "loss": Plot("Loss", "epoch", "mean loss", [curve for curve in both if curve.x]),
        }
        return found if self.calibration is None else {**found, "calibration": self.calibration}

    def _terms(self, sample: str) -> list[str]:
        return list(dict.fromkeys(name for epoch in self.epochs for name in getattr(epoch, sample)))

    def _curve(self, term: str, name: str, sample: str) -> Curve:
        points = [(number + 1, getattr(epoch, sample).get(term)) for number, epoch in enumerate(self.epochs)]
        kept = [(float(number), float(loss)) for number, loss in points if loss is not None]
        return Curve(name, [number for number, _ in kept], [loss for _, loss in kept])


def reliability(promised: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]]) -> Plot:
    """Return how often something happens against the probability that was promised, with exact 95 % bands.

    Args:
        promised: by name: (n,) probabilities, and whether it happened.
    """
    curves = [
        binned_share(name, probability.astype(np.float64), happened, _EDGES)
        for name, (probability, happened) in promised.items()
    ]
    return Plot(
        "Reliability on held-out simulations", "probability", "how often", curves, "points", diagonal=True,
        y_range=(0.0, 1.02),
    )  # fmt: skip


def top_class(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.int64]) -> Plot:
    """Return the reliability of the most probable class.

    Args:
        probabilities: (n, k).
        truth: (n,) true class.
    """
    right = probabilities.argmax(axis=1) == truth
    return reliability({"top class": (probabilities.max(axis=1), right)})


def same_distribution(name: str, trained: NDArray[np.floating[Any]], held_out: NDArray[np.floating[Any]]) -> Plot:
    """Return the share of held-out values below each quantile of the training values.

    Args:
        name: of the value.
        trained: (m,) on the training samples.
        held_out: (n,).
    """
    below = [float(np.mean(held_out <= edge)) for edge in np.quantile(trained, _QUANTILES)]
    curve = Curve(name, _QUANTILES.round(4).tolist(), below)
    axes = ("share of training samples below", "share of held-out simulations below")
    return Plot(f"{name} of held-out simulations", *axes, [curve], diagonal=True, y_range=(0.0, 1.02))


def joined(parts: Sequence[tuple[Mapping[str, float], int]]) -> dict[str, float]:
    """Return the means over batches of different sizes: of (losses by term, rows)."""
    rows = sum(size for _, size in parts)
    return {name: sum(losses[name] * size for losses, size in parts) / rows for name in parts[0][0]}
