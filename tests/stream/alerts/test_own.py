from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.quality import Quality
from classifiers.training.stamps.alerts import simulate_alerts
from schemas.catalogue import Catalogue
from schemas.codec import Codec
from stream.alerts import decode_alert
from stream.errors import Reason, Rejectable

NAME = "org.specstream.l1_image_alert"


def make(**changes: Any) -> dict[str, Any]:
    image = np.arange(12, dtype=np.float32)
    stamp = {"role": "DIFFERENCE", "height": 3, "width": 4, "unit": "nJy", "image": image, "variance": None}
    stamp |= {key: changes.pop(key) for key in ("role", "height", "width", "image", "variance") if key in changes}
    record: dict[str, Any] = {"l1_id": "a1", "survey": "test", "stamps": [stamp], "ra_deg": 1.0, "dec_deg": 2.0}
    return record | changes


def test_simulated_alerts_survive_encoding_and_decoding() -> None:
    codec = Codec(Catalogue.embedded())
    records = list(simulate_alerts(20, np.random.default_rng(3)))
    assert len({record["l1_id"] for record in records}) == 20
    for record in records:
        decoded = codec.decode(codec.encode("l1_image_alert", record))
        identity, stamps = decode_alert(decoded.record, decoded.schema_name)
        assert identity.l1_id == record["l1_id"]
        assert identity.mjd_start == record["mjd"]
        images = {stamp["role"]: stamp["image"] for stamp in record["stamps"]}
        assert np.array_equal(stamps.difference.ravel(), images["DIFFERENCE"], equal_nan=True)  # type: ignore[union-attr]
        assert (stamps.science is None) == ("SCIENCE" not in images)


def test_pixels_without_a_positive_variance_are_no_pixels() -> None:
    variance = np.ones(12, np.float32)
    variance[[0, 5]] = 0, np.nan
    _, stamps = decode_alert(make(variance=variance), NAME)
    assert stamps.difference is not None
    assert np.isnan(stamps.difference).ravel().nonzero()[0].tolist() == [0, 5]
    assert stamps.flags & Quality.CUTOUT_NON_FINITE


def test_bytes_and_lists_are_arrays_too() -> None:
    image = np.arange(12, dtype="<f4")
    for value in (image.tobytes(), image.tolist()):
        _, stamps = decode_alert(make(image=value), NAME)
        assert np.array_equal(stamps.difference, image.reshape(3, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"height": 4}, Reason.LENGTH_MISMATCH, "stamps[0].image"),
        ({"variance": np.ones(11, np.float32)}, Reason.LENGTH_MISMATCH, "stamps[0].variance"),
        ({"image": b"12345"}, Reason.LENGTH_MISMATCH, "stamps[0].image"),
        ({"height": 0}, Reason.INVALID_VALUE, "stamps[0].height"),
        ({"width": 5000}, Reason.CUTOUT_TOO_LARGE, "stamps[0].width"),
        ({"image": "text"}, Reason.INVALID_VALUE, "stamps[0].image"),
        ({"image": np.empty(0, np.float32)}, Reason.CUTOUT_MISSING, "stamps[DIFFERENCE]"),
        ({"role": "SCIENCE"}, Reason.CUTOUT_MISSING, "stamps[DIFFERENCE]"),
        ({"stamps": None}, Reason.MISSING_FIELD, "stamps"),
        ({"survey": ""}, Reason.MISSING_FIELD, "survey"),
        ({"ra_deg": 400.0}, Reason.IMPLAUSIBLE_POSITION, "ra_deg"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], reason: Reason, field: str) -> None:
    with pytest.raises(Rejectable) as caught:
        decode_alert(make(**changes), NAME)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_two_images_of_one_role_are_refused() -> None:
    record = make()
    record["stamps"] *= 2
    with pytest.raises(Rejectable, match="two stamps"):
        decode_alert(record, NAME)


def test_an_alert_without_position_is_flagged() -> None:
    identity, stamps = decode_alert(make(ra_deg=None, dec_deg=None), NAME)
    assert identity.ra_deg is None
    assert stamps.flags & Quality.NO_POSITION
    assert identity.survey == "TEST"
