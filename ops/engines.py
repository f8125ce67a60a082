"""Opens the engines that the configuration names. It imports ONNX Runtime, so only what classifies imports it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from classifiers.classifier import Classifier
from classifiers.errors import ClassifierError
from classifiers.suite import default_bundles, load_engines, suites
from stream.decoded import Lane
from stream.errors import ConfigurationError
from stream.settings import Settings


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


def open_classifiers(
    settings: Settings, passed_over: Callable[[str, str, str], None] | None = None
) -> dict[Lane, Classifier]:
    """Return the engines by lane, every digest verified; nothing is consumed before this succeeds.

    Args:
        settings: the configuration; ``engines`` is used.
        passed_over: told bundle, runtime and reason for each runtime that ``auto`` could not take.

    Raises:
        ConfigurationError: a bundle is not intact, or the runtime is not there.
    """
    threads = settings.engines.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    try:
        engines = load_engines(bundle_folders(settings), settings.engines.runtime)
        by_lane = dict(suites(engines, threads))
    except ClassifierError as error:
        raise ConfigurationError(f"engines: {error}") from error
    if passed_over is not None:
        for loaded in engines:
            for runtime, reason in loaded.refusals:
                passed_over(loaded.bundle.manifest.name, runtime, reason)
    return by_lane
