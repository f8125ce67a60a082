"""``specstream calibrate``: the unknown flag, recalibrated for a survey from its own labelled objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from classifiers.bundle.calibration import Calibration, ShortCoverage
from classifiers.bundle.errors import BundleError
from classifiers.images.suite import IMAGE_ROLE
from classifiers.narrowband.suite import NARROWBAND_ROLE
from classifiers.recalibration import Found, Labelled, Recalibrating, check_free, write_recalibrated
from classifiers.score_recalibration import ScoreRecalibration
from classifiers.spectral.recalibration import Recalibration
from classifiers.suite import default_bundles
from classifiers.training.intervals import clopper_pearson
from ops.commands.options import OptionalConfigFile
from ops.console import messages, output, progress_bar
from ops.engines import load_configured
from ops.labelled import labelled_items
from ops.labels import Label, read_labels
from ops.reading import everything
from ops.wiring import open_codec, open_topic_reader
from schemas.codec import Codec
from stream.decoded import Lane
from stream.errors import ConfigurationError
from stream.settings import Settings, load_settings

BATCH = 256
LANES: Mapping[str, Lane] = {"spectral_classifier": "spectrum", NARROWBAND_ROLE: "narrowband", IMAGE_ROLE: "image"}
"""Lane of each role that can be recalibrated; of the bundles given, the first of these is."""
GROUPS = ("GALAXY", "QSO", "STAR")
_RECORDS: Mapping[Lane, str] = {"spectrum": "spectra", "narrowband": "pseudo-spectra", "image": "alerts"}


def calibrate(
    labels: Annotated[
        str,
        typer.Option(
            metavar="FILE|TOPIC_URL", help="Table with columns l1_id, class_name; or a topic of label records."
        ),
    ],
    spectra: Annotated[
        str, typer.Option(metavar="TOPIC_URL", help="Topic of the L1 spectra, or alerts, that the labels name.")
    ],
    to: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the recalibrated bundle.")],
    l2: Annotated[
        str | None,
        typer.Option("--l2", metavar="TOPIC_URL", help="Topic of L2 records, for labels that confirm without a class."),
    ] = None,
    rate: Annotated[float, typer.Option(min=1e-4, max=0.5, help="Rate of false unknown to declare.")] = 0.01,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="That the rate is held.")] = 0.99,
    name: Annotated[
        str, typer.Option("--id", help="Of the calibration in L2 records; none: made from the labels.")
    ] = "",
    bundles: Annotated[
        list[Path] | None, typer.Option("--bundle", metavar="DIR", help="Bundle folders; none: those that ship.")
    ] = None,
    config: OptionalConfigFile = None,
) -> None:
    """Recalibrate the unknown flag for a survey from its own labelled known objects.

    Writes a copy of the spectral classifier, or of the bundle of pseudo-spectra or alert stamps that `--bundle` names,
    whose rate of false unknown is guaranteed for records of the surveys of the labelled ones (`calibration_domain`
    SURVEY). A label is one of the bundle's classes or a group of them (GALAXY, QSO, STAR); other labels and records
    outside its domain are left out, and of an object with several records the first counts. A rate of 0.01 with
    confidence 0.99 needs 1838 objects, 459 with pseudo-spectra and stamps. Spectra that lack wavelengths are judged
    among their like: with fewer of them they are judged as before, and their records say so.

    Example: `specstream calibrate --labels truth.csv --spectra file:spool/specstream.l1.spectrum --rate 0.05 -o mine`
    """
    check_free(to)
    folders = tuple(str(folder) for folder in bundles or default_bundles())
    settings = load_settings(config)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update={"bundles": folders})})
    codec = open_codec(settings)
    given = read_labels(labels, settings, codec)
    engines, _ = load_configured(settings)
    roles = [each.bundle.manifest.role for each in engines]
    role = next((each for each in LANES if each in roles), None)
    if role is None:
        raise BundleError("bundles", expected=f"a bundle of role {', '.join(LANES)}", found=", ".join(roles))
    if LANES[role] == "image":
        given = read_labels(labels, settings, codec, artefacts=True)
    recalibration: Recalibrating[Any] = (
        Recalibration(engines) if role == "spectral_classifier" else ScoreRecalibration(engines, role)
    )
    classes = _classes(given, l2, recalibration.manifest.class_names, settings, codec)
    scores = _scored(recalibration, given, classes, spectra, LANES[role], settings, codec)
    if scores is None:
        named = _RECORDS[LANES[role]]
        raise ConfigurationError(f"--labels: expected labels of {named} in {spectra}, received none that name one")
    calibration = recalibration.calibrate(scores, rate, confidence, name)
    written = write_recalibrated(recalibration.bundle, calibration, to)
    _report(scores, recalibration, calibration, (len(given), len(classes)), _RECORDS[LANES[role]])
    names = [
        str(to),
        *(each.bundle.folder.name for each in engines if each.bundle.folder != recalibration.bundle.folder),
    ]
    listed = ", ".join(f'"{each}"' for each in names)
    messages().print(
        f"wrote {to} (bundle {written.sha256[:16]}); to use it, in the configuration:\n[engines]\nbundles = [{listed}]",
        markup=False,
        soft_wrap=True,
    )


def _classes(
    given: Mapping[str, Label], l2: str | None, class_names: tuple[str, ...], settings: Settings, codec: Codec
) -> dict[str, int]:
    """Return the class of each labelled record whose class the bundle has, by l1_id."""
    classes = {l1_id: label.class_name for l1_id, label in given.items()}
    unnamed = {label.l2_id: l1_id for l1_id, label in given.items() if label.class_name is None}
    if unnamed and l2 is None:
        raise ConfigurationError(
            f"--l2: expected a topic of L2 records, since {len(unnamed)} labels confirm without a class; received none"
        )
    if unnamed and l2 is not None:
        for message in everything(lambda: open_topic_reader(settings, l2)):
            record = codec.decode(message.value or b"").record
            if record.get("l2_id") in unnamed:
                classes[unnamed[record["l2_id"]]] = record["top_class"]
    index: dict[str, int] = {}
    for number, name in enumerate(class_names):
        if (group := name.partition("_")[0]) in GROUPS:
            index.setdefault(group, number)  # that the object is known is all that is asked
        index[name] = number
    found = {l1_id: index[name] for l1_id, name in classes.items() if name in index}
    if classes and not found:
        named = ", ".join(sorted({str(name) for name in classes.values()})[:5])
        groups = f", or {', '.join(GROUPS)}" if set(GROUPS) & index.keys() else ""
        raise ConfigurationError(
            f"--labels: expected class names of the bundle ({', '.join(class_names)}{groups}), received {named}"
        )
    other = Counter(str(name) for l1_id, name in classes.items() if l1_id not in found)
    if other:
        named = ", ".join(f"{name} {count}" for name, count in sorted(other.items()))
        messages().print(f"left out: labels of no class of the bundle ({named})", markup=False, soft_wrap=True)
    return found


def _scored(
    recalibration: Recalibrating[Found],
    given: Mapping[str, Label],
    classes: Mapping[str, int],
    topic: str,
    lane: Lane,
    settings: Settings,
    codec: Codec,
) -> Found | None:
    """Return the scores of the labelled records, each object once; None where the topic has none of them."""
    parts: list[Found] = []
    names: list[str] = []
    batch: list[Any] = []

    def flush() -> None:
        label = np.array([classes[each] for each in names], np.int64)
        parts.append(recalibration.score(names, batch, label))
        names.clear()
        batch.clear()

    with progress_bar() as bar:
        task = bar.add_task("scoring", total=len(classes))
        for l1_id, item in labelled_items(given, classes, topic, lane, settings, codec):
            names.append(l1_id)
            batch.append(item)
            bar.advance(task)
            if len(batch) == BATCH:
                flush()
    if batch:
        flush()
    return parts[0].joined(parts) if parts else None


def _report(
    scores: Labelled, recalibration: Recalibrating[Any], new: Calibration, labels: tuple[int, int], records: str
) -> None:
    used, flagged = len(scores.names), int(np.count_nonzero(scores.flagged))
    low, high = clopper_pearson(flagged, used)
    surveys = ", ".join(f"{name} {count}" for name, count in sorted(Counter(scores.surveys).items()))
    output().print(
        f"calibration {new.id}: {labels[0]} labels, {labels[1]} of the bundle's classes; {used} objects used, "
        f"{scores.outside} {records} outside the domain\n"
        f"false unknown before, by the calibration that the bundle came with: {flagged}/{used} = {flagged / used:.4f} "
        f"(95 % interval {low:.4f} .. {high:.4f})\n"
        f"from now on at most {new.alpha:g} (NOVEL {new.novel_rate:g}, OTHER_KNOWN "
        f"{new.other_rate:g}), each with confidence {new.confidence:g}\n"
        f"of the surveys {surveys}, in this mix; records of others say SIMULATED",
        markup=False,
        soft_wrap=True,
    )
    if new.kept_coverage is not None:
        needed = recalibration.needed(new.alpha, new.confidence)
        kept = _kept(scores, recalibration.calibration, new, needed, records)
        output().print(kept, markup=False, soft_wrap=True)


def _kept(scores: Labelled, old: Calibration, new: Calibration, needed: int, records: str) -> str:
    """Return what is said of the coverage that is judged as before."""
    lacking = new.kept_coverage == "SHORT"
    count = int(np.count_nonzero(scores.short == lacking))
    which = f"{records} that lack wavelengths" if lacking else f"{records} that lack none"
    said = [
        f"{which}: {count} labelled, {needed} needed for tables of their own; they are judged by those of {old.id}, "
        "and their records say SIMULATED"
    ]
    before: Calibration | ShortCoverage = old if not lacking or old.short_coverage is None else old.short_coverage
    after: Calibration | ShortCoverage = new if not lacking or new.short_coverage is None else new.short_coverage
    if before.p_other_threshold is not None and after.p_other_threshold is None:
        said.append(
            f"none of them is OTHER_KNOWN: their threshold holds {old.other_rate:g} with confidence {old.confidence:g}"
        )
    if before.fused is not None and after.fused is None and new.fused is not None:
        said.append("the VAE has no part in their NOVEL: their fused score was that of another anomaly bundle")
    return "\n".join(said)
