"""Runs the service inside a bench until it has committed what was expected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from classifiers.classifier import Classifier
from ops.bench.recorder import Recorder
from ops.wiring import open_input
from schemas.codec import Codec
from stream.decoded import Lane
from stream.errors import StreamError
from stream.service import serve
from stream.settings import Settings

LOOK_S = 0.01


class BenchFailed(StreamError):
    """The service did not do what the bench measures."""


def run_to_end(settings: Settings, classifiers: Mapping[Lane, Classifier], codec: Codec, expected: int) -> Recorder:
    """Run the service until ``expected`` records are committed.

    Raises:
        BenchFailed: it ended with another number, or with dead letters.
    """
    with running(settings, classifiers, codec) as (recorder, wait):
        wait(lambda: recorder.committed >= expected, 600.0)
    if recorder.committed != expected or recorder.dead:
        raise BenchFailed(
            f"bench {settings.group}: expected {expected} L2 records, received {recorder.committed} "
            f"of which {recorder.dead} dead letters"
        )
    return recorder


@contextmanager
def running(
    settings: Settings, classifiers: Mapping[Lane, Classifier], codec: Codec
) -> Iterator[tuple[Recorder, Callable[[Callable[[], bool], float], None]]]:
    """Run the service beside a ``with`` block, which gets its recorder and a function to wait for a condition."""
    recorder, stop = Recorder(), threading.Event()
    failures: list[StreamError] = []
    transport = open_input(settings)
    ended = threading.Event()

    def work() -> None:
        try:
            serve(settings, transport, classifiers, recorder, codec=codec, stop=stop)
        except StreamError as error:
            failures.append(error)
        finally:
            ended.set()

    def wait(condition: Callable[[], bool], at_most_s: float) -> None:
        waited_s = 0.0
        while not condition():
            if ended.wait(LOOK_S):
                break
            waited_s += LOOK_S
            if waited_s > at_most_s:
                raise BenchFailed(f"bench {settings.group}: expected an end within {at_most_s:.0f} s, none came")

    thread = threading.Thread(target=work, name="bench-service")
    thread.start()
    try:
        yield recorder, wait
    finally:
        stop.set()
        thread.join()
        transport.close()
    if failures:
        raise failures[0]
