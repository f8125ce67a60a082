"""The whole evaluation in one pass: every sample through the classifier, every section from its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Classifier
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.training.evaluation.answers import Answers, Progress, Scored, classified
from classifiers.training.evaluation.baselines import baselines, side_by_side, star_fit
from classifiers.training.evaluation.classification import classification
from classifiers.training.evaluation.damage import OtherSky
from classifiers.training.evaluation.desi import desi
from classifiers.training.evaluation.document import Report, Section
from classifiers.training.evaluation.doubt import doubt
from classifiers.training.evaluation.exposures import exposures
from classifiers.training.evaluation.fourmost import fourmost
from classifiers.training.evaluation.fourmost_exposure import FIBRES, observe
from classifiers.training.evaluation.headline import score
from classifiers.training.evaluation.left_out import LeaveOneOut, left_out
from classifiers.training.evaluation.other_samples import (
    SUPERNOVA_SNR,
    desi_coadds,
    double_redshifts,
    in_host_light,
    ozdes_transients,
    simulated,
    simulated_quasars,
    supernova_templates,
    supernovae,
)
from classifiers.training.evaluation.priors import priors
from classifiers.training.evaluation.quasars import Absorbed, quasars
from classifiers.training.evaluation.real_spectra import native_spectra, real_spectra
from classifiers.training.evaluation.realism.samples import pairs
from classifiers.training.evaluation.realism.section import realism
from classifiers.training.evaluation.redshifts import redshifts
from classifiers.training.evaluation.robustness import robustness
from classifiers.training.evaluation.tidal import tidal_disruptions
from classifiers.training.evaluation.unknown import InHost, Transients, each_object_once, unknown
from classifiers.training.evaluation.worst import Reconstruct, worst
from classifiers.training.simulation.scheme import CLASSES

SIMULATED_N = 4096
FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
_TRANSIENTS_A_HOST = 10
_DISRUPTIONS, _DISRUPTIONS_SNR = 200, 10.0
_ABSORBED, _SEEN_FROM = 2048, 1.5
"""Simulated quasars for broad absorption, and the redshift from which it can be seen."""
_SPLIT = 1024
"""Spectra of a sample that are split into exposures, at most."""
SURVEY_THRESHOLDS = ("WEAVE",)
"""Surveys whose redshift threshold of quasars is shown beside the default."""


def evaluate(classifier: Classifier, spectra_folder: Path, progress: Progress | None = None) -> Report:
    """Score a spectrum classifier on the labelled real spectra: the headline numbers alone.

    Args:
        classifier: of the spectrum lane, with its bundles.
        spectra_folder: of the real spectra and their labels; see ``real_spectra``.
        progress: called with the stage and the fraction done.
    """
    spectra, labels = real_spectra(spectra_folder)
    return score(labels, classified(classifier, spectra, progress, "real spectra"), _digests(classifier))


def evaluate_fully(
    classifier: Classifier,
    spectra_folder: Path,
    anomaly: LoadedEngine | None = None,
    progress: Progress | None = None,
    simulations: int = SIMULATED_N,
    reconstruct: Reconstruct | None = None,
    unseen: LeaveOneOut | None = None,
) -> Report:
    """Score a spectrum classifier on every sample, beside its baselines.

    Args:
        classifier: of the spectrum lane, with its bundles.
        spectra_folder: holds the real spectra, transients and templates.
        anomaly: engine of role ``anomaly``; without it the worst errors are not drawn.
        progress: called with the stage and the fraction done.
        simulations: size of the simulated held-out sample.
        reconstruct: of the anomaly bundle, for the worst errors; None leaves reconstructions out.
        unseen: what leaving one survey out of training gave; None leaves the section out.
    """

    def classify(items: Sequence[Spectrum], stage: str) -> Answers:
        return classified(classifier, items, progress, stage)

    if progress is not None:
        progress("simulations", 0.0)
    made, made_labels = simulated(simulations)
    spectra, labels = real_spectra(spectra_folder)
    real = Scored(labels, classify(spectra, "real spectra"))
    samples = {"real": real, "simulated": Scored(made_labels, classify(made, "simulations"))}
    coadds, coadd_labels = desi_coadds(spectra_folder)
    coadds_scored = Scored(coadd_labels, classify(coadds, "DESI coadds"))
    headline = score(labels, real.answers, _digests(classifier))
    items, absorbed = simulated_quasars(_ABSORBED, _SEEN_FROM)
    absorption = Absorbed(classify(items, "simulated quasars"), absorbed)
    exposure = observe(spectra_folder, classify, min(simulations, FIBRES))
    absorbing = absorption.answers.rows(np.flatnonzero(absorbed))
    transients = _transients(classifier, spectra_folder, spectra, real, absorbing, progress)
    both = {"real": (real, spectra), "simulated": (samples["simulated"], made)}
    skies = _skies(spectra_folder)
    if progress is not None:
        progress("baselines", 0.0)
    more, numbers = baselines(real, spectra, spectra_folder)
    found = replace(headline, proportions=[*headline.proportions, *more], numbers=[*headline.numbers, *numbers])
    others = {
        "simulations of all instruments": score(made_labels, samples["simulated"].answers, {}),
        "real spectra": found,
    }
    truth = samples["simulated"].truth
    mixture = np.array([np.count_nonzero(truth == name) for name in CLASSES], np.float64)
    surveys = {
        survey: {
            name: classify([replace(item, survey=survey) for item in items], f"as spectra of {survey}")
            for name, (_, items) in both.items()
        }
        for survey in SURVEY_THRESHOLDS
    }
    few = {name: (scored.first(_SPLIT), items) for name, (scored, items) in both.items()}
    trained_id = next((use.prior_id for use in classifier.engines() if use.class_scheme), "")
    sections: list[Section] = [
        side_by_side(found.proportions, found.numbers),
        classification(samples, {"coadds": coadds_scored}),
        redshifts(samples),
        exposures(few, classify, np.random.default_rng(13)),
        unknown(samples, transients),
        doubt(samples, each_object_once(transients.kinds, transients.objects)),
        *filter(None, [quasars(samples, surveys, absorption)]),
        priors(samples, mixture / mixture.sum(), trained_id),
        desi(coadds_scored),
        fourmost(exposure, star_fit(exposure.scored, exposure.spectra, spectra_folder), others),
        robustness(real, spectra, OtherSky(skies), classify),
    ]
    if unseen is not None:
        sections.append(left_out(unseen))
    if progress is not None:
        progress("simulated beside real", 0.0)
    sections.append(realism(list(pairs(spectra, labels, anomaly))))
    if anomaly is not None:
        sections.append(worst(real, spectra, anomaly, reconstruct))
    if progress is not None:
        progress("done", 1.0)
    return replace(found, sections=sections)


def _transients(
    classifier: Classifier,
    spectra_folder: Path,
    spectra: Sequence[Spectrum],
    real: Scored,
    absorbing: Answers,
    progress: Progress | None,
) -> Transients:
    objects: dict[str, list[str]] = {}
    kinds = {"broad absorption (simulated quasars)": absorbing}
    far = np.flatnonzero(np.isin(real.group, ("GALAXY", "QSO")) & np.isfinite(real.redshift))
    own = [real.labels[row].object_id for row in far.tolist()]
    alone = [spectra[row] for row in far.tolist()]
    pairs = double_redshifts(alone, real.redshift[far], own, np.random.default_rng(14))
    kinds["double redshifts (real pairs)"] = classified(classifier, pairs, progress, "double redshifts")
    for number, snr in enumerate(SUPERNOVA_SNR):
        items, labels = supernovae(spectra_folder, snr, np.random.default_rng((11, number)))
        kinds[f"supernovae, S/N {snr:g}"] = classified(classifier, items, progress, "supernovae")
        objects[f"supernovae, S/N {snr:g}"] = [label.object_id for label in labels]
    items, labels = ozdes_transients(spectra_folder)
    kinds["OzDES transients with host"] = classified(classifier, items, progress, "OzDES transients")
    objects["OzDES transients with host"] = [label.object_id for label in labels]
    hosts = np.flatnonzero((real.group == "GALAXY") & np.isfinite(real.redshift))
    flux = np.stack([spectra[row].flux for row in hosts.tolist()])
    weight = np.stack([spectra[row].uncertainty for row in hosts.tolist()])
    disruptions = tidal_disruptions(_DISRUPTIONS, np.random.default_rng(15))
    noise = np.random.default_rng(16).standard_normal(disruptions.shape, np.float32) / np.float32(_DISRUPTIONS_SNR)
    bare = native_spectra(disruptions + noise, np.full_like(disruptions, _DISRUPTIONS_SNR**2))
    name = f"tidal disruption events (made up), S/N {_DISRUPTIONS_SNR:g}"
    kinds[name] = classified(classifier, bare, progress, "tidal disruption events")
    seen = {"Supernovae": supernova_templates(spectra_folder)[1], "Tidal disruption events (made up)": disruptions}
    in_host: dict[str, dict[float, InHost]] = {}
    for kind, templates in seen.items():
        in_host[kind] = {}
        for fraction in FRACTIONS:
            rng = np.random.default_rng(12)
            mixed, host = in_host_light(
                flux, weight, real.redshift[hosts], templates, fraction, rng, _TRANSIENTS_A_HOST
            )
            answers = classified(classifier, mixed, progress, f"{kind} in galaxies".lower())
            in_host[kind][fraction] = InHost(answers, [real.labels[row].object_id for row in hosts[host].tolist()])
    return Transients(kinds, in_host, objects)


def _skies(spectra_folder: Path) -> NDArray[np.float32]:
    with np.load(spectra_folder / "real_sky_wdisp.npz", allow_pickle=False) as stored:
        skies: NDArray[np.float32] = stored["sky"].astype(np.float32)
    return np.asarray(np.where(np.isfinite(skies), skies, 0), np.float32)


def _digests(classifier: Classifier) -> dict[str, str]:
    return {use.name: use.bundle_sha256 for use in classifier.engines()}


def anomaly_engine(engines: Sequence[LoadedEngine]) -> LoadedEngine | None:
    """Return the engine of role ``anomaly`` among loaded engines, if there is one."""
    return next((loaded for loaded in engines if loaded.bundle.manifest.role == "anomaly"), None)
