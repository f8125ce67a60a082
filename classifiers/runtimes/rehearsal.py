"""A rehearsal before anything is consumed: a program's golden inputs in each size and slot that the stream will use.

Golden answers (``golden``) show that bundles are computed rightly at one size in one slot. A device has a kernel or an
optimisation profile for each bucket, and for each slot a stream, buffers and captured graphs of its own: what is wrong
with one of these alone would first show in published records. So rows that have golden answers fill every bucket up to
the largest batch in all slots at once, other rows in each slot, and must be answered everywhere as they are known to
be; where a device prepares raw spectra, so must these (``rehearsal_of_raw``).

What fails here is no fault of the bundles, which gave their golden answers, but of the runtime with this card and
driver: one that was named ends the program, ``auto`` goes on to the next. A bucket without room on the device is given
up as in the stream, and a device that is lost here is lost (``Pipeline``).

ONNX Runtime on the CPU rehearses nothing: it computes chunks of one size, in one session on one thread and on the same
instructions as the golden answers, whatever the batch, so these have been every way there is (``onnx_cpu``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import Bundle
from classifiers.engine import Arrays
from classifiers.runtimes.device.ring import reachable
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import compare_answers, read_golden
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.rehearsal_of_raw import PreparedOnCpu, as_raw
from classifiers.watch import Watch

WHAT_TO_DO: Final = "take another engines.runtime or engines.dtype, or mend the driver or the card"


class RehearsalFailed(RuntimeUnavailable):
    """A program that gives its golden answers is not computed so in a size or slot: nothing may be classified with it.

    Attributes:
        program: names of the bundles.
        bucket: rows computed at once.
        slot: the first that is wrong, from 0.
    """

    def __init__(self, engine: ProgramEngine, bucket: int, slot: int, expected: str, found: str) -> None:
        program = engine.program
        where = f"{bucket} rows at once in slot {slot + 1} of {program.slots}"
        reason = f"{program.program.name} in {engine.dtype}, {where}: expected {expected}, found {found}; {WHAT_TO_DO}"
        super().__init__(engine.runtime, reason)
        self.program = program.program.name
        self.bucket = bucket
        self.slot = slot


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was rehearsed before the first record.

    Attributes:
        bundles: names of those that the program computes.
        buckets: rows at once.
        slots: in each of which every bucket was computed.
        raw: whether raw spectra were, too.
        seconds: how long it took [s].
    """

    bundles: tuple[str, ...]
    buckets: tuple[int, ...]
    slots: int
    raw: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Scene:
    """Rows whose answers are known.

    Attributes:
        inputs: by input name, first axis g.
        answers: known ones, by bundle name and output name, first axis g.
        expected: what they are, in words.
    """

    inputs: Mapping[str, NDArray[np.float32]]
    answers: Mapping[str, Arrays]
    expected: str

    @property
    def rows(self) -> int:
        """Return g."""
        return len(next(iter(self.inputs.values())))


class _Part(NamedTuple):
    """What all slots answered at once.

    Attributes:
        rows: which of a scene's rows each of them was given, (slots, bucket).
        answers: by bundle name and output name, first axis slots x bucket.
    """

    rows: NDArray[np.int64]
    answers: Mapping[str, Arrays]


def rehearse(engine: ProgramEngine, largest_batch: int | None = None) -> Rehearsed:
    """Have an engine's program answer for all of its bundles in every bucket and slot.

    Args:
        engine: one of the program's, whose bundles have given their golden answers; nobody else uses the program yet.
        largest_batch: rows of the largest batch that it will be given; None: of any size.

    Raises:
        RehearsalFailed: it answers otherwise in one of them.
        OutOfMemory: the device cannot even hold the smallest bucket.
        DeviceLost: the device failed.
    """
    running, watch = engine.program, Watch()
    scenes = list(_scenes(running.program.bundles))
    sizes = reachable(largest_batch, running.buckets)
    for bucket in sizes:
        for scene in scenes:
            _play(engine, scene, bucket)
    raw = engine.preparing is not None
    if raw:
        for scene in scenes:
            _play_raw(engine, scene, sizes)
    watch.stop("rehearsal")
    used = tuple(bucket for bucket in sizes if bucket in running.buckets)
    names = tuple(bundle.manifest.name for bundle in running.program.bundles)
    return Rehearsed(names, used, running.slots, raw, round(watch.seconds["rehearsal"], 3))


