"""Engines are built once, in a process of their own; what becomes of that process is one line, and nothing stays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.asking import timing_file
from classifiers.runtimes.tensorrt.cache import engine_key
from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.compiling import BuildFailed, Compiled, compile_ahead, compile_largest
from classifiers.runtimes.tensorrt.limits import Limits

LIBRARY = "tensorrt_rtx"
LONGEST_S = 60.0


def build(program: Program, folder: Path, **options: object) -> Compiled:
    """Compile a small program for one batch size."""
    return compile_ahead(program, LIBRARY, "fp32", (16,), folder, **options)  # type: ignore[arg-type]


def left(folder: Path) -> list[str]:
    """Return the kinds of files in a cache folder, locks aside."""
    return sorted(path.suffix for path in folder.iterdir() if path.suffix != ".lock")


def test_an_engine_is_built_once_and_found_after(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """The second time nothing is built, and the bytes are the same."""
    notices: list[str] = []
    first = build(small_program(), tmp_path, notice=notices.append)
    second = build(small_program(), tmp_path, notice=notices.append)
    assert (first.was_built, second.was_built) == (True, False)
    assert first.kept.engine == second.kept.engine
    assert first.kept.record.engine_bytes == first.kept.path.stat().st_size
    assert left(tmp_path) == [".engine", ".json"]
    assert len(notices) == 1
    assert notices[0].startswith("building the tensorrt_rtx engine of  in fp32 for 16 rows")


@pytest.mark.slow
def test_progress_is_told_while_the_engine_is_built(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """In the library's words, with a fraction that grows."""
    told: list[tuple[str, float]] = []
    build(small_program(), tmp_path, progress=lambda *said: told.append(said))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0.5 < fractions[-1] <= 1.0


