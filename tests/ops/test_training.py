"""What computes a training: a GPU that torch can use, or the processor; a GPU that is named is never replaced."""

from __future__ import annotations

import pytest

from stream.errors import ConfigurationError, Fatal

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


def test_auto_says_why_a_gpu_that_is_there_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one there is nothing to say."""
    from classifiers.runtimes.tensorrt.card import Card
    from ops import training

    told: list[str] = []
    training.chosen_device("auto", lambda _: NONE, told.append)
    assert told == []
    monkeypatch.setattr(training, "find_card", lambda: Card("Tesla K80", "3.7", "470.57"))
    assert training.chosen_device("auto", lambda _: "expected a newer driver", told.append).type == "cpu"
    assert told == ["training on the CPU: expected a newer driver"]


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB", "has no memory left: CUDA out of memory"),
        ("AcceleratorError", "CUDA error: an illegal memory access was encountered", "failed: CUDA error: an illegal"),
    ],
)
def test_a_device_that_fails_in_a_training_is_one_line_that_says_how_to_go_on(kind: str, words: str, said: str) -> None:
    import torch

    from ops.training import failures_told

    error = getattr(torch, kind, RuntimeError)(words)
    with pytest.raises(Fatal, match="--resume goes on after the last epoch") as told, failures_told():
        raise error
    assert said in str(told.value)


def test_what_is_no_failure_of_a_device_stays_what_it_is() -> None:
    from ops.training import failures_told

    with pytest.raises(RuntimeError, match="shapes do not match"), failures_told():
        raise RuntimeError("shapes do not match")
