"""A fraction made of phases within phases never falls and ends at the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classifiers.runtimes.tensorrt.progress import Phases


def test_a_phase_within_a_step_is_worth_its_share() -> None:
    """Half of the second of four steps is three eighths."""
    told: list[tuple[str, float]] = []
    phases = Phases(lambda doing, fraction: told.append((doing, fraction)))
    phases.start("build", None, 4)
    phases.step("build", 0)
    phases.start("time", "build", 2)
    phases.step("time", 0)
    assert told == [("build", 0.0), ("build", 0.25), ("time", 0.375)]
    phases.finish("time")
    phases.step("build", 3)
    assert told[-1] == ("build", 1.0)


@given(st.lists(st.tuples(st.sampled_from(["start", "step", "finish"]), st.integers(0, 3), st.integers(0, 5))))
def test_whatever_is_reported_the_fraction_grows_within_its_bounds(
    events: list[tuple[str, int, int]],
) -> None:
    """Libraries repeat names, end phases early and report steps of phases that are gone."""
    told: list[float] = []
    phases = Phases(lambda _, fraction: told.append(fraction))
    for kind, depth, number in events:
        name, parent = f"phase {depth}", f"phase {depth - 1}" if depth else None
        if kind == "start":
            phases.start(name, parent, number)
        elif kind == "step":
            phases.step(name, number)
        else:
            phases.finish(name)
    assert told == sorted(set(told))
    assert all(0.0 <= fraction <= 1.0 for fraction in told)
