"""Simulated spectra as FITS files of the surveys' layouts, with the truth in keywords or in a table beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from classifiers.training.simulation.l1_records import EXPOSURE, SimulatedRecord, Truth
from ops.simulated import EXPOSURE_FORM, exposure_size, simulated_spectra
from stream.fits.writing.desi import write_desi
from stream.fits.writing.fourmost import write_fourmost
from stream.fits.writing.hdus import Cards
from stream.fits.writing.lamost import write_lamost
from stream.fits.writing.sdss import write_sdss
from stream.fits.writing.weave import write_weave

FILE_SPECTRA: Final[Mapping[str, int]] = {"DESI": 500, "WEAVE": 500}
"""Most spectra in one file of the forms that hold many; the others hold one."""
FILE_FORMS: Final = ("SDSS", "BOSS", "LAMOST", *EXPOSURE, EXPOSURE_FORM, *FILE_SPECTRA)
"""Forms that have a FITS layout."""

_ONE: Final[Mapping[str, Callable[[Mapping[str, Any], Path, Cards], None]]] = {
    "SDSS": write_sdss,
    "BOSS": write_sdss,
    "LAMOST": write_lamost,
    **dict.fromkeys(EXPOSURE, write_fourmost),
}


def write_simulation(folder: Path, form: str, n: int, seed: int, progress: Callable[[int, int], None]) -> list[Truth]:
    """Write simulated spectra; the same arguments give the same files, byte for byte.

    Args:
        folder: where to; made if it is not there. Files of the same names are replaced.
        form: one of ``FILE_FORMS``.
        n: how many (an exposure has its own number).
        seed: of the simulation.
        progress: told (done, total) after each file.

    Returns:
        The truth of all of them, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = exposure_size() if form == EXPOSURE_FORM else n
    spectra = simulated_spectra(form, n, seed)
    truths: list[Truth] = []
    for number, group in enumerate(_grouped(spectra, FILE_SPECTRA.get(form, 1))):
        if form in FILE_SPECTRA:
            _write_many(folder, form, f"{seed}-{number:04d}", group)
        else:
            (single,) = group
            write = _ONE[str(single.record["instrument"])]
            write(single.record, folder / f"{single.truth.l1_id}.fits", truth_cards(single.truth))
        truths += [each.truth for each in group]
        progress(len(truths), total)
    return truths


def truth_cards(truth: Truth) -> Cards:
    """Return what a simulated spectrum really is as keywords with comments."""
    return {
        "SIMULATE": (True, "not observed: made by specstream simulate"),
        "SIMID": (truth.l1_id, "name of the simulated spectrum"),
        "SIMKIND": (truth.kind, "GALAXY, QSO, STAR or OTHER"),
        "SIMCLASS": (truth.class_name, "class by the survey's own rule"),
        "SIMOTHER": (truth.other_type or "", "type outside the classes"),
        "SIMZ": (truth.redshift, "redshift, v/c of stars"),
        "SIMSNR": (truth.snr, "median S/N per pixel of 69 km/s, 0 for sky"),
    }


def _write_many(folder: Path, form: str, name: str, group: Sequence[SimulatedRecord]) -> None:
    records, truths = [each.record for each in group], [truth_cards(each.truth) for each in group]
    if form == "DESI":
        write_desi(records, folder / f"coadd-simulated-{name}.fits", truths)
        return
    paths = {arm: folder / f"stack_simulated-{name}-{arm.lower()}.fit" for arm in ("BLUE", "RED")}
    write_weave(records, paths, truths, name)


def _grouped(spectra: Iterator[SimulatedRecord], size: int) -> Iterator[list[SimulatedRecord]]:
    while group := list(islice(spectra, size)):
        yield group
