"""Engines that another one has replaced, deleted once nobody has used them for long.

An engine is replaced by one with any of its bundles, in the same number format, of the same library and for the same
GPU, that differs in what changes with time: graphs, version of the library, driver, way of building. It is kept for a
while all the same, since who goes back to an earlier release or driver would build it again for minutes. Engines for
other GPUs, number formats and libraries are left alone: another machine may share the folder. What builds for one
library, GPU and driver have measured goes when none has added to it for as long: it only spares time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from classifiers.runtimes.tensorrt.cache import TIMING_SUFFIX, EngineCache, Kept, Record
from classifiers.runtimes.tensorrt.locks import held, lock_file

UNUSED_DAYS: Final = 30
"""Days for which nobody found an engine before it is deleted."""
_SAME: Final = ("library", "gpu", "compute_capability", "dtype")
_CHANGING: Final = ("onnx_sha256", "version", "driver", "recipe")
_DAY_S: Final = 86_400.0


def prune(cache: EngineCache, built: Kept, now: float, notice: Callable[[str], None]) -> tuple[Path, ...]:
    """Delete what an engine that was just built has replaced and nobody used for ``UNUSED_DAYS``.

    An engine whose lock another process holds is left alone. One that cannot be deleted is told of and harms nothing.

    Args:
        cache: that keeps it.
        built: the new engine.
        now: time of day [s since 1970].
        notice: told in one line each what was deleted or could not be.

    Returns:
        The engines that were deleted.
    """
    gone = []
    for engine, record in cache.records():
        if not _replaced(record, built.record):
            continue
        try:
            deleted = _delete_unused(engine, now)
        except OSError as error:
            notice(f"{engine}: an engine that is no longer used cannot be deleted: {error.strerror or error}")
            continue
        if deleted:
            gone.append(engine)
            size = f"{record.engine_bytes / 1e6:.1f} MB"
            notice(f"{engine}: deleted, {size} that were replaced and not used for {UNUSED_DAYS} days")
    for timing in sorted(cache.folder.glob(f"*{TIMING_SUFFIX}")):
        try:
            if now - timing.stat().st_mtime > UNUSED_DAYS * _DAY_S:
                timing.unlink()
        except FileNotFoundError:  # another replica was quicker
            continue
        except OSError as error:
            notice(f"{timing}: measurements that are no longer used cannot be deleted: {error.strerror or error}")
    return tuple(gone)


def _replaced(record: Record, by: Record) -> bool:
    """Return whether an engine serves no more where another one was built."""
    shared = set(record.program.split("+")) & set(by.program.split("+"))
    return (
        bool(shared)
        and _parts(record.key, _SAME) == _parts(by.key, _SAME)
        and _parts(record.key, _CHANGING) != _parts(by.key, _CHANGING)
    )


def _parts(key: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    return [key.get(name) for name in names]


def _is_unused(engine: Path, now: float) -> bool:
    """Return whether an engine is there and was not found for so long."""
    try:
        last_used = engine.with_suffix(".json").stat().st_mtime
    except FileNotFoundError:
        return False
    return now - last_used > UNUSED_DAYS * _DAY_S


def _delete_unused(engine: Path, now: float) -> bool:
    """Delete an engine's files, the record first, without which it is none; return whether it was unused and free."""
    if not _is_unused(engine, now):
        return False
    with held(lock_file(engine), None) as free:
        if not free or not _is_unused(engine, now):  # who held the lock until now may have built it anew
            return False
        for suffix in (".json", ".engine", ".kernels", ".lock"):
            engine.with_suffix(suffix).unlink(missing_ok=True)
    return True
