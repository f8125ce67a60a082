"""The real development alerts with what is known of each, and the image bundle's evaluation on them.

    python -m ops.real_alerts --data ../shared/data --output classifiers/models/evaluation-images.json

What the alerts themselves say of their place is the truth: a solar-system object within 2 arcsec has no host, and a
source of the reference catalogue within one pixel is what changed.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import fastavro
import numpy as np

from classifiers.classifier import Classifier
from classifiers.items import Stamps
from classifiers.suite import default_bundles, open_suites
from classifiers.training.evaluation.document import Report
from classifiers.training.stamps.evaluate import RealAlert, evaluate_images
from classifiers.training.stamps.scheme import StampClass
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from schemas.errors import Undecodable
from stream.alerts import decode_alert
from stream.errors import Rejectable

SCORES: Final = ("rb", "drb", "reliability")
SOLAR_SYSTEM_ARCSEC, SAME_SOURCE_PIXELS = 2.0, 1.0
TRIPLETS: Final = "labelled triplets"
_FINK_LSST: Final = "fink_lsst/part-2-918301.avro"
_REPEATED: Final = frozenset({"boom/tests__data__alerts__winter__alert.avro"})
"""The same alert as one of the folder ``winter``."""


def real_alerts(folder: Path) -> list[RealAlert]:
    """Return every alert below a folder that decodes, and the labelled triplets.

    Args:
        folder: ``alerts`` of the development data.
    """
    codec = Codec(Catalogue.embedded())
    alerts = []
    for name, value in _files(folder):
        try:
            for record, schema_name in _records(codec, name, value):
                identity, stamps = decode_alert(record, schema_name)
                alerts.append(_known(identity.survey, stamps, record))
        except (Undecodable, Rejectable):
            continue  # the files that are broken on purpose
    return alerts + _triplets(folder / "labelled_triplets")


def evaluate_alerts(classifier: Classifier, data: Path, *, n: int = 2000) -> Report:
    """Evaluate the image lane's classifier on simulations and on the real alerts of a data folder."""
    return evaluate_images(classifier, real_alerts(data / "alerts"), n=n)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*/*.avro")):
        name = path.relative_to(folder).as_posix()
        if name not in _REPEATED:
            yield name, path.read_bytes()
    for path in sorted(folder.glob("ztf_legacy/*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    yield f"ztf_legacy/{member.name}", content.read()


def _records(codec: Codec, name: str, value: bytes) -> list[tuple[Mapping[str, Any], str]]:
    """Return the records of a file with their schema's name: one, but for one container of several alerts."""
    if name == _FINK_LSST:
        contained: list[Any] = list(fastavro.reader(io.BytesIO(value)))
        return [(record, "topLevelRecord.value") for record in contained]
    decoded = codec.decode(value)
    return [(decoded.record, decoded.schema_name)]


def _known(survey: str, stamps: Stamps, record: Mapping[str, Any]) -> RealAlert:
    source: Mapping[str, Any] = record.get("candidate") or record.get("diaSource") or {}
    scores = {name: float(source[name]) for name in SCORES if source.get(name) is not None}
    expected, why = None, ""
    if survey == "LSST" and source.get("ssObjectId"):
        expected, why = StampClass.HOSTLESS, "LSST: solar-system objects called HOSTLESS"
    elif survey == "ZTF" and 0 <= source.get("ssdistnr", -999.0) <= SOLAR_SYSTEM_ARCSEC:
        expected, why = StampClass.HOSTLESS, "ZTF: solar-system objects called HOSTLESS"
    elif survey == "ZTF" and 0 <= source.get("distnr", -999.0) <= SAME_SOURCE_PIXELS:
        expected, why = StampClass.NUCLEAR, "ZTF: within a pixel of a reference source, called NUCLEAR"
    return RealAlert(survey, stamps, scores, expected, why)


def _triplets(folder: Path) -> list[RealAlert]:
    """Return the labelled triplets, whose images are scaled each to unit norm; both objects are real."""
    images = np.load(folder / "usage_triplets.npy").astype(np.float32)
    with (folder / "usage_candidates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    alerts = []
    for image, row in zip(images, rows, strict=True):
        science, template, difference = (np.ascontiguousarray(image[:, :, channel]) for channel in range(3))
        stamps = Stamps(science=science, template=template, difference=difference, survey="ZTF", flags=0)
        scores = {"drb": float(row["drb"])}
        if row["label"] == "1":
            why = f"{TRIPLETS}: {row['objectId']}, 2 pixels from a galaxy's centre, called OFF_NUCLEAR"
            alerts.append(RealAlert(TRIPLETS, stamps, scores, StampClass.OFF_NUCLEAR, why))
        else:
            alerts.append(RealAlert(TRIPLETS, stamps, scores))
    return alerts


def main() -> None:
    """Evaluate the shipped image bundle and print the table."""
    parser = argparse.ArgumentParser(description="Evaluate the shipped image bundle on real alerts.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with alerts/")
    parser.add_argument("--bundle", type=Path, default=None, help="bundle folder; default: those that ship")
    parser.add_argument("--output", type=Path, default=None, help="also write the report as JSON")
    chosen = parser.parse_args()
    bundles = default_bundles() if chosen.bundle is None else (chosen.bundle,)
    report = evaluate_alerts(open_suites(bundles)["image"], chosen.data)
    print(report.to_markdown())
    if chosen.output is not None:
        chosen.output.write_text(report.to_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
