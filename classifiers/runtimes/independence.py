"""A test of an engine: does a row's answer depend on the rows beside it, or on its place among them?

Replay promises byte-identical records whatever the batch, so a bundle that fails this must not be shipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from classifiers.engine import Engine


def dependent_outputs(
    engine: Engine, inputs: Mapping[str, NDArray[np.float32]], random: np.random.Generator, rounds: int = 4
) -> tuple[str, ...]:
    """Return the names of outputs that change by even one bit when rows are shuffled, dropped or run alone.

    Args:
        engine: the engine.
        inputs: n >= 2 rows by input name, preferably real ones and more than a chunk.
        random: source of the shuffles.
        rounds: number of shuffles.
    """
    n = len(next(iter(inputs.values())))
    reference = engine.run(inputs)
    choices = [np.arange(1), np.arange(n - 1, n)]
    for _ in range(rounds):
        choices += [random.permutation(n), random.permutation(n)[: int(random.integers(1, n))]]
    differ = set()
    for rows in choices:
        answers = engine.run({name: np.ascontiguousarray(array[rows]) for name, array in inputs.items()})
        for name, answer in answers.items():
            if answer.tobytes() != np.ascontiguousarray(reference[name][rows]).tobytes():
                differ.add(name)
    return tuple(name for name in reference if name in differ)
