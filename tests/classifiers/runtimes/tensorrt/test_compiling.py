"""Engines are built once, in a process of their own; what becomes of that process is one line, and nothing stays."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.cache import engine_key
from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.compiling import BuildFailed, Compiled, compile_ahead, timing_file
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
    assert notices[0].startswith("building the tensorrt_rtx engine of  in fp32 for batches of 16")


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
    with pytest.raises(BuildFailed, match="ended by SIGKILL"):
        build(small_program(), tmp_path, builder=builder)
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


def counting(folder: Path) -> tuple[str, ...]:
    """Return the real builder, which leaves a file in a folder each time that it is started."""
    code = (
        "import os, runpy, sys, tempfile; tempfile.mkstemp(dir=sys.argv.pop(1));"
        "runpy.run_module('classifiers.runtimes.tensorrt.building', run_name='__main__')"
    )
    return (sys.executable, "-c", code, str(folder))


@pytest.mark.slow
def test_two_who_ask_at_once_build_once(small_program: Callable[..., Program], tmp_path: Path) -> None:
    """Whoever comes second waits and finds the engine."""
    starts = tmp_path / "starts"
    starts.mkdir()
    barrier = threading.Barrier(3)

    def ask() -> Compiled:
        barrier.wait(LONGEST_S)
        return build(small_program(), tmp_path / "cache", builder=counting(starts))

    with ThreadPoolExecutor(3) as pool:
        results = [each.result(LONGEST_S) for each in [pool.submit(ask) for _ in range(3)]]
    assert len(list(starts.iterdir())) == 1
    assert sorted(result.was_built for result in results) == [False, False, True]
    assert len({result.kept.engine for result in results}) == 1


@pytest.mark.slow
def test_a_replica_waits_for_another_process_and_builds_when_that_is_killed(
    small_program: Callable[..., Program], tmp_path: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """A lock ends with who holds it, and what was left half built is swept away."""
    probe = build(small_program(), tmp_path / "probe").kept
    cache = tmp_path / "cache"
    (cache / f".{probe.path.stem}.building").mkdir(parents=True)
    (cache / f".{probe.path.stem}.building" / "engine").write_bytes(b"half")
    other = start(
        f"""
        import fcntl, threading
        with open({str(cache / probe.path.stem) + ".lock"!r}, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            print("held", flush=True)
            threading.Event().wait()
        """
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    waits = threading.Event()

    def progress(doing: str, _: float) -> None:
        if doing.startswith("waiting for another process"):
            waits.set()

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(build, small_program(), cache, progress=progress)
        assert waits.wait(LONGEST_S)
        assert not asked.done()
        other.kill()
        assert asked.result(LONGEST_S).was_built
    assert left(cache) == [".engine", ".json"]


@pytest.mark.slow
def test_a_builder_ends_with_the_process_that_asked(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[str]], until: Callable[[Callable[[], bool]], None]
) -> None:
    """Nobody's builder goes on taking memory after a replica was killed."""
    asker = start(
        f"""
        import sys
        from pathlib import Path
        from classifiers.bundle.folder import load_bundle
        from classifiers.runtimes.program import Program
        from classifiers.runtimes.tensorrt.compiling import compile_ahead
        from classifiers.suite import default_bundles

        code = ("import os, runpy; print(os.getpid(), file=open({str(tmp_path / "pid")!r}, 'w'), flush=True);"
                "runpy.run_module('classifiers.runtimes.tensorrt.building', run_name='__main__')")
        program = Program.of([load_bundle(folder) for folder in default_bundles() if "spectral" in folder.name])
        tell = lambda doing, fraction: print(fraction, flush=True)
        compile_ahead(program, "tensorrt_rtx", "fp32", (16, 64), Path({str(tmp_path)!r}), tell,
                      builder=(sys.executable, "-c", code))
        """
    )
    assert asker.stdout is not None
    assert asker.stdout.readline().strip() == "0.0", "the build has begun"
    builder = int((tmp_path / "pid").read_text())
    assert is_running(builder)
    asker.kill()
    until(lambda: not is_running(builder))


def is_running(process: int) -> bool:
    """Return whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_was_timed_is_kept_by_library_and_gpu_not_by_program() -> None:
    """The next program's build knows it already."""
    card = Card("NVIDIA H100", "9.0", "570.86.15")
    keys = [engine_key(graph, "tensorrt", "11.4.1", card, (16,), "fp32") for graph in (b"one", b"other")]
    elsewhere = engine_key(b"one", "tensorrt", "11.4.1", Card("NVIDIA A10", "8.6", "570.86.15"), (16,), "fp32")
    folder = Path("/cache")
    assert timing_file(folder, keys[0]) == timing_file(folder, keys[1]) != timing_file(folder, elsewhere)