@pytest.mark.slow
def test_buckets_and_dtypes_have_engines_of_their_own(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """In whatever order buckets are named."""
    one = compile_ahead(small_program(), LIBRARY, "fp32", (64, 16, 64), tmp_path)
    same = compile_ahead(small_program(), LIBRARY, "fp32", (16, 64), tmp_path)
    other = compile_ahead(small_program(), LIBRARY, "tf32", (16, 64), tmp_path)
    assert not same.was_built
    assert other.was_built
    assert one.kept.path == same.kept.path != other.kept.path


@pytest.mark.parametrize("buckets", [(), (0, 16), (-1,)])
def test_buckets_that_are_no_batch_sizes_are_refused(
    small_program: Callable[..., Program], tmp_path: Path, buckets: tuple[int, ...]
) -> None:
    """Before anything is written."""
    with pytest.raises(RuntimeUnavailable, match="expected batch sizes of 1 and more"):
        compile_ahead(small_program(), LIBRARY, "fp32", buckets, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
@pytest.mark.slow
def test_a_damaged_engine_is_refused_in_a_line_and_built_again(
    small_program: Callable[..., Program], tmp_path: Path, damage: str
) -> None:
    """And the new one is found by the next."""
    first = build(small_program(), tmp_path).kept
    content = bytearray(first.engine)
    content[len(content) // 2] ^= 1
    first.path.write_bytes(content if damage == "flipped" else first.engine[:-100])
    notices: list[str] = []
    again = build(small_program(), tmp_path, notice=notices.append)
    assert again.was_built
    assert again.refused.startswith(f"{first.path}: expected ")
    assert notices[0] == f"an engine is refused and built again: {again.refused}"
    assert not build(small_program(), tmp_path).was_built


@pytest.mark.slow
def test_an_engine_made_for_another_gpu_is_refused_in_a_line_and_built_again(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """A cache folder that came from another machine harms nothing."""
    here = build(small_program(), tmp_path).kept
    record = here.record
    there = engine_key(
        small_program().graph,
        LIBRARY,
        record.key["version"],
        Card("NVIDIA RTX 4090", "8.9", "580.65.06"),
        (16,),
        "fp32",
    )
    foreign = record.model_copy(update={"key": {**record.key, "gpu": there.gpu}})
    here.path.with_suffix(".json").unlink()
    (tmp_path / f"{there.name}.json").write_text(foreign.model_dump_json())
    here.path.rename(tmp_path / f"{there.name}.engine")
    again = build(small_program(), tmp_path)
    assert again.was_built
    assert again.refused.endswith("expected GPU none, found NVIDIA RTX 4090")


@pytest.mark.slow
def test_an_unsupported_operator_is_named_and_nothing_is_kept(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """With the program, the dtype, the node and what to do."""
    with pytest.raises(BuildFailed) as failure:
        build(small_program("Det"), tmp_path)
    assert str(failure.value) == (
        "runtime 'tensorrt_rtx' cannot serve: it builds no engine of  in fp32: "
        "node 'the_node' (Det): unsupported node; take another runtime or dtype"
    )
    assert left(tmp_path) == []


@pytest.mark.slow
def test_a_corrupt_graph_is_refused_and_nothing_is_kept(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """The library says what it could not read."""
    with pytest.raises(BuildFailed, match="Failed to parse the ONNX model"):
        build(small_program(graph=b"garbage"), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.slow
def test_a_builder_that_is_killed_is_named_and_nothing_is_kept(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """As the kernel kills when memory runs out; the next one builds."""
    builder = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(BuildFailed, match=r"ended by SIGKILL.*; take smaller buckets") as ended:
        build(small_program(), tmp_path, builder=builder)
    assert ended.value.for_want_of_memory
    assert left(tmp_path) == []
    assert build(small_program(), tmp_path).was_built


def test_a_builder_that_crashes_is_named_with_its_last_words(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """A segmentation fault of the vendor's code is no end of the program that asked."""
    crash = (
        "import os, resource, signal, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
        "print('in layer 7', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    with pytest.raises(BuildFailed, match=r"ended by SIGSEGV \(the library crashed\) after: in layer 7"):
        build(small_program(), tmp_path, builder=(sys.executable, "-c", crash))


@pytest.mark.slow
def test_a_builder_that_takes_too_much_memory_is_killed(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """The real one does so at once where 20 MiB are all it may have; smaller buckets are no remedy for one."""
    with pytest.raises(BuildFailed, match=r"killed: it held \d+ MiB of memory, expected at most 20 MiB"):
        build(small_program(), tmp_path, bounds=Limits(memory_bytes=20 * 2**20))
    with pytest.raises(BuildFailed, match="take smaller buckets than 16,64"):
        compile_ahead(small_program(), LIBRARY, "fp32", (16, 64), tmp_path, bounds=Limits(memory_bytes=20 * 2**20))
    assert left(tmp_path) == []


@pytest.mark.slow
def test_buckets_that_no_profile_holds_are_said_to_be_too_large(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """Another runtime or dtype would not help."""
    with pytest.raises(BuildFailed, match="take smaller buckets than 3000000000") as refused:
        compile_ahead(small_program(), LIBRARY, "fp32", (3_000_000_000,), tmp_path)
    assert refused.value.for_want_of_memory


def test_a_builder_that_takes_too_long_is_killed(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """The limit is told."""
    hangs = (sys.executable, "-c", "import threading; threading.Event().wait()")
    with pytest.raises(BuildFailed, match=r"killed: it took longer than 0\.5 s"):
        build(small_program(), tmp_path, bounds=Limits(seconds=0.5), builder=hangs)


def test_a_folder_that_cannot_be_written_is_named(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(RuntimeUnavailable, match=r"engine cache that can be written at .*taken/engines"):
        build(small_program(), tmp_path / "taken" / "engines")


def hungry(largest: int) -> tuple[str, ...]:
    """Return the real builder on a card that has memory for so many rows."""
    code = (
        "import json, pathlib, runpy, sys\n"
        "rows = max(json.loads((pathlib.Path(sys.argv[2]) / 'request.json').read_text())['buckets'])\n"
        "if rows > int(sys.argv.pop(1)):\n"
        "    sys.exit('Error Code 1: Cuda Runtime (out of memory)')\n"
        "runpy.run_module('classifiers.runtimes.tensorrt.building', run_name='__main__')"
    )
    return (sys.executable, "-c", code, str(largest))


@pytest.mark.slow
def test_the_service_leaves_out_the_buckets_that_there_is_no_memory_for(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """It says so, and the next start takes what is there instead of failing again for minutes."""
    notices: list[str] = []
    buckets = (16, 64, 256)
    first = compile_largest(
        small_program(), LIBRARY, "fp32", buckets, tmp_path, notice=notices.append, builder=hungry(64)
    )
    assert first.was_built
    assert first.kept.record.key["buckets"] == [16, 64]
    assert notices[1].endswith("(out of memory); take smaller buckets than 16,64,256; trying without batches of 256")
    notices.clear()
    second = compile_largest(
        small_program(), LIBRARY, "fp32", buckets, tmp_path, notice=notices.append, builder=hungry(0)
    )
    assert not second.was_built
    assert second.kept.path == first.kept.path
    assert len(notices) == 1
    assert notices[0].endswith("an engine for batches up to 64 is there, none for larger ones")
    whole = compile_ahead(small_program(), LIBRARY, "fp32", buckets, tmp_path).kept
    assert compile_largest(small_program(), LIBRARY, "fp32", buckets, tmp_path).kept.path == whole.path
    whole.path.write_bytes(b"damaged")
    again = compile_largest(small_program(), LIBRARY, "fp32", buckets, tmp_path)
    assert (again.was_built, again.kept.path) == (True, whole.path)


def test_a_card_too_small_for_the_smallest_bucket_is_no_card_for_the_program(
    small_program: Callable[..., Program], tmp_path: Path
) -> None:
    """Each bucket is tried once; what is no matter of memory is tried once at all."""
    notices: list[str] = []
    with pytest.raises(BuildFailed, match=r"take smaller buckets than 16$"):
        compile_largest(small_program(), LIBRARY, "fp32", (16, 64), tmp_path, notice=notices.append, builder=hungry(0))
    assert sum(notice.startswith("building") for notice in notices) == 2
    notices.clear()
    with pytest.raises(BuildFailed, match="unsupported node"):
        compile_largest(small_program("Det"), LIBRARY, "fp32", (16, 64), tmp_path, notice=notices.append)
    assert sum(notice.startswith("building") for notice in notices) == 1


def test_what_was_timed_is_kept_by_library_and_gpu_not_by_program() -> None:
    """The next program's build knows it already."""
    card = Card("NVIDIA H100", "9.0", "570.86.15")
    keys = [engine_key(graph, "tensorrt", "11.4.1", card, (16,), "fp32") for graph in (b"one", b"other")]
    elsewhere = engine_key(b"one", "tensorrt", "11.4.1", Card("NVIDIA A10", "8.6", "570.86.15"), (16,), "fp32")
    folder = Path("/cache")
    assert timing_file(folder, keys[0]) == timing_file(folder, keys[1]) != timing_file(folder, elsewhere)
