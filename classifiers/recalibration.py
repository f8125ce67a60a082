"""What recalibrations for a survey share, whatever the role: labelled objects, groups by coverage, and writing.

Split conformal prediction promises its rate for objects exchangeable with those that the tables were made from, so a
survey's own known objects make the promise hold for that survey. Objects enter in the order of a digest of their names,
hence at random with respect to what they are, and each once.

Records that lack wavelengths are judged among their like. Each of the two groups gets tables of its own where enough of
it are labelled; the other one keeps the tables that it was judged by, whose p-values mean what they meant before
whatever rate is declared, and is named in ``Calibration.kept_coverage``, so that its records promise nothing more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, Fused, ShortCoverage, TailTable, calibration_file
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle, write_bundle
from classifiers.bundle.manifest import Domain, Manifest
from classifiers.errors import ClassifierError

Coverage: TypeAlias = Literal["WHOLE", "SHORT"]
Rows: TypeAlias = NDArray[np.int64]


class TooFewLabels(ClassifierError):
    """The labelled objects cannot hold the declared rate.

    Attributes:
        needed: known objects of one coverage inside the bundle's domain.
        got: how many whole ones there are.
        short: how many there are that lack wavelengths.
    """

    def __init__(self, needed: int, got: int, short: int, rate: float, confidence: float) -> None:
        lacking = f" and {short} that lack wavelengths, which are judged among their like" if short else ""
        super().__init__(
            f"calibrate: expected at least {needed} labelled known objects inside the bundle's domain, which a rate of "
            f"{rate:g} held with confidence {confidence:g} needs; received {got}{lacking}"
        )
        self.needed = needed
        self.got = got
        self.short = short


@dataclass(frozen=True, slots=True)
class Labelled:
    """n labelled objects inside the domain, each once.

    Attributes:
        names: of the records, n strings.
        surveys: n upper-case names.
        label: (n,) int64 index into the bundle's ``class_names``.
        short: (n,) bool, which of them lack wavelengths.
        flagged: (n,) bool, NOVEL or OTHER_KNOWN by the calibration that the bundle came with.
        outside: records left out because the flag never reaches novelty: bad data or outside the domain.
    """

    names: tuple[str, ...]
    surveys: tuple[str, ...]
    label: NDArray[np.int64]
    short: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    outside: int

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join what was found in several batches, at least one."""
        columns: dict[str, Any] = {}
        for field in fields(cls):
            values = [getattr(part, field.name) for part in parts]
            if isinstance(values[0], tuple):
                columns[field.name] = tuple(each for value in values for each in value)
            else:
                columns[field.name] = sum(values) if isinstance(values[0], int) else np.concatenate(values)
        return cls(**columns)

    def identifier(self) -> str:
        """Return a name for their calibration, made from the objects and their labels."""
        pairs = sorted(f"{name}\t{label}" for name, label in zip(self.names, self.label.tolist(), strict=True))
        digest = hashlib.sha256("\n".join(pairs).encode()).hexdigest()[:12]
        return f"survey-{digest}-{len(self.names)}"


Found = TypeVar("Found", bound=Labelled)


class Recalibrating(Protocol[Found]):
    """Scores labelled objects of a lane batch by batch, then makes the calibration of its bundle."""

    @property
    def bundle(self) -> Bundle:
        """Return the bundle."""
        ...

    @property
    def manifest(self) -> Manifest:
        """Return its manifest."""
        ...

    @property
    def calibration(self) -> Calibration:
        """Return the calibration that it came with, for the runtime in use."""
        ...

    def needed(self, alpha: float, confidence: float) -> int:
        """Return how many known objects of one coverage a rate needs, held with a confidence."""
        ...

    def score(self, names: Sequence[str], items: Sequence[Any], label: NDArray[np.int64]) -> Found:
        """Score n >= 1 labelled items of the lane; those that the flag stops before novelty are counted only."""
        ...

    def calibrate(self, scores: Found, alpha: float, confidence: float, identifier: str = "") -> Calibration:
        """Return the calibration for domain SURVEY, or raise TooFewLabels."""
        ...


@dataclass(frozen=True, slots=True)
class Declared:
    """The rates that a calibration is to declare: all of it, the part of OTHER_KNOWN, and the confidence of each."""

    alpha: float
    other_rate: float
    confidence: float


def groups(labelled: Labelled, domain: Domain) -> dict[Coverage, Rows]:
    """Return the rows of each coverage in the order of their digests; SHORT only where the domain tells it apart."""
    digests = [hashlib.sha256(name.encode()).digest() for name in labelled.names]
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__), np.int64)
    if not told_apart(domain):
        return {"WHOLE": order}
    short = labelled.short[order]
    return {"WHOLE": order[~short], "SHORT": order[short]}


