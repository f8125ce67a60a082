"""One library a process, of a version that serves; everything else is refused in a line that says what is needed."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.tensorrt.library import Words, check_version, installed_version, listen, load, one_line


def test_rtx_is_loaded_with_its_version() -> None:
    """The library of the ordinary package index imports without a GPU."""
    library = load("tensorrt_rtx")
    assert library.version == library.module.__version__ == installed_version("tensorrt_rtx")
    assert library.compiles_when_loaded


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for TensorRT without having it learns which extra brings it."""
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as Python marks what cannot be imported
    monkeypatch.delitem(sys.modules, "tensorrt_rtx", raising=False)
    with pytest.raises(RuntimeUnavailable, match=r"found: .*; in specstream's checkout pip install '.\[tensorrt\]'"):
        installed_version("tensorrt")


def test_an_unknown_library_is_refused_with_those_there_are() -> None:
    """A typing error is not looked for on the disk."""
    with pytest.raises(RuntimeUnavailable, match="expected tensorrt or tensorrt_rtx"):
        load("tensorrt_xxl")


def test_the_second_library_is_refused_in_a_process_that_has_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native code of both in one process would crash it."""
    present = types.ModuleType("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", present)
    with pytest.raises(RuntimeUnavailable, match="tensorrt is loaded in this process"):
        load("tensorrt_rtx")


@pytest.mark.parametrize(
    ("name", "version"), [("tensorrt", "10.8.0.43"), ("tensorrt", "11.4.1.20"), ("tensorrt_rtx", "1.2.0.44")]
)
def test_versions_that_serve_pass(name: str, version: str) -> None:
    """From the first that has all calls to the last major that is known."""
    check_version(name, version)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorrt", "8.6.1"),
        ("tensorrt", "10.7.0"),
        ("tensorrt", "12.0.0"),
        ("tensorrt_rtx", "1.1.0"),
        ("tensorrt", ""),
    ],
)
def test_other_versions_are_refused_with_expected_and_found(name: str, version: str) -> None:
    """Not by a missing attribute in the middle of a build."""
    said = rf"expected a version from .*, found {version or 'none'}; in specstream's checkout pip install "
    with pytest.raises(RuntimeUnavailable, match=said):
        check_version(name, version)


def test_importing_the_room_imports_no_library() -> None:
    """Only ``load`` does, so that whoever probes for a runtime decides which one it is."""
    code = (
        "import sys, classifiers.runtimes.tensorrt.compiling, classifiers.runtimes.tensorrt.building;"
        "print([name for name in ('tensorrt', 'tensorrt_rtx', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_errors_are_heard_before_warnings_and_only_once() -> None:
    """The logger keeps what explains a failure, in one line, and forgets it when asked."""
    logger, words = listen(load("tensorrt_rtx"))
    interface = load("tensorrt_rtx").module.ILogger
    words.take()
    logger.log(interface.INFO, "chatter")
    logger.log(interface.WARNING, "beware")
    logger.log(interface.ERROR, "it\n broke")
    logger.log(interface.ERROR, "it\n broke")
    assert words.take() == "it broke"
    assert words.take() == "the library gave no reason"
    words.add("beware", is_error=False)
    assert words.take() == "beware"


def test_a_library_has_one_logger_in_a_process() -> None:
    """It keeps the address of the first for ever, so that one must never be freed."""
    assert listen(load("tensorrt_rtx"))[0] is listen(load("tensorrt_rtx"))[0]


def test_a_library_that_goes_on_warning_fills_no_memory() -> None:
    """The last words are kept, which tell of what failed last."""
    words = Words()
    for number in range(1000):
        words.add(f"warning {number}", is_error=False)
    assert words.take().split("; ") == [f"warning {number}" for number in range(992, 1000)]


def test_long_words_are_cut() -> None:
    """Kernel names fill pages; a line stays a line."""
    words = Words()
    words.add("x" * 10_000, is_error=True)
    said = words.take()
    assert len(said) == 400
    assert said.endswith("...")
    assert one_line(" a\n\tb ") == "a b"