def _scenes(bundles: Sequence[Bundle]) -> Iterator[_Scene]:
    """Yield golden inputs with the answers of all bundles that carry the same ones."""
    left = {bundle.manifest.name: read_golden(bundle) for bundle in bundles}
    while left:
        inputs = next(iter(left.values())).inputs
        same = [name for name, each in left.items() if all(np.array_equal(each.inputs[k], inputs[k]) for k in inputs)]
        yield _Scene(inputs, {name: left.pop(name).outputs for name in same}, "golden answers")


def _play(engine: ProgramEngine, scene: _Scene, bucket: int) -> None:
    """Have every slot answer all rows of a scene, a bucket at a time."""
    running, parts = engine.program, []
    for rows in _parts(scene.rows, bucket, running.slots):
        if bucket not in running.buckets:
            return  # it was too large, now or for the scene before
        taken = rows.reshape(-1)
        answers = running.run({name: array[taken] for name, array in scene.inputs.items()}, bucket=bucket)
        parts.append(_Part(rows, answers))
    _compare(engine, scene, parts)


def _play_raw(engine: ProgramEngine, scene: _Scene, sizes: Sequence[int]) -> None:
    """Have every slot prepare and answer a scene's rows as raw spectra, as it answers what the CPU makes of them."""
    running, preparing = engine.program, engine.preparing
    if preparing is None:
        return
    spectra = as_raw(scene.inputs, preparing.grid)
    on_cpu = PreparedOnCpu.of(spectra, preparing.grid)
    answers = running.run(on_cpu.inputs)
    of_scene = {name: answers[name] for name in scene.answers}
    known = _Scene(on_cpu.inputs, of_scene, "answers to raw spectra as after the CPU's preparation")
    for bucket in sizes:
        parts = []
        for rows in _parts(scene.rows, bucket, running.slots):
            if bucket not in running.buckets:
                return
            found = preparing.run([spectra[row] for row in rows.reshape(-1)], bucket=bucket)
            for slot, taken in enumerate(rows):
                difference = on_cpu.difference(found.prepared.rows(slice(slot * bucket, (slot + 1) * bucket)), taken)
                if difference is not None:
                    raise RehearsalFailed(engine, bucket, slot, "raw spectra prepared as on the CPU", difference)
            parts.append(_Part(rows, found.answers))
        _compare(engine, known, parts)


def _parts(n: int, bucket: int, slots: int) -> Iterator[NDArray[np.int64]]:
    """Yield (slots, bucket) of n rows' numbers, until each slot has had all; no two slots the same at once."""
    for start in range(0, n, bucket):
        yield (np.arange(start, start + bucket) + np.arange(slots)[:, None]) % n


def _compare(engine: ProgramEngine, scene: _Scene, parts: Sequence[_Part]) -> None:
    """Compare what each slot answered to all rows of a scene with what is known."""
    slots, bucket = parts[0].rows.shape
    for bundle in engine.program.program.bundles:
        name = bundle.manifest.name
        for slot in range(slots if name in scene.answers else 0):
            rows = np.concatenate([part.rows[slot] for part in parts])
            report = compare_answers(bundle, scene.answers[name], _of_slot(parts, name, slot), rows)
            excess = report.excess(bundle.manifest.tolerances[engine.dtype])
            if excess is not None:
                expected = f"{scene.expected} of {name} within its tolerances"
                raise RehearsalFailed(engine, bucket, slot, expected, excess)


def _of_slot(parts: Sequence[_Part], name: str, slot: int) -> dict[str, NDArray[Any]]:
    """Return what a slot answered for a bundle, part after part."""
    bucket = parts[0].rows.shape[1]
    mine = slice(slot * bucket, (slot + 1) * bucket)
    return {key: np.concatenate([part.answers[name][key][mine] for part in parts]) for key in parts[0].answers[name]}
