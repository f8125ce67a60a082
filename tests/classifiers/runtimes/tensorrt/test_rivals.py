"""Whoever asks for an engine that another is building waits for it; what a killed process leaves is swept away."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.compiling import Compiled, compile_ahead

LONGEST_S = 60.0


def build(program: Program, folder: Path, **options: object) -> Compiled:
    """Compile a small program for one batch size."""
    return compile_ahead(program, "tensorrt_rtx", "fp32", (16,), folder, **options)  # type: ignore[arg-type]


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
    assert sorted(path.suffix for path in cache.iterdir()) == [".engine", ".json", ".lock"]


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
