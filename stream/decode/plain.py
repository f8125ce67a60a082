"""Spectra from messages in columns: what the codec and ``SpectrumDecoder`` make of a message, for a batch of them.

A night's messages are nearly all alike: the current schema, few axes, frames and units, ordinary numbers, plain text.
Those are read side by side (``stream.decode.columns``) at a fraction of the cost: numbers are checked as arrays, fields
that an L2 record copies are copied as bytes, and what many spectra share is checked once and remembered by its bytes.

A message that does not pass every check here is left, without a word, to the decoders that take one at a time and say
what is wrong, if anything. Either way gives the same; the tests compare them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Axis, Spectrum
from classifiers.preprocess.overstated import with_measured_errors
from classifiers.preprocess.padding import without_padding
from schemas.fingerprint import JsonSchema
from stream.decode.columns import ColumnReader, Columns
from stream.decode.spectrum import MAX_MJD, MAX_TEXT, Setting, SpectrumDecoder, check_pixels
from stream.decode.walk import AT, NOTED, NUMBER, PRESENT, SIZE, START
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

_FLOAT64, _FLOAT32, _INT32 = np.dtype("<f8"), np.dtype("<f4"), np.dtype("<i4")
_PLACES: Final = (
    ("l1_id", AT), ("l1_id", START), ("l1_id", SIZE), ("survey", AT), ("instrument", AT), ("object_id", START),
    ("object_id", SIZE), ("sub_surveys", AT), ("ob_id", AT), ("fibre_use", AT), ("fibre_use", NUMBER),
    ("product_level", NUMBER), ("supersedes", AT), ("pipeline_name", AT), ("ra_deg", PRESENT), ("ra_deg", AT),
    ("pm_ra_mas_yr", AT), ("mjd_start", AT), ("exptime_s", AT), ("grid", PRESENT), ("grid", AT), ("medium", AT),
    ("lsf", AT), ("flux", START), ("flux", SIZE), ("flux_unit", AT), ("flux_calibration", AT), ("uncertainty", START),
    ("uncertainty", SIZE), ("uncertainty_kind", NUMBER), ("quality", PRESENT), ("quality", START), ("quality", SIZE),
    ("sampling", NUMBER),
)  # fmt: skip
"""What ``_spectrum`` is told of each message, in its order."""

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
        self._picks = np.array([NOTED * self._reader.fields[name] + kind for name, kind in _PLACES])
        types = {field["name"]: field["type"] for field in schema["fields"]} if isinstance(schema, dict) else {}
        doubles = {name: place for name, place in self._reader.doubles.items() if "." not in name}
        self._columns = np.array(list(doubles.values()))
        self._double_fields = np.array([self._reader.fields[name] for name in doubles])
        self._ranges = np.array([_RANGES.get(name, (-_LARGEST, _LARGEST)) for name in doubles]).T
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
        columns = self._reader.read(values, start)
        plain = columns.plain & self._ordinary(columns)
        places = columns.table.reshape(len(values), -1)[:, self._picks].tolist()
        return [
            self._spectrum(value, place, columns, row) if good else None
            for row, (value, good, place) in enumerate(zip(values, plain.tolist(), places, strict=True))
        ]

    def _ordinary(self, columns: Columns) -> NDArray[np.bool_]:
        """Return where every number is null or finite, of ordinary size, and possible where that is checked."""
        noted, at = columns.table, self._reader.fields
        size = noted[:, at["l1_id"], SIZE]
        plain = (size > 0) & (size <= MAX_TEXT)
        plain &= noted[:, at["ra_deg"], PRESENT] == noted[:, at["dec_deg"], PRESENT]
        plain &= noted[:, at["wavelength"], PRESENT] != noted[:, at["grid"], PRESENT]
        values = columns.doubles[:, self._columns]
        magnitude, (low, high) = np.abs(values), self._ranges
        ordinary = (magnitude <= _LARGEST) & ((magnitude >= _SMALLEST) | (magnitude == 0.0))
        ordinary &= (values >= low) & (values <= high)
        ordinary |= noted[:, self._double_fields, PRESENT] == 0
        found: NDArray[np.bool_] = plain & ordinary.all(axis=1)
        return found

    def _spectrum(self, value: bytes, place: list[int], columns: Columns, row: int) -> PlainSpectrum | None:
        """Return the spectrum of one message; None where something about it is to be said."""
        (
            l1_id_field, l1_id, l1_id_size, survey_field, instrument, object_id, object_id_size, sub_surveys, ob_id,
            fibre_use_field, fibre_use, product_level, supersedes, pipeline_name, has_position, ra_deg, pm_ra,
            mjd_start, exptime, has_grid, grid, medium, lsf, flux_start, flux_size, flux_unit, flux_calibration,
            uncertainty_start, uncertainty_size, uncertainty_kind, has_quality, quality_start, quality_size, sampling,
        ) = place  # fmt: skip
        try:
            key = value[survey_field:instrument]
            survey, encoded_survey = self._surveys.get(key) or self._new_survey(
                key, self._text(value, columns, "survey", row)
            )
            key = value[medium:lsf] + value[flux_unit:flux_calibration]
            setting = self._settings.get(key) or self._new_setting(key, value, columns, row)
            if has_grid:
                key = value[grid:medium]
                axis, n = self._axes.get(key) or self._new_axis(key, columns, row)
            else:
                _, _, start, size, _ = columns.table[row, self._reader.fields["wavelength"]].tolist()
                if size % 8:
                    return None
                inline = np.frombuffer(value, _FLOAT64, size // 8, start)
                axis, n = self._decoder.axes.read({"wavelength": inline, "grid": None})
            if flux_size != 4 * n or uncertainty_size != 4 * n:
                return None
            flux = np.frombuffer(value, _FLOAT32, n, flux_start)
            uncertainty = np.frombuffer(value, _FLOAT32, n, uncertainty_start)
            quality: NDArray[np.int32] | None = None
            if has_quality:
                if quality_size != 4 * n:
                    return None
                quality = np.frombuffer(value, _INT32, n, quality_start)
            if self._samplings[sampling] == "DISPERSED":
                quality = without_padding(flux, uncertainty, quality)
            check_pixels(flux, uncertainty, quality)
        except Rejectable:
            return None
        identity = EncodedIdentity(
            survey,
            value[object_id : object_id + object_id_size] or value[l1_id : l1_id + l1_id_size],
            has_position == 1,
            b"".join(
                (
                    value[l1_id_field:survey_field],
                    LANES["spectrum"],
                    encoded_survey,
                    value[instrument:sub_surveys],
                    value[ob_id:fibre_use_field],
                    self._use_and_level[fibre_use][product_level],
                    value[supersedes:pipeline_name],
                    value[ra_deg:pm_ra],
                    value[mjd_start:exptime],
                )
            ),
        )
        spectrum = Spectrum(
            axis,
            setting.medium,
            flux,
            uncertainty,
            self._kinds[uncertainty_kind],
            setting.flux_unit,
            quality,
            setting.velocity_correction_km_s,
            setting.resolving_power,
            self._samplings[sampling],
            fibre_use == self._sky,
            survey,
        )
        if spectrum.sampling == "DISPERSED":
            spectrum = with_measured_errors(spectrum)
        return PlainSpectrum(identity, spectrum, 8 * n + (0 if quality is None else 4 * n))

    def _new_survey(self, key: bytes, text: str) -> tuple[str, bytes]:
        survey = self._decoder.survey(text)
        return _remember(self._surveys, key, (survey, string_bytes(survey)))

    def _new_setting(self, key: bytes, value: bytes, columns: Columns, row: int) -> Setting:
        record = {
            "flux_unit": self._text(value, columns, "flux_unit", row),
            "resolving_power": self._double(columns, "resolving_power", row),
            "medium": self._media[self._number(columns, "medium", row)],
            "specsys": self._text(value, columns, "specsys", row),
            "helio_correction_km_s": self._double(columns, "helio_correction_km_s", row),
        }
        return _remember(self._settings, key, self._decoder.setting(record))

    def _new_axis(self, key: bytes, columns: Columns, row: int) -> tuple[Axis, int]:
        grid = {
            "kind": self._grid_kinds[self._number(columns, "grid.kind", row)],
            "start": self._double(columns, "grid.start", row),
            "step": self._double(columns, "grid.step", row),
            "n": self._number(columns, "grid.n", row),
        }
        return _remember(self._axes, key, self._decoder.axes.read({"wavelength": None, "grid": grid}))

    def _text(self, value: bytes, columns: Columns, name: str, row: int) -> str:
        _, _, start, size, _ = columns.table[row, self._reader.fields[name]].tolist()
        return value[start : start + size].decode()

    def _number(self, columns: Columns, name: str, row: int) -> int:
        return int(columns.table[row, self._reader.fields[name], NUMBER])

    def _double(self, columns: Columns, name: str, row: int) -> float | None:
        present = columns.table[row, self._reader.fields[name], PRESENT]
        return float(columns.doubles[row, self._reader.doubles[name]]) if present else None


def _remember(known: dict[bytes, Found], key: bytes, found: Found) -> Found:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = found
    return found
