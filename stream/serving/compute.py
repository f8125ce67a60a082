"""The compute threads: each takes due batches, runs the lane's classifier, builds L2 records.

When a classifier raises a data error (``DATA_ERRORS``) the batch is halved until the items that cause it are found;
those become dead letters and the stream goes on. Every other error of a classifier is Fatal, and so is a data error on
``FAILURES_IN_A_ROW`` items without one success between them: then the engines are broken, not the data.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import structlog

from classifiers.classifier import Classifier, Verdicts
from classifiers.preprocess.units import UnitError
from classifiers.quality import Quality
from stream.decoded import Accepted, Lane
from stream.errors import Fatal
from stream.records.dead import DeadLetterWriter, refused_by_engines
from stream.records.finished import Finished
from stream.records.l2 import L2Writer
from stream.serving.shared import Shared
from stream.work import Batch

DATA_ERRORS: Final = (ValueError, ArithmeticError, UnitError)
FAILURES_IN_A_ROW: Final = 32

_log = structlog.get_logger("specstream.compute")


class EnginesBroken(Fatal):
    """The engines of a lane fail on everything that they are given."""

    def __init__(self, lane: Lane, failures: int) -> None:
        super().__init__(
            f"{lane} engines: expected a failure to be rare, received {failures} in a row; the bundles or the runtime "
            "are broken, see the cause"
        )
        self.lane = lane


class Compute:
    """Turns batches into finished records; any number of threads may ``run`` it."""

    def __init__(
        self,
        shared: Shared,
        classifiers: Mapping[Lane, Classifier],
        writers: Mapping[Lane, L2Writer],
        dead_letters: DeadLetterWriter,
    ) -> None:
        self._shared = shared
        self._classifiers = classifiers
        self._writers = writers
        self._dead_letters = dead_letters
        self._engines = {
            lane: {use.name: (use.runtime, use.dtype) for use in classifier.engines()}
            for lane, classifier in classifiers.items()
        }
        self._failures: dict[Lane, int] = dict.fromkeys(classifiers, 0)
        self._counting = threading.Lock()

    def run(self) -> None:
        """Compute batches until the service ends."""
        shared = self._shared
        while (batch := self._next_batch()) is not None:
            shared.telemetry.batch(batch.lane, len(batch.accepted))
            finished = self.finish(batch.lane, batch.accepted)
            with shared.condition:
                shared.pipeline.complete(batch, finished, shared.clock.monotonic())
                shared.condition.notify_all()

    def _next_batch(self) -> Batch | None:
        shared = self._shared
        with shared.condition:
            while not shared.ended:
                asked = shared.draining or shared.caught_up
                batch = shared.pipeline.next_batch(shared.clock.monotonic(), asked=asked)
                if batch is not None:
                    return batch
                shared.wait(shared.pipeline.batch_deadline())
        return None

    def finish(self, lane: Lane, accepted: Sequence[Accepted]) -> list[Finished]:
        """Return one finished record per item: its L2 record, or its dead letter where the engines refuse it.

        Raises:
            EnginesBroken: they refuse everything.
        """
        try:
            verdicts = self._classifiers[lane].classify([item.item for item in accepted])
        except DATA_ERRORS as error:
            if len(accepted) == 1:
                return [self._refused(accepted[0], error)]
            half = len(accepted) // 2
            return self.finish(lane, accepted[:half]) + self.finish(lane, accepted[half:])
        with self._counting:
            self._failures[lane] = 0
        self._time_stages(lane, verdicts)
        faults = np.count_nonzero(verdicts.quality_flags & int(Quality.NON_FINITE_OUTPUT))
        if faults:
            self._shared.telemetry.engine_faults(lane, int(faults))
        clock = self._shared.clock
        started = clock.monotonic()
        finished = self._writers[lane].finish(accepted, verdicts, clock.unix_ms())
        self._shared.telemetry.stage_seconds("records", clock.monotonic() - started)
        return finished

    def _refused(self, item: Accepted, error: Exception) -> Finished:
        with self._counting:
            self._failures[item.lane] += 1
            failures = self._failures[item.lane]
        if failures >= FAILURES_IN_A_ROW:
            raise EnginesBroken(item.lane, failures) from error
        source = item.message.source
        _log.warning(
            "record_refused_by_engines",
            topic=source.topic,
            partition=source.partition,
            offset=item.message.offset,
            lane=item.lane,
            error=f"{type(error).__name__}: {error}",
        )
        return self._dead_letters.finish(refused_by_engines(item, error))

    def _time_stages(self, lane: Lane, verdicts: Verdicts) -> None:
        """Report seconds by stage; engines computed in one call ("a+b") are one, as no share of it is any one's."""
        engines = self._engines[lane]
        for stage, seconds in verdicts.stage_seconds.items():
            first = stage.split("+")[0]
            if first in engines:
                runtime, dtype = engines[first]
                self._shared.telemetry.engine_seconds(stage, runtime, dtype, seconds)
            else:
                self._shared.telemetry.stage_seconds(stage, seconds)
