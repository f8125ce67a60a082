"""Opens the engines that the configuration names. It imports ONNX Runtime, so only what classifies imports it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from classifiers.classifier import Classifier, EngineUse
from classifiers.errors import ClassifierError
from classifiers.loaded import LoadedEngine, load_engines
from classifiers.runtimes.device.contract import DeviceLost
from classifiers.runtimes.opening import Notice, RuntimeOptions
from classifiers.runtimes.rehearsal import Rehearsed
from classifiers.suite import default_bundles, suites
from stream.decoded import Lane
from stream.errors import ConfigurationError, Fatal
from stream.sections import TopicsSettings
from stream.settings import Settings

SPECTRUM_LANES: tuple[Lane, ...] = ("spectrum", "narrowband")
"""What the topic of spectra carries. A survey of one kind of spectra needs the engines of that kind alone."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A runtime that ``auto`` could not take, why, and the names of the bundles for which it was wanted."""

    runtime: str
    reason: str
    bundles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """A runtime and number format in use, and the bundles ("name version") that it serves."""

    runtime: str
    dtype: str
    bundles: tuple[str, ...]


def bundle_folders(settings: Settings) -> list[Path]:
    """Return the folders of the configured bundles: those that ship, or the named ones.

    Raises:
        ConfigurationError: a name is neither a folder nor a bundle that ships.
    """
    shipped = {folder.name: folder for folder in default_bundles()}
    folders = []
    for name in settings.engines.bundles or tuple(shipped):
        folder = Path(name).expanduser()
        if name in shipped and not folder.is_dir():
            folder = shipped[name]
        if not folder.is_dir():
            raise ConfigurationError(
                f"engines.bundles: expected a folder or one of {', '.join(sorted(shipped))}, received {name!r}"
            )
        folders.append(folder)
    return folders


def load_configured(
    settings: Settings, notice: Notice = lambda _: None, largest_batch: int | None = None
) -> tuple[tuple[LoadedEngine, ...], int]:
    """Return the configured engines, every digest verified, and how many batches of a lane compute at once.

    Args:
        settings: the configuration; ``engines`` is used.
        notice: told what takes long or is unexpected, in one line each.
        largest_batch: rows of the largest batch that engines will be given; None: of any size.

    Raises:
        ConfigurationError: a bundle is not there.
        ClassifierError: a bundle is not intact, or the runtime is not there.
    """
    threads = settings.engines.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    chosen = settings.engines
    options = RuntimeOptions(
        chosen.runtime, chosen.dtype, chosen.device, chosen.cache, largest_batch, compiled=chosen.compiled
    )
    return load_engines(bundle_folders(settings), options, notice), threads


def open_classifiers(
    settings: Settings,
    passed_over: Callable[[PassedOver], None] | None = None,
    notice: Notice = lambda _: None,
    rehearsed: Callable[[Rehearsed], None] | None = None,
) -> dict[Lane, Classifier]:
    """Return the classifiers of the lanes that have engines, every digest verified; nothing is consumed before.

    What arrives for a lane without engines all the same becomes a dead letter, which can be redriven.

    Args:
        settings: the configuration; ``engines``, the size of batches and the input topics are used.
        passed_over: told each runtime that ``auto`` could not take, once for each reason.
        notice: told what takes long or is unexpected, now and while engines compute, in one line each.
        rehearsed: told what each program of a device has computed rightly, and how long that took.

    Raises:
        ConfigurationError: a bundle is not intact, the runtime is not there, or an input topic has no engines.
        Fatal: the device failed while the engines were opened: nothing in the configuration is wrong.
    """
    largest = settings.batching.engine_batch(on_gpu=settings.engines.device != "cpu")
    try:
        engines, threads = load_configured(settings, notice, largest)
        by_lane = {lane: one for lane, one in suites(engines, threads).items() if one.engines()}
    except DeviceLost as error:
        raise Fatal(f"engines: {error}") from error
    except ClassifierError as error:
        raise ConfigurationError(f"engines: {error}") from error
    _check_topics_are_served(settings.topics, by_lane)
    if passed_over is not None:
        for each in _passed_over(engines):
            passed_over(each)
    if rehearsed is not None:
        for done in dict.fromkeys(loaded.rehearsed for loaded in engines if loaded.rehearsed is not None):
            rehearsed(done)
    return by_lane


def _check_topics_are_served(topics: TopicsSettings, by_lane: Mapping[Lane, Classifier]) -> None:
    """Refuse an input topic of which no record could be classified."""
    for key, names, lanes in (
        ("l1_spectrum", topics.l1_spectrum, SPECTRUM_LANES),
        ("image_alert", ", ".join(topics.image_alert), ("image",)),
    ):
        if names and not by_lane.keys() & set(lanes):
            loaded = ", ".join(engine.name for one in by_lane.values() for engine in one.engines())
            raise ConfigurationError(
                f"engines.bundles: expected an engine for the {lanes[0]} lane (topics.{key} = {names}), "
                f"received {loaded}"
            )


def serving(engines: Iterable[EngineUse]) -> list[Serving]:
    """Return what serves, one entry for each runtime and number format in use."""
    used = (((engine.runtime, engine.dtype), f"{engine.name} {engine.version}") for engine in engines)
    return [Serving(runtime, dtype, bundles) for (runtime, dtype), bundles in _gathered(used).items()]


def _passed_over(engines: Iterable[LoadedEngine]) -> list[PassedOver]:
    refused = ((refusal, loaded.bundle.manifest.name) for loaded in engines for refusal in loaded.refusals)
    return [PassedOver(runtime, reason, bundles) for (runtime, reason), bundles in _gathered(refused).items()]


def _gathered(pairs: Iterable[tuple[tuple[str, str], str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    names: dict[tuple[str, str], list[str]] = {}
    for key, name in pairs:
        names.setdefault(key, []).append(name)
    return {key: tuple(found) for key, found in names.items()}
