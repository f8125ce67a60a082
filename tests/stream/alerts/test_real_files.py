"""Every alert file of the real data through codec and decoding: which are stamps, which become which dead letter."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.items import Stamps
from classifiers.quality import Quality
from schemas.codec import Codec
from schemas.errors import Undecodable
from stream.alerts import decode_alert
from stream.alerts.cutouts import read_cutout
from stream.errors import Reason, Rejectable

ACCEPTED = {
    "ztf_ocf": {"ZTF": 38},
    "fink_ztf": {"ZTF": 4},
    "boom": {"ZTF": 1, "LSST": 1, "DECAM": 1, "WINTER": 1},
    "winter": {"WINTER": 4},
    "pgir": {"PGIR": 5},
    "ztf_legacy": {"ZTF": 30},
}
DEAD = {
    # JPEG previews hold no science data.
    "ztf_legacy/121540793515135000.avro": Reason.CUTOUT_INVALID,
    # Filled by a schema's author: no cutouts, and before schema 8 not even a time.
    **dict.fromkeys((f"lsst_wire_matrix/lsst.v7_{minor}.avro" for minor in range(5)), Reason.INVALID_VALUE),
    **dict.fromkeys(
        (f"lsst_wire_matrix/lsst.v{version}.avro" for version in ("8_0", "9_0", "10_0", "11_0", "11_1")),
        Reason.CUTOUT_MISSING,
    ),
    # A message is one record; this container holds seven.
    "fink_lsst/part-2-918301.avro": Reason.UNSUPPORTED,
    # Poison: schemas whose defaults do not fit their types, and containers that end too early.
    "poison/1.avro": Reason.INVALID_SCHEMA,
    "poison/9.avro": Reason.INVALID_SCHEMA,
    "poison/121540793515135009.avro": Reason.UNDECODABLE,
    "poison/516401801315010009.avro": Reason.UNDECODABLE,
    "poison/516434762915010006.avro": Reason.UNDECODABLE,
    "poison/test_alerts_Ia_Hsiao_v2_51.avro": Reason.UNDECODABLE,
}


def messages(alerts: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every alert file as (path, bytes), members of the archive too."""
    for path in sorted(alerts.glob("*/*.avro")):
        yield path.relative_to(alerts).as_posix(), path.read_bytes()
    with tarfile.open(alerts / "ztf_legacy" / "ztf_public_20180819_mod1000.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield f"ztf_legacy/{member.name}", content.read()


@pytest.fixture(scope="module")
def outcomes(data_dir: Path, codec: Codec) -> dict[str, Any]:
    """Return what became of each file: (identity, stamps, record), or the error."""
    made: dict[str, Any] = {}
    for name, value in messages(data_dir / "alerts"):
        try:
            decoded = codec.decode(value)
            made[name] = (*decode_alert(decoded.record, decoded.schema_name), decoded.record)
        except (Undecodable, Rejectable) as error:
            made[name] = error
    return made


def test_every_file_is_accepted_or_becomes_the_right_dead_letter(outcomes: Mapping[str, Any]) -> None:
    dead = {name: Reason(made.reason) for name, made in outcomes.items() if isinstance(made, Exception)}
    assert dead == DEAD
    accepted: dict[str, Counter[str]] = {}
    for name, made in outcomes.items():
        if name not in dead:
            accepted.setdefault(name.split("/")[0], Counter())[made[0].survey] += 1
    assert accepted == ACCEPTED


def test_every_dead_letter_says_what_was_expected_and_what_came(outcomes: Mapping[str, Any]) -> None:
    for made in outcomes.values():
        if isinstance(made, Exception):
            assert made.expected
            assert made.received
            assert made.message


def test_identities_are_unique_and_complete(outcomes: Mapping[str, Any]) -> None:
    identities = {name: made[0] for name, made in outcomes.items() if not isinstance(made, Exception)}
    twice = {"boom/tests__data__alerts__winter__alert.avro"}  # the same alert as winter/3608694.avro
    keys = [(one.survey, one.l1_id) for name, one in identities.items() if name not in twice]
    assert len(set(keys)) == len(keys)
    for one in identities.values():
        assert one.object_id
        assert 0 <= one.ra_deg < 360
        assert -90 <= one.dec_deg <= 90
        assert 58_000 < one.mjd_start < 61_500


@pytest.mark.slow
def test_every_cutout_equals_astropys(data_dir: Path, outcomes: Mapping[str, Any]) -> None:
    records = [made[2] for made in outcomes.values() if not isinstance(made, Exception)]
    records += list(fastavro.reader(io.BytesIO((data_dir / "alerts/fink_lsst/part-2-918301.avro").read_bytes())))
    compared = 0
    for record in records:
        for field in record:
            if not field.lower().startswith("cutout"):
                continue
            image = read_cutout(record, field, "test")
            value = record[field]["stampData"] if isinstance(record[field], dict) else record[field]
            plain = gzip.decompress(value) if value.startswith(b"\x1f\x8b") else value
            with np.errstate(all="ignore"):
                reference = np.asarray(fits.getdata(io.BytesIO(plain), ignore_missing_simple=True), dtype=np.float32)
            assert np.array_equal(image, reference, equal_nan=True), field
            compared += 1
    assert compared == 3 * (85 + 7)


def test_the_lsst_alerts_of_a_broker_are_recognised_by_their_fields(data_dir: Path) -> None:
    value = (data_dir / "alerts/fink_lsst/part-2-918301.avro").read_bytes()
    for record in fastavro.reader(io.BytesIO(value)):
        identity, stamps = decode_alert(record, "topLevelRecord.value")
        assert identity.survey == "LSST"
        source = record["diaSource"]
        assert identity.object_id == str(source["diaObjectId"] or source["ssObjectId"])  # solar system objects too
        assert identity.mjd_start == pytest.approx(record["diaSource"]["midpointMjdTai"] - 37 / 86400, abs=1e-9)
        assert stamps.flags == 0
        assert stamps.difference is not None
        assert stamps.difference.shape == (30, 30)


def test_what_real_alerts_lack_is_flagged(outcomes: Mapping[str, Any]) -> None:
    flags = {name: Quality(made[1].flags) for name, made in outcomes.items() if not isinstance(made, Exception)}
    assert sum(Quality.CUTOUT_TRUNCATED in value for value in flags.values()) == 1
    assert sum(Quality.CUTOUT_NON_FINITE in value for value in flags.values()) > 5
    truncated = next(made[1] for name, made in outcomes.items() if flags.get(name, 0) & Quality.CUTOUT_TRUNCATED)
    assert np.isnan(truncated.difference[:12]).all()  # ypos = 19.8: the chip begins 12 rows above the stamp's edge
    assert np.isfinite(truncated.difference[12:]).all()
    no_data = outcomes["ztf_ocf/2475433850015015000.avro"][1]
    assert np.nanmin(no_data.template) > -1e6  # the template's -3.4e38 is no pixel


def stamps_or_rejection(record: Mapping[str, Any], schema_name: str) -> Stamps | Rejectable:
    """Return what decoding makes of a record; any other error than a rejection fails the test."""
    try:
        return decode_alert(record, schema_name)[1]
    except Rejectable as error:
        return error


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_cutouts_of_a_real_alert_are_stamps_or_dead_letters(
    outcomes: Mapping[str, Any], data: st.DataObject
) -> None:
    record = dict(outcomes["ztf_ocf/1105522281015015000.avro"][2])
    for name in ("cutoutScience", "cutoutTemplate", "cutoutDifference"):
        value = bytearray(record[name]["stampData"])
        for _ in range(data.draw(st.integers(0, 2))):
            value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
        stop = data.draw(st.one_of(st.just(len(value)), st.integers(0, len(value))))
        record[name] = {"fileName": "", "stampData": bytes(value[:stop])}
    outcome = stamps_or_rejection(record, "ztf.alert")
    if isinstance(outcome, Rejectable):
        assert outcome.reason in {Reason.CUTOUT_INVALID, Reason.CUTOUT_TOO_LARGE, Reason.CUTOUT_MISSING}
        assert outcome.field
    else:
        assert outcome.difference is not None
        assert max(outcome.difference.shape) <= 1024


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_plain_fits_of_a_real_alert_are_stamps_or_dead_letters(
    outcomes: Mapping[str, Any], data: st.DataObject
) -> None:
    record = dict(outcomes["boom/7912941781254298.avro"][2])
    value = bytearray(record["cutoutDifference"])
    for _ in range(data.draw(st.integers(1, 6))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    record["cutoutDifference"] = bytes(value[: data.draw(st.integers(0, len(value)))])
    outcome = stamps_or_rejection(record, "lsst.v9_0.alert")
    assert outcome.field if isinstance(outcome, Rejectable) else outcome.difference is not None
