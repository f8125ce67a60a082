"""Spectra from messages in columns: what the codec and ``SpectrumDecoder`` make of a message, for a batch of them.

A night's messages are nearly all alike: the current schema, few axes, frames and units, ordinary numbers, plain text.
Those are read side by side (``schemas.columns``) at a fraction of the cost: numbers are checked as arrays, the fields
that an L2 record copies are copied as bytes, and what many spectra share is checked once and remembered by its bytes.

A message that does not pass every check here is left, without a word, to the decoders that take one at a time and say
what is wrong, if anything. Either way gives the same; the tests compare them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Axis, Spectrum
from schemas.columns import Column, ColumnReader
from schemas.fingerprint import JsonSchema
from stream.decode.spectrum import MAX_MJD, MAX_TEXT, Setting, SpectrumDecoder, check_pixels
from stream.decoded import EncodedIdentity
from stream.errors import Rejectable
from stream.records.avro_bytes import nullable_string, string_bytes
from stream.records.identity import LANES

MAX_REMEMBERED: Final = 1_024
"""Axes, settings and surveys that are remembered; beyond that they are forgotten and checked again."""
_SMALLEST, _LARGEST = 1e-30, 1e30
_RANGES: Final = {
    "ra_deg": (0.0, 360.0),
    "dec_deg": (-90.0, 90.0),
    "mjd_start": (1e-30, MAX_MJD - 1.0),
    "mjd_end": (1e-30, MAX_MJD - 1.0),
    "exptime_s": (0.0, 1e9),
}
"""Closed ranges of plain numbers: no wider than those of ``SpectrumDecoder`` and ``schemas.plausibility``."""

Fields: TypeAlias = dict[str, Column]
Numbers: TypeAlias = dict[str, NDArray[np.float64]]
Found = TypeVar("Found")


class PlainSpectrum(NamedTuple):
    """A decoded spectrum; ``size_bytes`` is what its arrays hold."""

    identity: EncodedIdentity
    spectrum: Spectrum
    size_bytes: int


class PlainSpectra:
    """Reads messages of the current ``l1_spectrum`` schema.

    Args:
        schema: that schema, parsed.
        decoder: of one record at a time; it checks what is remembered here.
    """

    def __init__(self, schema: JsonSchema, decoder: SpectrumDecoder) -> None:
        self._reader = ColumnReader(schema)
        types = {field["name"]: field["type"] for field in schema["fields"]} if isinstance(schema, dict) else {}
        self._doubles = tuple(name for name, kind in types.items() if kind == ["null", "double"])
        symbols = {
            name: kind["symbols"] for name, kind in types.items() if isinstance(kind, dict) and "symbols" in kind
        }
        self._media, self._kinds, self._samplings = symbols["medium"], symbols["uncertainty_kind"], symbols["sampling"]
        self._grid_kinds = types["grid"][1]["fields"][0]["type"]["symbols"]
        self._sky = symbols["fibre_use"].index("SKY")
        self._use_and_level = [
            [nullable_string(use) + nullable_string(level) for level in symbols["product_level"]]
            for use in symbols["fibre_use"]
        ]
        self._decoder = decoder
        self._surveys: dict[bytes, tuple[str, bytes]] = {}
        self._axes: dict[bytes, tuple[Axis, int]] = {}
        self._settings: dict[bytes, Setting] = {}

    def read(self, values: Sequence[bytes], start: int) -> list[PlainSpectrum | None]:
        """Return the spectra of messages in their order; None for those that are not plain.

        Args:
            values: n >= 1 messages, none of them empty.
            start: index of the first byte of the record in each.
        """
        read = self._reader.read(values, start)
        fields = read.fields
        numbers = {name: fields[name].doubles() for name in self._doubles}
        plain = read.plain & _ordinary(fields, numbers)
        return [
            self._spectrum(value, place, fields, numbers, row) if good else None
            for row, (value, good, place) in enumerate(zip(values, plain.tolist(), _places(fields), strict=True))
        ]

    def _spectrum(
        self, value: bytes, place: _Place, fields: Fields, numbers: Numbers, row: int
    ) -> PlainSpectrum | None:
        """Return the spectrum of one message; None where something about it is to be said."""
        try:
            key = value[place.survey_field : place.instrument]
            survey, encoded_survey = self._surveys.get(key) or self._new_survey(
                key, _text(value, fields["survey"], row)
            )
            key = value[place.medium : place.lsf] + value[place.flux_unit : place.flux_calibration]
            setting = self._settings.get(key) or self._new_setting(key, value, fields, numbers, row)
            if place.has_grid:
                key = value[place.grid : place.medium]
                axis, n = self._axes.get(key) or self._new_axis(key, fields, row)
            else:
                wavelength = fields["wavelength"]
                count, odd = divmod(int(wavelength.size[row]), 8)
                if odd:
                    return None
                inline = np.frombuffer(value, "<f8", count, int(wavelength.start[row]))
                axis, n = self._decoder.axes.read({"wavelength": inline, "grid": None})
            if place.flux_size != 4 * n or place.uncertainty_size != 4 * n:
                return None
            flux = np.frombuffer(value, "<f4", n, place.flux)
            uncertainty = np.frombuffer(value, "<f4", n, place.uncertainty)
            quality: NDArray[np.int32] | None = None
            if place.has_quality:
                if place.quality_size != 4 * n:
                    return None
                quality = np.frombuffer(value, "<i4", n, place.quality)
            check_pixels(flux, uncertainty, quality)
        except Rejectable:
            return None
        l1_id = value[place.l1_id : place.l1_id + place.l1_id_size]
        object_id = value[place.object_id : place.object_id + place.object_id_size] if place.has_object_id else b""
        identity = EncodedIdentity(
            survey,
            object_id or l1_id,
            place.has_position,
            b"".join(
                (
                    value[place.l1_id_field : place.survey_field],
                    LANES["spectrum"],
                    encoded_survey,
                    value[place.instrument : place.sub_surveys],
                    value[place.ob_id : place.fibre_use_field],
                    self._use_and_level[place.fibre_use][place.product_level],
                    value[place.supersedes : place.pipeline_name],
                    value[place.ra_deg : place.pm_ra],
                    value[place.mjd_start : place.exptime],
                )
            ),
        )
        spectrum = Spectrum(
            axis,
            setting.medium,
            flux,
            uncertainty,
            self._kinds[place.uncertainty_kind],
            setting.flux_unit,
            quality,
            setting.velocity_correction_km_s,
            setting.resolving_power,
            self._samplings[place.sampling],
            place.fibre_use == self._sky,
            survey,
        )
        return PlainSpectrum(identity, spectrum, 8 * n + (0 if quality is None else 4 * n))

    def _new_survey(self, key: bytes, text: str) -> tuple[str, bytes]:
        survey = self._decoder.survey(text)
        return _remember(self._surveys, key, (survey, string_bytes(survey)))

    def _new_setting(self, key: bytes, value: bytes, fields: Fields, numbers: Numbers, row: int) -> Setting:
        def number(name: str) -> float | None:
            return float(numbers[name][row]) if fields[name].present[row] else None

        record = {
            "flux_unit": _text(value, fields["flux_unit"], row),
            "resolving_power": number("resolving_power"),
            "medium": self._media[int(fields["medium"].number[row])],
            "specsys": _text(value, fields["specsys"], row),
            "helio_correction_km_s": number("helio_correction_km_s"),
        }
        return _remember(self._settings, key, self._decoder.setting(record))

    def _new_axis(self, key: bytes, fields: Fields, row: int) -> tuple[Axis, int]:
        grid = {
            "kind": self._grid_kinds[int(fields["grid.kind"].number[row])],
            "start": float(fields["grid.start"].doubles()[row]),
            "step": float(fields["grid.step"].doubles()[row]),
            "n": int(fields["grid.n"].number[row]),
        }
        return _remember(self._axes, key, self._decoder.axes.read({"wavelength": None, "grid": grid}))


def _remember(known: dict[bytes, Found], key: bytes, found: Found) -> Found:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = found
    return found


def _text(value: bytes, field: Column, row: int) -> str:
    start = int(field.start[row])
    return value[start : start + int(field.size[row])].decode()


def _ordinary(fields: Fields, numbers: Numbers) -> NDArray[np.bool_]:
    """Return in which messages every number is null or finite, of ordinary size, and possible where that is checked."""
    plain = (fields["l1_id"].size > 0) & (fields["l1_id"].size <= MAX_TEXT)
    plain &= fields["ra_deg"].present == fields["dec_deg"].present
    plain &= fields["wavelength"].present != fields["grid"].present
    for name, values in numbers.items():
        present = fields[name].present
        if present.any():
            size = np.abs(values)
            ordinary = (size <= _LARGEST) & ((size >= _SMALLEST) | (size == 0.0))
            low, high = _RANGES.get(name, (-_LARGEST, _LARGEST))
            plain &= ~present | (ordinary & (values >= low) & (values <= high))
    return plain


class _Place(NamedTuple):
    """Positions in one message and its small values; each name is that of a field, its content or what it says."""

    l1_id_field: int
    l1_id: int
    l1_id_size: int
    survey_field: int
    instrument: int
    has_object_id: bool
    object_id: int
    object_id_size: int
    sub_surveys: int
    ob_id: int
    fibre_use_field: int
    fibre_use: int
    product_level: int
    supersedes: int
    pipeline_name: int
    has_position: bool
    ra_deg: int
    pm_ra: int
    mjd_start: int
    exptime: int
    has_grid: bool
    grid: int
    medium: int
    lsf: int
    flux: int
    flux_size: int
    flux_unit: int
    flux_calibration: int
    uncertainty: int
    uncertainty_size: int
    uncertainty_kind: int
    has_quality: bool
    quality: int
    quality_size: int
    sampling: int


def _places(fields: Fields) -> Iterator[_Place]:
    """Yield the places of each message."""

    def at(name: str) -> list[int]:
        positions: list[int] = fields[name].at.tolist()
        return positions

    def content(name: str) -> tuple[list[int], list[int]]:
        field = fields[name]
        start = field.start.tolist()
        return start, field.size.tolist() if field.size.size else start

    def number(name: str) -> list[int]:
        numbers: list[int] = fields[name].number.tolist()
        return numbers

    def has(name: str) -> list[bool]:
        present: list[bool] = fields[name].present.tolist()
        return present

    places = zip(
        at("l1_id"), *content("l1_id"), at("survey"), at("instrument"),
        has("object_id"), *content("object_id"), at("sub_surveys"), at("ob_id"), at("fibre_use"),
        number("fibre_use"), number("product_level"), at("supersedes"), at("pipeline_name"),
        has("ra_deg"), at("ra_deg"), at("pm_ra_mas_yr"), at("mjd_start"), at("exptime_s"),
        has("grid"), at("grid"), at("medium"), at("lsf"),
        *content("flux"), at("flux_unit"), at("flux_calibration"), *content("uncertainty"), number("uncertainty_kind"),
        has("quality"), *content("quality"), number("sampling"),
        strict=True,
    )  # fmt: skip
    return map(_Place._make, places)
