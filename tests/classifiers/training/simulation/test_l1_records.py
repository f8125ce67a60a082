"""Simulated L1 records: fields of the schema, shapes of the instruments, truth kept outside."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from classifiers.training.simulation.forms import FORMS
from classifiers.training.simulation.l1_records import SimulatedRecord, simulated_exposure, simulated_records
from classifiers.training.simulation.simulator import Simulator

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).resolve().parents[4] / "schemas" / "avro" / "l1_spectrum.avsc"
PIXELS = {
    "SDSS": 3872, "BOSS": 4600, "LAMOST": 3909, "DESI": 7781, "4MOST_LRS": 23_201, "WEAVE": 23_721,
    "4MOST_HRS": 3 * 13_761,
}  # fmt: skip
# First and last good pixel of the surveys' real spectra, vacuum Angstrom.
COVERAGE = {"SDSS": (3810.0, 9205.0), "BOSS": (3577.0, 10_356.0), "LAMOST": (3700.0, 9097.0)}


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator.load()


@pytest.fixture(scope="module", params=FORMS)
def records(request: pytest.FixtureRequest, simulator: Simulator) -> list[SimulatedRecord]:
    return list(simulated_records(simulator, 6, seed=3, form=request.param))


def test_fields_are_those_of_the_schema_and_required_ones_are_there(records: list[SimulatedRecord]) -> None:
    fields = {field["name"]: field for field in json.loads(SCHEMA.read_text(encoding="utf-8"))["fields"]}
    for simulated in records:
        assert set(simulated.record) <= set(fields)
        assert {name for name, field in fields.items() if "default" not in field} <= set(simulated.record)


def test_arrays_have_the_instruments_length_and_dtype(records: list[SimulatedRecord]) -> None:
    for simulated in records:
        record = simulated.record
        n = PIXELS[record["instrument"]]
        assert record["flux"].shape == record["uncertainty"].shape == record["quality"].shape == (n,)
        assert record["flux"].dtype == record["uncertainty"].dtype == np.float32
        assert record["quality"].dtype == np.int32
        assert np.isfinite(record["flux"]).all()
        assert ((record["uncertainty"] > 0) == (record["quality"] == 0)).all()
        if record["grid"] is None:
            assert record["wavelength"].shape == (n,)
            assert (np.diff(record["wavelength"]) > 0).all()
        else:
            assert record["grid"]["n"] == n


def test_truth_never_enters_the_record(records: list[SimulatedRecord]) -> None:
    for simulated in records:
        assert simulated.truth.l1_id == simulated.record["l1_id"]
        text = " ".join(str(value) for value in simulated.record.values() if isinstance(value, str))
        assert simulated.truth.class_name not in text


def test_a_larger_number_begins_with_the_smaller(simulator: Simulator) -> None:
    few = list(simulated_records(simulator, 5, seed=1))
    many = list(islice(simulated_records(simulator, 300, seed=1), 5))
    for one, other in zip(few, many, strict=True):
        assert one.truth == other.truth
        assert one.record["flux"].tobytes() == other.record["flux"].tobytes()


@pytest.mark.parametrize("form", ["SDSS", "4MOST_LRS"])
def test_threads_change_no_record_and_not_their_order(simulator: Simulator, form: str) -> None:
    alone = simulated_records(simulator, 700, seed=1, form=form)
    side_by_side = simulated_records(simulator, 700, seed=1, form=form, threads=3)
    for one, other in zip(alone, side_by_side, strict=True):
        assert one.truth == other.truth
        for name in ("flux", "uncertainty", "quality"):
            assert one.record[name].tobytes() == other.record[name].tobytes()


def test_identifiers_are_unique_across_chunks(simulator: Simulator) -> None:
    identifiers = [simulated.record["l1_id"] for simulated in simulated_records(simulator, 300, seed=1)]
    assert len(set(identifiers)) == 300


def test_high_resolution_fibres_look_at_stars_alone(simulator: Simulator) -> None:
    assert {simulated.truth.kind for simulated in simulated_records(simulator, 8, 2, "4MOST_HRS")} == {"STAR"}


def test_high_resolution_pixels_lie_in_the_three_windows_and_most_of_them_are_good(simulator: Simulator) -> None:
    windows = ((3926.0, 4355.0), (5160.0, 5730.0), (6100.0, 6790.0))
    for simulated in simulated_records(simulator, 8, 2, "4MOST_HRS"):
        wavelength, good = simulated.record["wavelength"], simulated.record["uncertainty"] > 0
        inside = [(wavelength >= low) & (wavelength <= high) for low, high in windows]
        assert np.logical_or.reduce(inside).all()
        assert good.mean() > 0.85
        assert all(good[window].any() for window in inside)


@pytest.mark.parametrize("form", ["DESI", "4MOST_LRS", "WEAVE"])
def test_blank_sky_has_about_the_noise_that_it_reports_and_a_level_that_sky_subtraction_left(
    simulator: Simulator, form: str
) -> None:
    levels = []
    for simulated in simulated_records(simulator, 40, 4, form, kinds={"OTHER": 1.0}):
        if simulated.truth.other_type == "SKY":
            record = simulated.record
            chi = (record["flux"] * np.sqrt(record["uncertainty"]))[record["uncertainty"] > 0]
            assert 0.8 < 1.4826 * float(np.median(np.abs(np.diff(chi)))) / np.sqrt(2.0) < 1.2
            levels.append(float(chi.mean()) * np.sqrt(chi.size))
    assert float(np.abs(levels).max()) > 3.0  # of white noise alone: 1


def test_gaps_of_the_detectors_of_weave_hold_no_data(simulator: Simulator) -> None:
    for simulated in simulated_records(simulator, 8, 2, "WEAVE"):
        record = simulated.record
        wavelength = record["grid"]["start"] + record["grid"]["step"] * np.arange(record["grid"]["n"])
        for low, high in ((5492.0, 5536.0), (7591.0, 7666.0)):
            assert (record["uncertainty"][(wavelength > low) & (wavelength < high)] == 0).all()
        assert record["medium"] == "AIR"
        assert (record["uncertainty"] > 0).mean() > 0.8


@pytest.mark.parametrize("form", COVERAGE)
def test_a_survey_on_the_native_lattice_sees_the_wavelengths_that_its_real_spectra_have(
    simulator: Simulator, form: str
) -> None:
    ends = []
    for simulated in simulated_records(simulator, 384, 2, form):
        record = simulated.record
        assert (record["medium"], record["specsys"]) == ("VACUUM", "HELIOCEN")
        good = np.flatnonzero(record["uncertainty"] > 0)[[0, -1]]
        ends.append(10.0 ** (record["grid"]["start"] + record["grid"]["step"] * good))
    np.testing.assert_allclose(np.median(ends, axis=0), COVERAGE[form], rtol=0.003)


def test_the_flux_of_lamost_is_relative_and_has_no_unit(simulator: Simulator) -> None:
    (simulated,) = simulated_records(simulator, 1, 2, "LAMOST")
    assert (simulated.record["flux_unit"], simulated.record["flux_calibration"]) == ("", "RELATIVE")


def test_an_exposure_holds_both_kinds_of_fibre(simulator: Simulator) -> None:
    fibres = {"4MOST_LRS": 3, "4MOST_HRS": 2}
    instruments = [record.record["instrument"] for record in simulated_exposure(simulator, 1, fibres)]
    assert instruments == ["4MOST_LRS"] * 3 + ["4MOST_HRS"] * 2


def test_an_unknown_form_is_refused_by_name(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match=r"4MOST_LRS.*'MUSE'"):
        next(simulated_records(simulator, 1, 1, "MUSE"))
