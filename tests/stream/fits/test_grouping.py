"""Which files are arms of one exposure: linear in the number of files, and opened only when their turn comes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from stream.fits import group_arms, grouping
from stream.fits.first_header import first_header
from stream.fits.grouping import ArmIdentity

Make = Callable[..., Path]
Pairs = list[tuple[Path, tuple[str, float, str] | None]]

FILES = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.sampled_from("ab"), st.floats(0, 1000), st.sampled_from(["BLUE", "GREEN", "RED"])),
    ),
    max_size=30,
)


def grouped_slowly(files: Pairs) -> list[tuple[Path, ...]]:
    """Put each file into the first group of its key and time that lacks its arm, looking at every group."""
    groups: list[tuple[list[Path], tuple[str, float] | None, set[str]]] = []
    for path, identity in files:
        if identity is not None:
            key, start_s, arm = identity
            for paths, shared, arms in groups:
                if shared and shared[0] == key and arm not in arms and abs(shared[1] - start_s) < 120.0:
                    paths.append(path)
                    arms.add(arm)
                    break
            else:
                groups.append(([path], (key, start_s), {arm}))
        else:
            groups.append(([path], None, set()))
    return [tuple(paths) for paths, _, _ in groups]


@given(identities=FILES)
def test_groups_are_those_of_looking_at_every_group(identities: list[tuple[str, float, str] | None]) -> None:
    files: Pairs = [(Path(f"{number}.fits"), identity) for number, identity in enumerate(identities)]
    known = {path: None if i is None else ArmIdentity((i[0],), i[1], i[2], 3) for path, i in files}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "_identity", known.get)
        patch.setattr(grouping, "_joins", lambda path: path in known)
        assert list(group_arms(list(known))) == grouped_slowly(files)


@pytest.mark.slow
def test_a_hundred_thousand_names_are_grouped_without_opening_the_files(tmp_path: Path) -> None:
    paths = [tmp_path / f"2026{n:05d}_H{arm}11_x.fits" for arm in "BGR" for n in range(33_333)]
    groups = group_arms(paths)
    assert next(groups) == (paths[0],)  # there is no such file: it stands alone, so that reading it says so
    assert sum(1 for _ in groups) == len(paths) - 1


def test_a_damaged_arm_does_not_take_the_other_down(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_2.fit", "RED")
    blue = make_weave(tmp_path / "single_1.fit", "BLUE")
    assert list(group_arms([blue, red])) == [(blue, red)]
    blue.write_bytes(blue.read_bytes()[:20_000])
    assert list(group_arms([blue, red])) == [(blue,), (red,)]


def test_a_product_that_is_no_spectra_stands_alone(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_2.fit", "RED")
    other = tmp_path / "single_1.fit"
    header = fits.getheader(red)
    header["CAMERA"] = "WEAVEBLUE"
    fits.PrimaryHDU(header=header).writeto(other)
    assert list(group_arms([other, red])) == [(other,), (red,)]


def test_gzipped_arms_and_arms_told_by_their_extensions_are_grouped(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_2.fit", "RED", header={"CAMERA": ""})
    blue = make_weave(tmp_path / "single_1.fit", "BLUE")
    packed = tmp_path / "single_1.fit.gz"
    packed.write_bytes(gzip.compress(blue.read_bytes()))
    assert list(group_arms([red, packed])) == [(red, packed)]


def test_next_groups_file_is_opened_only_when_its_turn_comes(make_weave: Make, tmp_path: Path) -> None:
    paths = [
        make_weave(tmp_path / f"single_{n}_{a}.fit", a, mjd=60500.0 + n) for n in range(2) for a in ("RED", "BLUE")
    ]
    groups = group_arms(paths)
    assert next(groups) == tuple(paths[:2])
    paths[3].write_bytes(paths[3].read_bytes()[:20_000])
    assert list(groups) == [(paths[2],), (paths[3],)]


def test_first_of_many_files_is_handed_out_before_the_next_is_looked_at(data_dir: Path, tmp_path: Path) -> None:
    source = (data_dir / "fits" / "lamost-spec-58575-sp03-010.fits").read_bytes()
    first = tmp_path / "1.fits"
    first.write_bytes(source)
    paths = [first, *(tmp_path / f"{n}.fits" for n in range(2, 1000))]
    looked: list[Path] = []

    def look(path: Path) -> bytes:
        looked.append(path)
        return first_header(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "first_header", look)
        groups = group_arms(paths)
        assert next(groups) == (first,)
        assert looked == [first]
        assert len(list(groups)) == 999 - 1
        assert looked == paths  # each once


def test_arm_waits_for_the_other_only_while_its_folder_has_files(make_weave: Make, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    red = make_weave(tmp_path / "a" / "single_2.fit", "RED")
    rest = make_weave(tmp_path / "b" / "single_1.fit", "BLUE")
    groups = group_arms([red, rest])
    assert next(groups) == (red,)
    rest.unlink()
    assert list(groups) == [(rest,)]


def test_joined_and_single_arm_files_of_4most_are_told_by_their_names() -> None:
    names = ["n_LJ1_x.fits", "n_LB1_x.fits", "n_HB1_x.fits", "n_LG1_x.fits", "n_LR2_x.fits", "n_HB1.fits"]
    paths = [Path("/night") / name for name in names]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "_joins", lambda path: path in paths)
        groups = [tuple(path.name for path in group) for group in group_arms(paths)]
    assert groups == [
        ("n_LJ1_x.fits",),
        ("n_LB1_x.fits", "n_LG1_x.fits"),
        ("n_HB1_x.fits",),
        ("n_LR2_x.fits",),
        ("n_HB1.fits",),
    ]