def told_apart(domain: Domain) -> bool:
    """Return whether records inside a domain can lack wavelengths."""
    return domain.full_coverage > domain.min_coverage


def with_enough(
    found: Mapping[Coverage, Rows], needed: int, declared: Declared, *, whole_can_be_kept: bool
) -> dict[Coverage, Rows]:
    """Return the groups that get tables of their own.

    Args:
        found: all groups.
        needed: objects of one group.
        declared: rates that they are to hold.
        whole_can_be_kept: False where the old tables of whole records cannot serve beside new ones of short records.

    Raises:
        TooFewLabels: of no group are there enough, or of whole records, whose tables cannot be kept.
    """
    enough = {coverage: rows for coverage, rows in found.items() if rows.size >= needed}
    if not enough or ("WHOLE" not in enough and not whole_can_be_kept):
        short = found["SHORT"].size if "SHORT" in found else 0
        raise TooFewLabels(needed, found["WHOLE"].size, short, declared.alpha, declared.confidence)
    return enough


def recalibrated(
    old: Calibration, made: Mapping[Coverage, Calibration], declared: Declared, domain: Domain, **others: Any
) -> Calibration:
    """Return a calibration of domain SURVEY from those of its groups; what is not about novelty stays as it was.

    Args:
        old: that the bundle came with.
        made: of one group or both, each as if there were no other.
        declared: rates.
        domain: of the bundle.
        **others: other fields of ``Calibration`` (id, surveys, runtime, dtype).
    """
    fused = next(iter(made.values())).fused
    whole, short = (made[each] if each in made else _kept(old, each, fused, declared) for each in ("WHOLE", "SHORT"))
    kept: list[Coverage] = [each for each in ("WHOLE", "SHORT") if each not in made and told_apart(domain)]
    part: ShortCoverage | None = None
    if told_apart(domain) and short.novelty is not None:
        table = None if short.fused is None else short.fused.table
        limit = short.p_other_threshold
        part = ShortCoverage(n=short.n, p_other_threshold=limit, novelty=short.novelty, fused=table)
    changed = {
        "domain": "SURVEY",
        "kept_coverage": kept[0] if kept else None,
        "n": whole.n,
        "alpha": declared.alpha,
        "novel_rate": declared.alpha - declared.other_rate,
        "other_rate": declared.other_rate,
        "confidence": declared.confidence,
        "p_other_threshold": whole.p_other_threshold,
        "novelty": whole.novelty,
        "fused": whole.fused,
        "short_coverage": part,
    }
    return Calibration(**(dict(old) | changed | others))


class _Tables(NamedTuple):
    """Tables of one group, named as in ``Calibration``."""

    n: int
    novelty: TailTable | None
    fused: Fused | None
    p_other_threshold: float | None


def _kept(old: Calibration, coverage: Coverage, fused: Fused | None, declared: Declared) -> _Tables:
    """Return the tables by which a group was judged before; short records were judged as whole ones without their own.

    A table gives p-values and serves any rate. A table of the fused score is of one anomaly bundle: it goes where the
    new tables are of another or of none, and the energy alone is left to judge by. The threshold of p_other holds the
    rate and the confidence for which it was made: where a lower rate is declared, or a higher confidence, no threshold
    is known that holds it, and the group is never OTHER_KNOWN.
    """
    part = old if coverage == "WHOLE" or old.short_coverage is None else old.short_coverage
    table = part.fused.table if isinstance(part.fused, Fused) else part.fused
    same = fused is not None and old.fused is not None and fused.partner == old.fused.partner
    kept = fused.model_copy(update={"table": table}) if fused is not None and same and table is not None else None
    held = old.other_rate <= declared.other_rate * (1 + 1e-9) and old.confidence >= declared.confidence
    return _Tables(part.n, part.novelty, kept, part.p_other_threshold if held else None)


def check_free(folder: Path) -> None:
    """Check that a bundle can be written to a folder without touching anything.

    Raises:
        BundleError: there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        found = "something in it" if folder.is_dir() else "a file"
        raise BundleError(str(folder), expected="a folder that is empty or not there yet", found=found)


def write_recalibrated(bundle: Bundle, calibration: Calibration, folder: Path) -> Bundle:
    """Write a copy of a bundle with one calibration replaced or added; the bundle itself is never touched.

    Raises:
        BundleError: there is something in the folder already.
    """
    check_free(folder)
    files = {name: (bundle.folder / name).read_bytes() for name in bundle.manifest.files}
    files[calibration_file(calibration.runtime, calibration.dtype)] = calibration.model_dump_json().encode()
    write_bundle(folder, bundle.manifest.model_dump(exclude={"files"}), files)
    return load_bundle(folder)
