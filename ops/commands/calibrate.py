"""``specstream calibrate``: the unknown flag, recalibrated for a survey from its own labelled spectra."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from classifiers.bundle.calibration import Calibration
from classifiers.items import Spectrum
from classifiers.spectral.recalibration import Recalibration, Scores, check_free, write_recalibrated
from classifiers.suite import default_bundles
from classifiers.training.intervals import clopper_pearson
from ops.commands.options import OptionalConfigFile
from ops.console import messages, output, progress_bar
from ops.engines import load_configured
from ops.labels import Label, read_labels
from ops.reading import everything
from ops.wiring import open_codec, open_topic_reader
from schemas.codec import Codec
from schemas.errors import Undecodable
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted
from stream.errors import ConfigurationError
from stream.settings import Settings, load_settings

BATCH = 256


def calibrate(
    labels: Annotated[
        str,
        typer.Option(
            metavar="FILE|TOPIC_URL", help="Table with columns l1_id, class_name; or a topic of label records."
        ),
    ],
    spectra: Annotated[str, typer.Option(metavar="TOPIC_URL", help="Topic of the L1 spectra that the labels name.")],
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

    Writes a copy of the spectral classifier whose rate of false unknown is guaranteed for spectra like the labelled
    ones (`calibration_domain` SURVEY). A label is one of the bundle's classes or a group of them (GALAXY, QSO, STAR);
    other labels and spectra outside its domain are left out, and of an object with several spectra the first counts. A
    rate of 0.01 with confidence 0.99 needs 1838 objects.

    Example: `specstream calibrate --labels truth.csv --spectra file:spool/specstream.l1.spectrum --rate 0.05 -o mine`
    """
    check_free(to)
    folders = tuple(str(folder) for folder in bundles or default_bundles())
    settings = load_settings(config)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update={"bundles": folders})})
    codec = open_codec(settings)
    given = read_labels(labels, settings, codec)
    engines, _ = load_configured(settings)
    recalibration = Recalibration(engines)
    classes = _classes(given, l2, recalibration.manifest.class_names, settings, codec)
    scores = _scored(recalibration, given, classes, spectra, settings, codec)
    if scores is None:
        raise ConfigurationError(f"--labels: expected labels of spectra in {spectra}, received none that name one")
    calibration = recalibration.calibrate(scores, rate, confidence, name)
    written = write_recalibrated(recalibration.bundle, calibration, to)
    _report(scores, calibration, len(given), len(classes))
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
    """Return the class of each labelled spectrum whose class the bundle has, by l1_id."""
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
        index.setdefault(name.partition("_")[0], number)  # a group: that the object is known is all that is asked
        index[name] = number
    found = {l1_id: index[name] for l1_id, name in classes.items() if name in index}
    if classes and not found:
        named = ", ".join(sorted({str(name) for name in classes.values()})[:5])
        raise ConfigurationError(
            f"--labels: expected class names of the bundle ({', '.join(class_names)}, or GALAXY, QSO, STAR), "
            f"received {named}"
        )
    other = Counter(str(name) for l1_id, name in classes.items() if l1_id not in found)
    if other:
        named = ", ".join(f"{name} {count}" for name, count in sorted(other.items()))
        messages().print(f"left out: labels of no class of the bundle ({named})", markup=False, soft_wrap=True)
    return found


def _scored(
    recalibration: Recalibration,
    given: Mapping[str, Label],
    classes: Mapping[str, int],
    topic: str,
    settings: Settings,
    codec: Codec,
) -> Scores | None:
    """Return the scores of the labelled spectra, each object once; None where the topic has none of them."""
    parts: list[Scores] = []
    names: list[str] = []
    batch: list[Spectrum] = []

    def flush() -> None:
        label = np.array([classes[each] for each in names], np.int64)
        parts.append(recalibration.score(names, batch, label))
        names.clear()
        batch.clear()

    with progress_bar() as bar:
        task = bar.add_task("scoring", total=len(classes))
        for l1_id, item in _labelled(given, classes, topic, settings, codec):
            names.append(l1_id)
            batch.append(item)
            bar.advance(task)
            if len(batch) == BATCH:
                flush()
    if batch:
        flush()
    return Scores.joined(parts) if parts else None


def _labelled(
    given: Mapping[str, Label], classes: Mapping[str, int], topic: str, settings: Settings, codec: Codec
) -> Iterator[tuple[str, Spectrum]]:
    decoder = MessageDecoder(codec)
    seen: set[str] = set()
    for message in everything(lambda: open_topic_reader(settings, topic)):
        try:
            record = codec.decode(message.value or b"").record
        except Undecodable:
            continue  # the service makes a dead letter of it
        l1_id = str(record.get("l1_id"))
        if l1_id not in classes:
            continue
        identity = given[l1_id].object_id or str(record.get("object_id") or l1_id)
        decoded = decoder.decode(message)
        if identity not in seen and isinstance(decoded, Accepted) and isinstance(decoded.item, Spectrum):
            seen.add(identity)
            yield l1_id, decoded.item


def _report(scores: Scores, calibration: Calibration, labels: int, known: int) -> None:
    used, flagged = len(scores.names), int(np.count_nonzero(scores.flagged))
    low, high = clopper_pearson(flagged, used)
    output().print(
        f"calibration {calibration.id}: {labels} labels, {known} of the bundle's classes; {used} objects used, "
        f"{scores.outside} spectra outside the domain\n"
        f"false unknown before, by the calibration that the bundle came with: {flagged}/{used} = {flagged / used:.4f} "
        f"(95 % interval {low:.4f} .. {high:.4f})\n"
        f"from now on at most {calibration.alpha:g} (NOVEL {calibration.novel_rate:g}, OTHER_KNOWN "
        f"{calibration.other_rate:g}), each with confidence {calibration.confidence:g}",
        markup=False,
    )
