"""``specstream classify`` on the real files, and on files that are none."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

PNG, SMALLEST_PICTURE = b"\x89PNG\r\n\x1a\n", 10_000
SPECTRA_OF_THE_FILES = 12  # eleven files, one of which holds two spectra


@pytest.mark.slow
def test_every_real_file_gives_a_row_and_a_picture(specstream: Any, data_dir: Path, tmp_path: Path) -> None:
    """Eleven files of six surveys: exit 0, every spectrum listed, drawn, and in an ECSV with units."""
    files = sorted((data_dir / "fits").glob("*.fits"))
    assert len(files) == 11
    done = specstream("classify", *files, "--plot", tmp_path / "pictures", "--output", tmp_path / "v.ecsv")
    assert done.returncode == 0, done.stderr
    table = Table.read(tmp_path / "v.ecsv")
    assert len(table) == SPECTRA_OF_THE_FILES == len(done.stdout.strip().splitlines()) - 1
    assert set(table["survey"]) == {"SDSS", "EBOSS", "DESI", "LAMOST", "ESO", "4MOST"}
    assert table["ra_deg"].unit == "deg"
    pictures = list((tmp_path / "pictures").iterdir())
    assert len(pictures) == SPECTRA_OF_THE_FILES
    for picture in pictures:
        assert picture.read_bytes()[:8] == PNG
        assert picture.stat().st_size > SMALLEST_PICTURE
    for row in table:
        probabilities = [row[name] for name in table.colnames if name.startswith("class_probabilities.")]
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)
        assert 0 <= row["p_qso"] <= 1
        assert 0 < row["anomaly_p_value"] <= 1
    by_id = {str(row["l1_id"]): row for row in table}
    quasar = by_id["4most-mock-qso-z2.5-G20.1-1hr"]
    assert str(quasar["top_class"]).startswith("QSO")
    assert quasar["redshift"] == pytest.approx(2.5, abs=0.05)
    for row in table[table["survey"] == "LAMOST"]:
        assert str(row["top_class"]).startswith("STAR")


@pytest.mark.slow
def test_files_that_cannot_be_read_are_named_and_the_rest_is_classified(
    specstream: Any, data_dir: Path, tmp_path: Path
) -> None:
    """Missing, truncated, foreign and empty: one line each; exit 1; the table file has the good one."""
    good = data_dir / "fits" / "sdss-spec-1599-53089-0469.fits"
    broken, foreign, image, empty = (tmp_path / name for name in ("cut.fits", "prose.fits", "image.fits", "empty.fits"))
    broken.write_bytes(good.read_bytes()[:50_000])
    foreign.write_text("a text\n")
    fits.PrimaryHDU([[1.0, 2.0], [3.0, 4.0]]).writeto(image)
    empty.touch()
    bad = (broken, foreign, image, empty, tmp_path / "absent.fits")
    done = specstream("classify", *bad[:2], good, *bad[2:], "--output", tmp_path / "v.csv")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for path in bad:
        lines = [line for line in done.stderr.splitlines() if str(path) in line]
        assert len(lines) == 1, (path, done.stderr)
    with (tmp_path / "v.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["survey"] for row in rows] == ["SDSS"]
    assert rows[0]["l1_id"] in done.stdout


@pytest.mark.slow
def test_rows_select_spectra_and_a_fits_table_reads_back(specstream: Any, data_dir: Path, tmp_path: Path) -> None:
    """``--rows`` takes one of DESI's two; an unknown column and a rule that takes none are named; a row is written."""
    file = data_dir / "fits" / "desi-coadd-main-dark-9144.fits"
    unknown = specstream("classify", file, "--rows", "NO_SUCH_COLUMN > 3")
    assert unknown.returncode == 2
    (line,) = unknown.stderr.strip().splitlines()
    assert "unknown name 'NO_SUCH_COLUMN'; known: TARGETID" in line
    none = specstream("classify", file, "--rows", "TARGETID < 0")
    said = f"no spectra in {file}: expected some for which TARGETID < 0 is true\n"
    assert (none.returncode, none.stderr) == (1, said)
    identifier = 39632936152072660
    done = specstream("classify", file, "--rows", f"TARGETID == {identifier}", "--output", tmp_path / "v.fits")
    assert done.returncode == 0, done.stderr
    table = Table.read(tmp_path / "v.fits")
    assert len(table) == 1
    assert str(identifier) in str(table["l1_id"][0])


