"""Trains the small classifiers and scores each on the real spectra of the survey that it has not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.networks.classifier import ExportedClassifier
from classifiers.networks.declared import CLASSIFIER_OUTPUTS
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.training.epochs import known_classes
from classifiers.training.evaluation.answers import GROUP_OF, GROUPS
from classifiers.training.evaluation.left_out import LEFT_OUT, MEASURES, LeaveOneOut, SurveyScores
from classifiers.training.evaluation.other_samples import desi_coadds
from classifiers.training.evaluation.real_spectra import RealLabel, real_spectra
from classifiers.training.fitting import fit_classifier
from classifiers.training.imperfect import spoil
from classifiers.training.samples import CHUNK, Samples, compact
from classifiers.training.simulation.basis import SHIPPED
from classifiers.training.simulation.instruments import NAMES
from classifiers.training.simulation.scheme import CLASSES, OTHER_INDEX
from classifiers.training.simulation.simulator import DEFAULT_KINDS, TRAINING_KINDS, SimulatedBatch, Simulator

Progress = Callable[[str, float], None]
SIMULATIONS, EPOCHS = 20_480, 4
HELD_OUT_N, _HELD_OUT_SEED = 4096, 3_000_017
NOVEL_SHARE = 0.01
_REDSHIFT_LIMIT = 0.0033
_CLASS_LOGITS, _ENERGY, _REDSHIFT = (CLASSIFIER_OUTPUTS.index(name) for name in ("class_logits", "energy", "redshift"))
Real = tuple[list[Spectrum], list[RealLabel]]


def leave_one_out(
    spectra_folder: Path,
    seed: int = 1,
    simulations: int = SIMULATIONS,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
    held_out: int = HELD_OUT_N,
) -> LeaveOneOut:
    """Train one classifier with every instrument and one without each survey, and score them on the real spectra.

    Args:
        spectra_folder: holds the real spectra and the DESI coadds.
        seed: of simulations and trainings.
        simulations: each classifier is trained on.
        epochs: passes over them.
        progress: called with what is being done and the fraction done.
        held_out: further simulations, whose known objects set each classifier's limit of novelty.
    """
    simulator = Simulator.load()
    surveys = _by_survey(spectra_folder)
    torch.set_num_threads(1)
    scores: dict[tuple[str, bool], SurveyScores] = {}
    runs: list[str | None] = [None, *LEFT_OUT]
    for number, absent in enumerate(runs):
        name = "every survey" if absent is None else f"without {absent}"

        def report(stage: str, fraction: float, number: int = number, name: str = name) -> None:
            if progress is not None:
                progress(f"{name}: {stage}", (number + fraction) / len(runs))

        left = () if absent is None else LEFT_OUT[absent]
        samples = draw_without(simulator, simulations, seed, left, training=True)
        module = ExportedClassifier(fit_classifier(samples, seed, epochs, report)).eval()
        others = known_classes(draw_without(simulator, held_out, _HELD_OUT_SEED, left, training=False))
        flux, inverse_variance = others.inputs()
        limit = float(np.quantile(_answers(module, flux, inverse_variance)[_ENERGY], 1.0 - NOVEL_SHARE))
        for survey in LEFT_OUT if absent is None else (absent,):
            scores[survey, absent is None] = score(module, survey, absent is None, surveys[survey], limit)
    basis = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    return LeaveOneOut(
        simulations, epochs, seed, basis, [scores[name, seen] for name in LEFT_OUT for seen in (True, False)]
    )


def draw_without(simulator: Simulator, n: int, seed: int, absent: Sequence[str], *, training: bool) -> Samples:
    """Simulate n samples of every instrument but some; the others keep their proportions to each other.

    Args:
        simulator: the forward simulator.
        n: how many.
        seed: of the sample.
        absent: names of instruments.
        training: with the made-up outliers, as the training of a classifier has them.
    """
    kinds = TRAINING_KINDS if training else DEFAULT_KINDS
    gone = [NAMES.index(name) for name in absent]
    parts: list[Samples] = []
    while sum(len(part) for part in parts) < n:
        chunk = len(parts)
        batch = simulator.draw(CHUNK, np.random.default_rng((seed, chunk)), kinds=kinds)
        drawn = compact(_rows(batch, np.flatnonzero(~np.isin(batch.instrument, gone))))
        spoil(drawn.flux, drawn.significance, np.random.default_rng((seed, chunk, 1)))
        parts.append(drawn)
    return Samples(*(np.concatenate([getattr(part, each.name) for part in parts])[:n] for each in fields(Samples)))


def score(module: ExportedClassifier, survey: str, seen: bool, real: Real, novelty_limit: float) -> SurveyScores:
    """Return what a classifier gets right of real spectra.

    Args:
        module: the network with its outputs.
        survey: whose spectra they are.
        seen: whether training had it.
        real: spectra and labels.
        novelty_limit: score above which a known object counts as flagged.
    """
    spectra, labels = real
    prepared = prepare(spectra, COMMON_GRID)
    outputs = _answers(module, prepared.flux, prepared.inverse_variance)
    logits = outputs[_CLASS_LOGITS]
    top = logits[:, : len(CLASSES)].argmax(axis=1)
    found = np.array(GROUPS)[GROUP_OF[top]]
    group = np.array([label.group for label in labels])
    truth = np.array([CLASSES.index(label.class_name) if label.class_name else -1 for label in labels])
    redshift = np.array([label.redshift for label in labels])
    known, labelled = np.isin(group, GROUPS), np.isin(group, GROUPS) & (truth >= 0)
    stars, outside = labelled & (group == "STAR"), np.isin(group, ("SKY", "OTHER"))
    measured = np.isin(group, ("GALAXY", "QSO")) & (found == group) & np.isfinite(redshift)
    error = np.abs(outputs[_REDSHIFT] - redshift) / (1.0 + redshift)
    counts = [_count(found == group, group == name) for name in GROUPS]
    counts += [_count(top == truth, rows) for rows in (labelled, stars)]
    counts.append(_count(error < _REDSHIFT_LIMIT, measured))
    counts.append(_count(logits.argmax(axis=1) == OTHER_INDEX, outside))
    counts.append(_count(outputs[_ENERGY] > novelty_limit, known))
    return SurveyScores(survey, seen, dict(zip(MEASURES, counts, strict=True)))


def _count(hits: NDArray[np.bool_], rows: NDArray[np.bool_]) -> tuple[int, int]:
    return int(np.count_nonzero(hits & rows)), int(np.count_nonzero(rows))


def _by_survey(spectra_folder: Path) -> dict[str, Real]:
    """Return the real spectra by survey, DESI's coadds among them."""
    spectra, labels = real_spectra(spectra_folder)
    found: dict[str, Real] = {name: ([], []) for name in LEFT_OUT}
    for items, truths in ((spectra, labels), desi_coadds(spectra_folder)):
        for item, label in zip(items, truths, strict=True):
            survey = label.survey.split("-")[0]
            if survey in found:
                found[survey][0].append(item)
                found[survey][1].append(label)
    return found


def _rows(batch: SimulatedBatch, chosen: NDArray[np.int64]) -> SimulatedBatch:
    return SimulatedBatch(*(getattr(batch, each.name)[chosen] for each in fields(SimulatedBatch)))


def _answers(
    module: ExportedClassifier, flux: NDArray[np.float32], inverse_variance: NDArray[np.float32]
) -> list[NDArray[np.float64]]:
    """Return the outputs of the graph, by position, (n, ...) float64."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(flux), CHUNK):
            rows = slice(start, start + CHUNK)
            parts.append(module(torch.from_numpy(flux[rows]), torch.from_numpy(inverse_variance[rows])))
    return [torch.cat(columns).numpy().astype(np.float64) for columns in zip(*parts, strict=True)]
