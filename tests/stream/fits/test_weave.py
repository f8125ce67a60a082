"""WEAVE L1 files (no public sample: the files are made here): calibration by SENSFUNC, joining of the arms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from stream.fits import FitsError, group_arms, read_fits

Make = Callable[..., Path]


@pytest.mark.parametrize("prefix", [True, False])
def test_flux_is_multiplied_by_sensfunc_and_ivar_divided_by_its_square(
    make_weave: Make, tmp_path: Path, prefix: bool
) -> None:
    path = make_weave(tmp_path / "single_1004122.fit", "RED", prefix=prefix)
    records = list(read_fits(path))
    assert len(records) == 5
    data = fits.getdata(path, 1)
    record = records[0]
    np.testing.assert_allclose(record["flux"], data[0] * 0.2, rtol=1e-5)  # 2e-18 in units of 1e-17
    np.testing.assert_allclose(record["uncertainty"], 1 / 0.2**2, rtol=1e-5)
    assert record["flux_unit"] == "1e-17 erg / (Angstrom cm2 s)"
    assert (record["arm"], record["product_level"]) == ("RED", "SINGLE")
    assert (record["medium"], record["specsys"], record["helio_correction_km_s"]) == ("AIR", "HELIOCEN", None)
    assert record["sub_surveys"] == ["WQ", "GA"]
    assert [r["fibre_use"] for r in records] == ["OBJECT", "SKY", "STANDARD", "OTHER", "OBJECT"]
    assert [m["band"] for m in record["magnitudes"]] == ["g"]
    assert record["mjd_end"] == pytest.approx(60500.25 + 1200 / 86400)
    assert record["grid"] == {"kind": "LINEAR", "start": 4075.0, "step": 0.25, "n": 400}
    assert len(record["assumptions"]) == 3


def test_arms_are_joined_on_fibre_and_exposure(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_1004122.fit", "RED")
    blue = make_weave(tmp_path / "single_1004121.fit", "BLUE", mjd=60500.25 + 20 / 86400)
    later = make_weave(tmp_path / "single_1004124.fit", "RED", mjd=60500.27)
    assert list(group_arms([red, later, blue])) == [(red, blue), (later,)]
    records = list(read_fits((red, blue)))
    assert len(records) == 5
    record = records[0]
    assert record["grid"] == {"kind": "LINEAR", "start": 4000.0, "step": 0.25, "n": 700}
    assert (record["arm"], record["product_level"]) == (None, "JOINED")
    np.testing.assert_allclose(record["uncertainty"][:300], 25.0, rtol=1e-5)
    np.testing.assert_allclose(record["uncertainty"][300:400], 50.0, rtol=1e-5)  # both arms
    assert record["provenance"][:2] == ["single_1004121-1004121-1-BLUE", "single_1004122-1004122-1-RED"]
    assert record["l1_id"] == next(read_fits((blue, red)))["l1_id"]


def test_arms_on_other_pixels_are_cut_in_the_middle_of_the_overlap(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_2.fit", "RED", start=4075.1)
    blue = make_weave(tmp_path / "single_1.fit", "BLUE")
    record = next(read_fits((red, blue)))
    wavelength = record["wavelength"]
    assert np.all(np.diff(wavelength) > 0)
    assert (wavelength[0], wavelength[-1]) == (4000.0, pytest.approx(4075.1 + 399 * 0.25))
    np.testing.assert_allclose(record["uncertainty"], 25.0, rtol=1e-5)  # no pixel is combined


def test_fibre_that_only_one_arm_has_is_kept_as_it_is(make_weave: Make, tmp_path: Path) -> None:
    red = make_weave(tmp_path / "single_2.fit", "RED", changes={"STATUS": ("1A", ["A", "P", "A", "A", "A"])})
    blue = make_weave(tmp_path / "single_1.fit", "BLUE")
    records = {r["fibre_id"]: r for r in read_fits((red, blue))}
    assert sorted(records) == [1, 2, 3, 4, 5]
    assert records[2]["arm"] == "BLUE"
    assert records[3]["arm"] is None


def test_void_sensfunc_gives_no_weight(make_weave: Make, tmp_path: Path) -> None:
    path = make_weave(tmp_path / "single_1.fit", "RED")
    with fits.open(path, mode="update") as hdus:
        hdus["RED_SENSFUNC"].data[:, 7] = 0.0
        hdus["RED_SENSFUNC"].data[:, 8] = np.nan
    record = next(read_fits(path))
    assert record["uncertainty"][7] == record["uncertainty"][8] == 0.0
    assert np.all(record["uncertainty"][9:] > 0)


def test_header_that_states_vacuum_overrules_the_documentation(make_weave: Make, tmp_path: Path) -> None:
    path = make_weave(tmp_path / "single_1.fit", "RED")
    with fits.open(path, mode="update") as hdus:
        hdus["RED_DATA"].header["CTYPE1"] = "WAVE"
    record = next(read_fits(path))
    assert record["medium"] == "VACUUM"
    assert not any("medium" in a for a in record["assumptions"])


def test_ifu_cube_is_refused_by_name(make_weave: Make, tmp_path: Path) -> None:
    path = make_weave(tmp_path / "stackcube_1.fit", "RED")
    with fits.open(path) as hdus:
        hdus["RED_DATA"].data = np.zeros((3, 4, 5), dtype=np.float32)
        hdus.writeto(tmp_path / "stackcube_2.fit")
    with pytest.raises(FitsError, match="IFU cube") as caught:
        list(read_fits(tmp_path / "stackcube_2.fit"))
    assert caught.value.extension == "RED_DATA"


def test_products_are_named_by_their_level(make_weave: Make, tmp_path: Path) -> None:
    levels = [
        next(read_fits(make_weave(tmp_path / f"{name}_1.fit", "RED")))["product_level"]
        for name in ("single", "stack", "superstack", "WVE_")
    ]
    assert levels == ["SINGLE", "OB_STACK", "SUPERSTACK", "SUPERTARGET"]
