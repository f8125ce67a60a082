"""Makers of files of layouts for which no public sample was at hand: 4MOST MEC, newer singles, WEAVE, LAMOST DR8.

They follow public reduction and analysis code and the surveys' data models. Each maker is a fixture: a function.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

RNG_SEED = 20260312
CGS = "erg/(s*cm^2*Angstrom)"


def _table(name: str, columns: dict[str, tuple[str, Any]], header: dict[str, Any] | None = None) -> fits.BinTableHDU:
    made = [fits.Column(name=n, format=f, array=np.asarray(v)) for n, (f, v) in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made, name=name)
    hdu.header.update(header or {})
    return hdu


@pytest.fixture
def make_mec() -> Callable[..., Path]:
    """Return a function that writes a MEC file of ``n`` fibres."""

    def make(
        path: Path,
        n: int = 6,
        n_pixels: int = 400,
        start: float = 370.0,
        step: float = 0.025,
        unit: str | None = CGS,
        error: str = "FLUX_IVAR",
        axis_keywords: bool = True,
        order: Any = None,
        spec_uids: bool = True,
        changes: dict[str, tuple[str, Any]] | None = None,
    ) -> Path:
        rng = np.random.default_rng(RNG_SEED)
        ids = [f"4MOST-{k:05d}" for k in range(n)]
        order = list(range(n)) if order is None else order
        flux = (1e-17 * (10 + rng.normal(size=(n, n_pixels)))).astype(np.float32)
        uncertainty = np.full((n, n_pixels), 1e34 if error == "FLUX_IVAR" else 1e-17, dtype=np.float32)
        quality = np.zeros((n, n_pixels), dtype=np.int16)
        quality[:, 5] = 2
        spectab = {
            "FLUX": (f"{n_pixels}E", flux[order]),
            error: (f"{n_pixels}E", uncertainty[order]),
            "QUAL": (f"{n_pixels}I", quality[order]),
        }
        if spec_uids:
            spectab["SPECUID"] = ("20A", np.array(ids)[order])
        keywords: dict[str, Any] = {"TDIM1": f"({n_pixels})", "SPECSYS": "HELIOCEN"}
        if axis_keywords:
            keywords |= {"1CRVL1": start, "1CDLT1": step, "1CRPX1": 1.0, "1CUNI1": "nm"}
        if unit is not None:
            keywords["TUNIT1"] = unit
        fibres = {
            "FIB_ID": ("J", np.arange(1, n + 1)),
            "OBJ_UID": ("K", 9_000_000_000 + np.arange(n)),
            "OBJ_NME": ("20A", [f"target-{k}" for k in range(n)]),
            "FIB_USE": ("I", np.where(np.arange(n) % 5 == 4, 3, 1)),
            "FIB_ST": ("I", np.full(n, 2)),
            "OBJ_FLAG": ("J", np.arange(n)),
            "OBJ_RA": ("D", 10.0 + 0.01 * np.arange(n)),
            "OBJ_DEC": ("D", np.full(n, -30.0)),
            "EBV": ("E", np.full(n, 0.02)),
            "SNR": ("E", np.full(n, 10.0)),
            "OBID": ("J", np.where(np.arange(n) % 2 == 0, 112, 113)),
            "WAVELMIN": ("D", np.full(n, start)),
            "SPEC_BIN": ("D", np.full(n, step)),
            "OBJ_BL": ("E", np.full(n, 20.5)),
            "OBJ_BLER": ("E", np.full(n, 0.02)),
        }
        if spec_uids:
            fibres["SPECUID"] = ("20A", ids)
        fibres |= changes or {}
        hdus = [
            fits.PrimaryHDU(),
            _table(
                "OBMETATAB",
                {
                    "OBID": ("J", [112, 113]),
                    "MJD-OBS": ("D", [61000.1, 61000.2]),
                    "MJD-END": ("D", [61000.15, 61000.25]),
                    "EXPTIME": ("E", [1200.0, 1500.0]),
                    "TEXPTIME": ("E", [3600.0, 4500.0]),
                },
            ),
            _table("SPECTAB", spectab, keywords),
            _table("FIBMETATAB", fibres),
            _table("PROVTAB", {"SPECUID": ("20A", ids), "PROV1": ("30A", [f"raw-{k}.fits" for k in range(n)])}),
        ]
        hdus[0].header.update(
            {
                "TELESCOP": "ESO-VISTA",
                "INSTRUME": "QMOST",
                "FLUXCAL": "ABSOLUTE",
                "PROCSOFT": "QL1/1.2",
                "CASUVERS": "1.2",
            }
        )
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return path

    return make


@pytest.fixture
def make_weave() -> Callable[..., Path]:
    """Return a function that writes one arm of a WEAVE L1 file of ``n`` fibres."""

    def make(
        path: Path,
        arm: str,
        n: int = 5,
        mjd: float = 60500.25,
        start: float | None = None,
        step: float = 0.25,
        n_pixels: int = 400,
        prefix: bool = True,
        changes: dict[str, tuple[str, Any]] | None = None,
        header: dict[str, Any] | None = None,
    ) -> Path:
        start = {"BLUE": 4000.0, "RED": 4075.0}[arm] if start is None else start
        rng = np.random.default_rng(RNG_SEED + len(arm))
        shape = (n, n_pixels)
        images = {
            "DATA": 100.0 + rng.normal(size=shape),
            "IVAR": np.ones(shape),
            "DATA_NOSS": 200.0 + rng.normal(size=shape),
            "IVAR_NOSS": np.ones(shape),
            "SENSFUNC": np.full(shape, 2e-18),
        }
        hdus: list[Any] = [fits.PrimaryHDU()]
        hdus[0].header.update(
            {
                "TELESCOP": "WHT",
                "INSTRUME": "WEAVE",
                "CAMERA": f"WEAVE{arm}",
                "RUN": 1004122 if arm == "RED" else 1004121,
                "OBID": 3294,
                "MJD-OBS": mjd,
                "EXPTIME": 1200.0,
                "OBSMODE": "MOS",
                "SKYSUB": True,
                "CASUVERS": "3.0",
            }
            | (header or {})
        )
        for name, image in images.items():
            hdu = fits.ImageHDU(image.astype(np.float32), name=f"{arm}_{name}" if prefix else name)
            hdu.header.update({"CRVAL1": start, "CD1_1": step, "CRPIX1": 1.0, "CUNIT1": "Angstrom"})
            hdus.append(hdu)
        fibres = {
            "FIBREID": ("I", np.arange(1, n + 1)),
            "CNAME": ("20A", [f"WVE_{k:08d}+0000000" for k in range(n)]),
            "TARGID": ("30A", [f"T{k}" for k in range(n)]),
            "TARGNAME": ("30A", [f"name {k}" for k in range(n)]),
            "TARGSRVY": ("15A", ["WQ|GA"] * n),
            "TARGUSE": ("1A", ["T", "S", "C", "R", "T"][:n]),
            "STATUS": ("1A", ["A"] * n),
            "TARGRA": ("D", 150.0 + np.arange(n)),
            "TARGDEC": ("D", np.full(n, 2.0)),
            "MAG_G": ("D", np.full(n, 19.5)),
            "EMAG_G": ("D", np.full(n, 0.03)),
            "MAG_GG": ("D", np.full(n, np.nan)),
            "Resol": ("E", np.full(n, 1.0)),
            "Helio_cor": ("E", np.full(n, 12.0)),
        }
        hdus.append(_table("FIBTABLE", fibres | (changes or {})))
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return path

    return make


@pytest.fixture
def make_single() -> Callable[..., Path]:
    """Return a function that writes a newer 4MOST single-spectrum file, low or high resolution."""

    def make(
        path: Path,
        wave: Any = None,
        high: bool = False,
        header: dict[str, Any] | None = None,
        sensfunc_unit: str | None = None,
        counts: float = 2e-17,
        error: str = "FLUX_IVAR",
    ) -> Path:
        wave = 3700.0 + 0.25 * np.arange(400) if wave is None else wave
        n = len(wave)
        columns = [
            fits.Column("WAVE", f"{n}D", unit="Angstrom", array=[wave]),
            fits.Column("FLUX", f"{n}E", unit="adu" if high else CGS, array=[np.full(n, counts)]),
            fits.Column(error, f"{n}E", array=[np.full(n, 1e34 if counts < 1 else 4.0)]),
            fits.Column("QUAL", f"{n}I", array=[np.zeros(n, dtype=np.int16)], null=-1),
        ]
        if high:
            columns.append(fits.Column("SENSFUNC", f"{n}E", unit=sensfunc_unit, array=[np.full(n, 1e-18)]))
        table = fits.BinTableHDU.from_columns(columns, name="PHASE3SPECTRUM")
        table.header.update(
            {"TUCD1": "em.wl;obs.atmos", "OBJ_UID": 77, "OBJ_NME": "J0001", "FIB_ID": 12, "FIB_USE": 3, "HELIOCR": 3.1}
        )
        primary = fits.PrimaryHDU()
        primary.header.update(
            {
                "INSTRUME": "QMOST",
                "TELESCOP": "ESO-VISTA",
                "SPECUID": "4MOST-00042",
                "SPECSYS": "HELIOCEN",
                "FLUXCAL": "UNCALIBRATED" if high else "ABSOLUTE",
                "RA": 1.5,
                "DEC": -40.0,
                "OBID1": 112,
                "PROG_ID": "113.2345",
                "SPEC_RES": 20000.0 if high else 6000.0,
            }
            | (header or {})
        )
        fits.HDUList([primary, table]).writeto(path, overwrite=True)
        return path

    return make


@pytest.fixture
def make_lamost_coadd() -> Callable[..., Path]:
    """Return a function that writes a LAMOST file of the layout since DR8."""

    def make(path: Path, n: int = 500, header: dict[str, Any] | None = None) -> Path:
        wave = (10 ** (3.5682 + 1e-4 * np.arange(n))).astype(np.float32)
        mask = np.zeros(n, dtype=np.float32)
        mask[3] = 1
        coadd = fits.BinTableHDU.from_columns(
            [
                fits.Column("FLUX", f"{n}E", array=[np.full(n, 500.0)]),
                fits.Column("IVAR", f"{n}E", array=[np.full(n, 0.01)]),
                fits.Column("WAVELENGTH", f"{n}E", array=[wave]),
                fits.Column("ANDMASK", f"{n}E", array=[mask]),
                fits.Column("ORMASK", f"{n}E", array=[np.ones(n)]),
            ],
            name="COADD",
        )
        primary = fits.PrimaryHDU()
        primary.header.update(
            {
                "TELESCOP": "LAMOST",
                "FILENAME": "spec-59000-HD1_sp01-001.fits",
                "OBSID": 901000001,
                "FIBERID": 1,
                "FIBERTYP": "Sky",
                "PLANID": "HD1",
                "RA": 100.0,
                "DEC": 20.0,
                "VACUUM": True,
                "HELIO": True,
                "HELIO_RV": -3.0,
                "VERSPIPE": "v2.10",
                "DATE-BEG": "2020-06-01T21:00:00.0",
                "MAGTYPE": "gri",
                "MAG1": 15.0,
                "MAG2": 99.0,
                "MAG3": 14.0,
            }
            | (header or {})
        )
        fits.HDUList([primary, coadd]).writeto(path, overwrite=True)
        return path

    return make
