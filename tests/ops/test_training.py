"""What computes a training: a GPU that torch can use, or the processor; a GPU that is named is never replaced."""

from __future__ import annotations

import pytest

from stream.errors import ConfigurationError

pytestmark = pytest.mark.slow  # torch takes seconds to import: the tests import it, not collection
NONE = "expected an NVIDIA GPU with its driver, found none"


@pytest.mark.parametrize(
    ("asked", "reason", "found"),
    [("auto", NONE, "cpu"), ("auto", "", "cuda"), ("cuda", "", "cuda"), ("cpu", "", "cpu"), ("cpu", NONE, "cpu")],
)
def test_the_device_is_what_was_asked_for_or_what_there_is(asked: str, reason: str, found: str) -> None:
    from ops.training import chosen_device

    assert chosen_device(asked, lambda _: reason).type == found  # type: ignore[arg-type]


def test_a_gpu_that_is_named_and_not_there_is_refused() -> None:
    from ops.training import chosen_device

    with pytest.raises(ConfigurationError, match=f"--device cuda: {NONE}"):
        chosen_device("cuda", lambda _: NONE)


def test_torch_is_what_must_compute_and_is_not_asked_for_nothing() -> None:
    from ops.training import chosen_device

    asked: list[str] = []
    chosen_device("cpu", lambda runtime: asked.append(runtime) or "")  # type: ignore[func-returns-value]
    assert asked == []
    chosen_device("auto", lambda runtime: asked.append(runtime) or "")  # type: ignore[func-returns-value]
    assert asked == ["torch"]
