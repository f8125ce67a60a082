"""Locks on engines: one holder at a time, also where the file is deleted by who held it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from classifiers.runtimes.tensorrt.locks import held, lock_file

LONGEST_S = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return lock_file(tmp_path / "name.engine")


def test_a_lock_lies_beside_its_engine(path: Path) -> None:
    assert path.name == "name.lock"


def test_a_lock_has_one_holder_and_is_free_after(path: Path) -> None:
    for _ in range(2):
        with held(path, pytest.fail) as mine, held(path, None) as other:
            assert (mine, other) == (True, False)


def test_a_lock_is_free_after_an_error(path: Path) -> None:
    with pytest.raises(KeyError), held(path, pytest.fail):
        raise KeyError
    with held(path, None) as mine:
        assert mine


@pytest.mark.parametrize("deletes", [False, True])
def test_who_waits_is_told_so_and_gets_the_lock_that_counts(path: Path, deletes: bool) -> None:
    """A deleted file's lock keeps nobody out, so the one of the file that took its place is held."""
    waits, got = threading.Event(), threading.Event()

    def wait() -> None:
        with held(path, waits.set) as mine, held(path, None) as other:
            assert (mine, other) == (True, False)
            got.set()

    thread = threading.Thread(target=wait)
    with held(path, pytest.fail):
        thread.start()
        assert waits.wait(LONGEST_S)
        assert not got.is_set()
        if deletes:
            path.unlink()
    thread.join(LONGEST_S)
    assert got.is_set()
    assert path.exists()
