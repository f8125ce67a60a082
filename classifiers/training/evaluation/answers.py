"""What the classifier said of a labelled sample, as columns, beside the truth as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Classifier, Verdicts
from classifiers.items import Spectrum
from classifiers.training.evaluation.real_spectra import RealLabel
from classifiers.training.simulation.scheme import CLASSES

Progress = Callable[[str, float], None]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]

GROUPS = ("GALAXY", "QSO", "STAR")
GROUP_OF = np.array([GROUPS.index(name.split("_")[0]) for name in CLASSES])
_CHUNK = 128


class Answers:
    """The columns of the verdicts that are scored, joined over chunks."""

    def __init__(self, parts: Sequence[Verdicts]) -> None:
        first = parts[0]
        self.class_names = first.class_names
        self.top = np.concatenate([part.top_class for part in parts])
        self.probabilities = np.concatenate([part.class_probabilities for part in parts])
        self.unknown = np.concatenate([part.unknown for part in parts])
        self.unknown_rate = first.unknown_rate
        self.quality_flags = np.concatenate([part.quality_flags for part in parts])
        self.zwarn = np.concatenate([part.zwarn for part in parts])
        self.reason = np.array([reason or "" for part in parts for reason in part.unknown_reason])
        self.other_type = np.array([kind or "" for part in parts for kind in part.other_type])
        self.alternative_probability = np.concatenate([part.alternative_probability for part in parts])
        self.columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns}

    @staticmethod
    def of(parts: Sequence[Verdicts]) -> Answers:
        """Join the verdicts of several batches.

        Raises:
            ValueError: there is none, or the scheme is not the one that the labels are in.
        """
        if not parts or tuple(parts[0].class_names) != CLASSES:
            got = parts[0].class_names if parts else "no verdicts"
            raise ValueError(f"expected verdicts in the classes {CLASSES}, got {got}")
        return Answers(parts)

    def rows(self, chosen: Rows) -> Answers:
        """Return the answers of some rows."""
        some = copy(self)
        vars(some).update({name: value[chosen] for name, value in vars(self).items() if isinstance(value, np.ndarray)})
        some.columns = {name: value[chosen] for name, value in self.columns.items()}
        return some

    @cached_property
    def rival_probability(self) -> Floats:
        """Return the probability of the most probable other solution, 0 where there is none: (n,)."""
        filled = np.nan_to_num(self.alternative_probability)
        return np.asarray(filled.max(axis=1, initial=0.0), np.float64)

    def column(self, name: str) -> Floats:
        """Return a float column, NaN where the classifiers gave none."""
        return self.columns.get(name, np.full(self.top.size, np.nan))

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """Return the top class of each spectrum, "" where there is none."""
        return np.asarray(np.array([*CLASSES, ""])[self.top], np.str_)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """Return GALAXY, QSO or STAR of the top class, "" where there is none."""
        return np.array([name.split("_")[0] for name in self.names])

    @cached_property
    def group_probabilities(self) -> Floats:
        """Return the probabilities of ``GROUPS``: (n, 3), NaN where there are none."""
        return np.stack([self.probabilities[:, index == GROUP_OF].sum(axis=1) for index in range(len(GROUPS))], axis=1)


def classified(
    classifier: Classifier, spectra: Sequence[Spectrum], progress: Progress | None = None, stage: str = "classify"
) -> Answers:
    """Classify a sample through the way that users have.

    Args:
        classifier: of the spectrum lane.
        spectra: n >= 1.
        progress: called with the stage and the fraction done.
        stage: what to call it.
    """
    parts: list[Verdicts] = []
    chunks = [spectra[start : start + _CHUNK] for start in range(0, len(spectra), _CHUNK)]
    with ThreadPoolExecutor(classifier.workers()) as pool:
        for part in pool.map(classifier.classify, chunks):
            if progress is not None:
                progress(stage, len(parts) / len(chunks))
            parts.append(part)
    return Answers.of(parts)


class Scored:
    """A labelled sample with its answers; every column is (n,).

    Attributes:
        labels: the truth.
        answers: what was said.
        group: GALAXY, QSO, STAR, SKY, OTHER or "".
        truth: class name or "".
        other: recognised type outside the scheme, or "".
        survey, release: of the spectrum, without and with its data release.
        redshift: true redshift, NaN where not known.
        known: rows whose group is one of ``GROUPS``.
        labelled: those of them with a class.
    """

    def __init__(self, labels: Sequence[RealLabel], answers: Answers) -> None:
        self.labels = labels
        self.answers = answers
        self.group = np.array([label.group for label in labels])
        self.truth = np.array([label.class_name or "" for label in labels])
        self.other = np.array([label.other_type or "" for label in labels])
        self.release = np.array([label.survey for label in labels])
        self.survey = np.array([label.survey.split("-")[0] for label in labels])
        self.redshift = np.array([label.redshift for label in labels], np.float64)
        self.known: Rows = np.flatnonzero(np.isin(self.group, GROUPS))
        self.labelled: Rows = self.known[self.truth[self.known] != ""]

    def first(self, n: int) -> Scored:
        """Return the first n of the sample, all where there are fewer."""
        kept = self.labels[:n]
        return Scored(kept, self.answers.rows(np.arange(len(kept))))

    @cached_property
    def right(self) -> Flags:
        """Return where the top class is the true one."""
        return np.asarray(self.answers.names == self.truth, np.bool_)

    @cached_property
    def right_group(self) -> Flags:
        """Return where the group of the top class is the true one."""
        return np.asarray(self.answers.groups == self.group, np.bool_)

    @cached_property
    def right_likely_group(self) -> Flags:
        """Return where the group of largest summed probability, which need not be the top class's, is the true one."""
        best = np.nan_to_num(self.answers.group_probabilities, nan=-1.0).argmax(axis=1)
        return np.asarray(np.array(GROUPS)[best] == self.group, np.bool_)

    def with_redshift(self, group: str) -> Rows:
        """Return rows of a group with a true redshift, found to be of that group."""
        return np.flatnonzero((self.group == group) & (self.answers.groups == group) & np.isfinite(self.redshift))

    @cached_property
    def redshift_error(self) -> Floats:
        """Return (found - true) / (1 + true), NaN where either is missing."""
        return (self.answers.column("redshift") - self.redshift) / (1.0 + self.redshift)