@pytest.mark.slow
def test_two_spectra_of_one_name_keep_two_pictures(specstream: Any, data_dir: Path, tmp_path: Path) -> None:
    """A file that was reprocessed in place, under another folder, does not overwrite the first one's picture."""
    first = data_dir / "fits" / "boss-spec-10000-57346-0006.fits"
    second = tmp_path / "again" / first.name
    second.parent.mkdir()
    shutil.copy(first, second)
    with fits.open(second, mode="update") as hdus:
        hdus[0].header["HISTORY"] = "written again"
    done = specstream("classify", first, second, "--plot", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "pictures").iterdir())) == 2


@pytest.mark.slow
def test_a_bad_output_name_is_refused_before_any_work(specstream: Any, tmp_path: Path) -> None:
    """Exit 2 in one line, without a look at the files."""
    done = specstream("classify", tmp_path / "absent.fits", "--output", tmp_path / "verdicts.txt")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "specstream: --output: expected a name ending in .ecsv, .csv or .fits, got verdicts.txt"
    )
    done = specstream("classify", tmp_path / "absent.fits", "--output", tmp_path / "nowhere" / "v.csv")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_spectrum_that_is_not_classified_is_named_with_its_file(
    specstream: Any, data_dir: Path, tmp_path: Path
) -> None:
    """One line each with file, spectrum, reason, field, expected and received, and nothing else, on standard error."""
    source = data_dir / "fits" / "boss-spec-10000-57346-0006.fits"
    good, again, no_flux, no_weight = (tmp_path / f"{name}.fits" for name in ("good", "again", "no flux", "no\nweight"))
    shutil.copy(source, good)
    shutil.copy(source, again)
    for path, column, value in ((no_flux, "flux", np.nan), (no_weight, "ivar", 0.0)):
        with fits.open(source) as hdus:
            hdus[1].data[column][:] = value
            for each in hdus:
                each.header.remove("DATASUM", ignore_missing=True)
            hdus.writeto(path)
    done = specstream("classify", no_flux, good, again, no_weight)
    assert done.returncode == 1
    assert len(done.stdout.strip().splitlines()) == 2, done.stdout
    pixels = "expected at least one pixel with finite flux, finite uncertainty > 0 and quality 0, received none of 4566"
    same, first, second = done.stderr.splitlines()
    assert same == f"{again}: the same content as another file given here"
    for line, name in ((first, str(no_flux)), (second, rf"{tmp_path}/no\nweight.fits")):
        assert line.startswith(f"{name}[10000-57346-0006-v5_10_0]: not classified: NO_VALID_PIXELS: flux: {pixels}")


@pytest.mark.slow
def test_a_picture_or_a_table_that_cannot_be_written_is_named(specstream: Any, data_dir: Path, tmp_path: Path) -> None:
    """The disk is full: option, file and why in one line, status 2, and nothing left in the temporary folder."""
    file = data_dir / "fits" / "boss-spec-10000-57346-0006.fits"
    done = specstream("classify", file, "--plot", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    (picture,) = (tmp_path / "pictures").iterdir()
    picture.unlink()
    table = tmp_path / "v.csv"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for option, value, full in (("--plot", picture.parent, picture), ("--output", table, table)):
        full.symlink_to("/dev/full")
        done = specstream("classify", file, option, value, env={"TMPDIR": str(temporary)})
        assert done.returncode == 2
        said = done.stderr.splitlines()[-1]
        assert said == f"specstream: {option}: cannot write {full}: No space left on device"
    assert list(temporary.glob("specstream-*")) == []
