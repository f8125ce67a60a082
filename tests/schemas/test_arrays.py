"""Arrays in records: seen without copying, read-only, and refused when they are no whole number of values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from schemas.arrays import ArrayField, array_fields, pack_arrays, view_arrays
from schemas.catalogue import Catalogue
from schemas.errors import Undecodable, Unencodable

FLOAT32 = (ArrayField("flux", np.dtype("<f4")),)
INT32 = (ArrayField("quality", np.dtype("<i4")),)


def test_spectrum_schema_tells_where_its_arrays_are() -> None:
    found = {field.name: field.dtype for field in Catalogue.embedded().current("l1_spectrum").arrays}
    assert found["wavelength"] == np.dtype("<f8")
    assert found["flux"] == found["uncertainty"] == found["sky"] == found["lsf"] == np.dtype("<f4")
    assert found["quality"] == np.dtype("<i4")


def test_arrays_within_a_list_of_records_are_found() -> None:
    (stamps,) = Catalogue.embedded().current("l1_image_alert").arrays
    assert stamps.name == "stamps"
    assert {field.name for field in stamps.inner} == {"image", "variance", "psf"}


def test_schema_without_records_has_no_arrays() -> None:
    assert array_fields(["null", "bytes"]) == ()


@given(hnp.arrays(np.dtype("<f4"), st.integers(0, 50)))
def test_bytes_become_the_array_that_was_packed(flux: np.ndarray) -> None:
    record = dict(pack_arrays({"flux": flux}, FLOAT32, "r"))
    packed = record["flux"]
    view_arrays(record, FLOAT32)
    assert record["flux"].tobytes() == flux.tobytes()
    assert record["flux"].base is packed
    assert not record["flux"].flags.writeable


def test_packing_leaves_the_record_as_it_was() -> None:
    record = {"flux": np.ones(3, "<f4")}
    pack_arrays(record, FLOAT32, "r")
    assert isinstance(record["flux"], np.ndarray)


@pytest.mark.parametrize("flux", [np.arange(3, dtype=">f4"), np.arange(3, dtype="f8"), np.arange(3), [0.0, 1.0, 2.0]])
def test_any_numbers_are_packed_as_little_endian_float32(flux: object) -> None:
    assert pack_arrays({"flux": flux}, FLOAT32, "r")["flux"] == np.arange(3, dtype="<f4").tobytes()


def test_image_is_packed_row_by_row_whatever_its_memory_order() -> None:
    image = np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3))
    assert pack_arrays({"flux": image}, FLOAT32, "r")["flux"] == np.arange(6, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("fields", "record"),
    [
        (FLOAT32, {"flux": b"\x00" * 5}),
        (FLOAT32, {"flux": np.array(["a"])}),
        (FLOAT32, {"flux": np.array([1j])}),
        (INT32, {"quality": np.array([0.5])}),
        (INT32, {"quality": np.array([2**31])}),
    ],
)
def test_what_does_not_fit_is_not_packed(fields: tuple[ArrayField, ...], record: dict[str, object]) -> None:
    with pytest.raises(Unencodable) as caught:
        pack_arrays(record, fields, "r")
    assert caught.value.field == fields[0].name


def test_broken_length_names_the_field() -> None:
    with pytest.raises(Undecodable) as caught:
        view_arrays({"flux": b"\x00" * 7}, FLOAT32)
    assert (caught.value.reason, caught.value.field) == ("LENGTH_MISMATCH", "flux")
    assert (caught.value.expected, caught.value.received) == ("a multiple of 4 bytes", "7 bytes")


def test_broken_length_within_a_list_names_the_place() -> None:
    fields = (ArrayField("stamps", None, (ArrayField("image", np.dtype("<f4")),)),)
    with pytest.raises(Undecodable) as caught:
        view_arrays({"stamps": [{"image": b"\x00" * 4}, {"image": b"\x00" * 3}]}, fields)
    assert caught.value.field == "stamps[1].image"


def test_list_of_numbers_becomes_the_same_array() -> None:
    record: dict[str, object] = {"flux": [1.0, 2.5], "quality": [1, -2]}
    view_arrays(record, FLOAT32 + INT32)
    assert record["flux"].dtype == np.dtype("<f4")  # type: ignore[attr-defined]
    assert record["quality"].tolist() == [1, -2]  # type: ignore[attr-defined]


def test_empty_list_becomes_an_empty_array() -> None:
    record: dict[str, object] = {"quality": []}
    view_arrays(record, INT32)
    assert record["quality"].dtype == np.dtype("<i4")  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", [[2**31], [2**70], [0.5], ["bad"]])
def test_list_that_does_not_fit_is_an_invalid_value(quality: list[object]) -> None:
    with pytest.raises(Undecodable) as caught:
        view_arrays({"quality": quality}, INT32)
    assert (caught.value.reason, caught.value.field) == ("INVALID_VALUE", "quality")


def test_float64_beyond_float32_becomes_infinite_and_not_an_error() -> None:
    record: dict[str, object] = {"flux": [1e300]}
    view_arrays(record, FLOAT32)
    assert np.isinf(record["flux"]).all()  # type: ignore[call-overload]
