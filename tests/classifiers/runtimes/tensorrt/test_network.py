"""What is no graph for a library is refused in one line; what is one becomes an engine with a profile per bucket."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from classifiers.bundle.folder import GRAPH_FILE
from classifiers.runtimes.tensorrt.library import Library, load
from classifiers.runtimes.tensorrt.network import CannotBuild, build, parser_words
from classifiers.suite import default_bundles

READS = {"x": ("float32", (8,))}
ANSWERS = {"y": ("float32", (8,))}


@pytest.fixture(scope="module")
def rtx() -> Library:
    """Return the library that builds without a GPU."""
    return load("tensorrt_rtx")


def test_a_graph_becomes_an_engine_and_progress_is_told(rtx: Library, make_graph: Callable[..., bytes]) -> None:
    """Without a GPU, in a moment."""
    told: list[tuple[str, float]] = []
    built = build(rtx, make_graph(), READS, ANSWERS, (1, 16, 64), progress=lambda *said: told.append(said))
    assert len(built.engine) > 1000
    assert built.layers == ()
    assert built.timing_cache == b"", "RTX times nothing while it builds"
    assert told
    assert told[-1][1] > 0.5


def test_an_operator_that_the_library_lacks_is_named_with_its_node(
    rtx: Library, make_graph: Callable[..., bytes]
) -> None:
    """Det is ONNX, and no library of this kind has it."""
    with pytest.raises(CannotBuild) as refusal:
        build(rtx, make_graph("Det", "the_determinant"), READS, ANSWERS, (16,))
    assert refusal.value.reason == "node 'the_determinant' (Det): unsupported node"


def test_an_operator_that_nobody_knows_is_named_with_the_librarys_words(
    rtx: Library, make_graph: Callable[..., bytes]
) -> None:
    """The parser takes it for a plugin and says so."""
    with pytest.raises(CannotBuild, match=r"node 'odd' \(Frobnicate\): invalid node: .*Plugin not found"):
        build(rtx, make_graph("Frobnicate", "odd"), READS, ANSWERS, (16,))


@pytest.mark.parametrize("graph", [b"garbage", b"\x08"])
def test_bytes_that_are_no_onnx_are_refused(rtx: Library, graph: bytes) -> None:
    """In the library's words, on one line."""
    with pytest.raises(CannotBuild, match="Failed to parse the ONNX model") as refusal:
        build(rtx, graph, READS, ANSWERS, (16,))
    assert "\n" not in refusal.value.reason


def test_half_of_a_graph_is_refused(rtx: Library) -> None:
    """A file cut short never makes an engine of what is left."""
    graph = (default_bundles()[0] / GRAPH_FILE).read_bytes()
    with pytest.raises(CannotBuild, match="Failed to parse"):
        build(rtx, graph[: len(graph) // 2], READS, ANSWERS, (16,))


@pytest.mark.parametrize("graph", [b"", b"this is no ONNX"])
def test_an_empty_graph_is_refused(rtx: Library, graph: bytes) -> None:
    """The parser takes no bytes at all, and some bytes that are no ONNX, for a graph without nodes."""
    with pytest.raises(CannotBuild, match="the ONNX graph is empty"):
        build(rtx, graph, READS, ANSWERS, (16,))


@pytest.mark.parametrize(
    ("reads", "answers", "words"),
    [
        ({"x": ("float32", (9,))}, ANSWERS, r"expected input x float32 \(-1, 9\), found float32 \(-1, 8\)"),
        ({"flux": ("float32", (8,))}, ANSWERS, r"expected input flux float32 \(-1, 8\), found none"),
        ({}, ANSWERS, "expected no other input, found x"),
        (READS, {"y": ("int64", (8,))}, r"expected output y int64 \(-1, 8\), found float32 \(-1, 8\)"),
        (READS, {}, "expected no other output, found y"),
    ],
)
def test_a_graph_of_other_inputs_or_outputs_is_refused(
    rtx: Library, make_graph: Callable[..., bytes], reads: Any, answers: Any, words: str
) -> None:
    """Names, shapes and dtypes are those of the program, or nothing is built."""
    with pytest.raises(CannotBuild, match=words):
        build(rtx, make_graph(), reads, answers, (16,))


def test_a_batch_too_large_for_the_library_is_refused(rtx: Library, make_graph: Callable[..., bytes]) -> None:
    """A tensor holds at most 2**31 - 1 rows; it is said, not cut."""
    with pytest.raises(CannotBuild, match="it has no profile of 2147483648 rows"):
        build(rtx, make_graph(), READS, ANSWERS, (16, 2**31))


def test_the_parsers_errors_are_one_line() -> None:
    """Each once, whatever the library repeats."""

    def error(node: str, operator: str, code: str, words: str) -> Any:
        return SimpleNamespace(
            code=lambda: SimpleNamespace(name=code),
            desc=lambda: words,
            node_name=lambda: node,
            node_operator=lambda: operator,
        )

    unsupported = error("a", "Det", "UNSUPPORTED_NODE", "false")
    broken = error("", "", "MODEL_DESERIALIZE_FAILED", "Failed to\nparse")
    assert parser_words([unsupported, unsupported, broken]) == (
        "node 'a' (Det): unsupported node; model deserialize failed: Failed to parse"
    )
