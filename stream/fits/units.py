"""Unit strings as surveys write them, made canonical: one string for one unit, and one that astropy parses.

Surveys write ``1E-17 erg/cm^2/s/Ang``, ``10**-17 erg/(s cm2 Angstrom)``, ``erg.cm**(-2).s**(-1).angstrom**(-1)``,
``counts`` or ``ADU``. Some do not parse in astropy; ``erg/cm^2/s/A`` parses silently as *per ampere*. So the string is
parsed here, with the meaning that names have on a flux axis (``A`` is the Angstrom), and written anew. What is neither
a flux density, nor counts, nor dimensionless is refused by name: magnitudes or luminosities would be taken for fluxes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_NAMES: Final = {
    "erg": ("erg", "ergs"),
    "s": ("s", "sec", "second", "seconds"),
    "cm": ("cm",),
    "m": ("m", "meter", "metre"),
    "Angstrom": ("a", "aa", "ang", "angstrom", "angstroms", "å", "ångström"),
    "nm": ("nm", "nanometer", "nanometers"),
    "um": ("um", "micron", "microns", "μm", "µm"),
    "Hz": ("hz",),
    "W": ("w", "watt"),
    "J": ("j", "joule"),
    "Jy": ("jy", "jansky"),
    "mJy": ("mjy",),
    "uJy": ("ujy", "microjy"),
    "nJy": ("njy",),
    "nmgy": ("nmgy", "nanomaggy", "nanomaggies"),
    "ct": ("ct", "cts", "count", "counts", "dn"),
    "adu": ("adu", "adus"),
    "electron": ("electron", "electrons", "e", "e-"),
    "photon": ("photon", "photons", "ph"),
}
_CANONICAL: Final = {written: name for name, spellings in _NAMES.items() for written in spellings}
_DIMENSIONLESS: Final = {"", "1", "none", "dimensionless", "unitless", "normalized", "normalised", "relative", "-"}
_MAX_EXPONENT: Final = 60
_LENGTHS: Final = {"Angstrom": 1.0, "nm": 10.0, "um": 1e4, "cm": 1e8, "m": 1e10}

_ENERGY: Final = {"erg", "J"}
_COUNTS: Final = {"ct", "adu", "electron", "photon"}
_JANSKYS: Final = {"Jy", "mJy", "uJy", "nJy", "nmgy"}
_WAVELENGTHS: Final = {"Angstrom", "nm", "um"}

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>e-|[A-Za-zÅåµμö]+)
      | (?P<power>\*\*|\^)
      | (?P<times>[*.·])
      | (?P<over>/)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<sign>[+-])
    )""",
    re.VERBOSE,
)


class UnitError(ValueError):
    """A unit string that cannot be read, or is no flux unit; the message names it."""


@dataclass(frozen=True, slots=True)
class _Product:
    """A scale as a power-of-ten-friendly float, and unit names with exponents."""

    scale: float
    powers: dict[str, Fraction]

    def times(self, other: _Product, sign: int) -> _Product:
        powers = dict(self.powers)
        for name, power in other.powers.items():
            powers[name] = powers.get(name, Fraction(0)) + sign * power
        return _Product(self.scale * other.scale**sign, {n: p for n, p in powers.items() if p})

    def power(self, exponent: Fraction) -> _Product:
        return _Product(self.scale ** float(exponent), {n: p * exponent for n, p in self.powers.items()})


class _Parser:
    """Recursive descent: product = factor {[* . /] factor}; a division takes the one factor that follows it."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        end = 0
        while end < len(text.rstrip()):
            match = _TOKEN.match(text, end)
            if match is None or match.lastgroup is None:
                raise UnitError(f"cannot read {text[end:]!r}")
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            end = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def product(self) -> _Product:
        result, sign = self.factor(), 1
        while self.peek() not in {"", "close"}:
            sign = 1
            if self.peek() in {"times", "over"}:
                sign = -1 if self.take() == "/" else 1
            result = result.times(self.factor(), sign)
        return result

    def factor(self) -> _Product:
        kind = self.peek()
        if kind == "open":
            self.take()
            base = self.product()
            if self.peek() != "close":
                raise UnitError("a parenthesis is not closed")
            self.take()
        elif kind == "number":
            base = _Product(float(self.take()), {})
        elif kind == "name":
            written = self.take()
            name = _CANONICAL.get(written.lower())
            if name is None:
                raise UnitError(f"unknown unit {written!r}")
            base = _Product(1.0, {name: Fraction(1)})
        else:
            raise UnitError("a unit is missing")
        return base.power(self.exponent(base))

    def exponent(self, base: _Product) -> Fraction:
        """Read ``^-2``, ``**(-2)``, ``-2`` or ``2`` after a name; a number takes an exponent only after ^ or **."""
        explicit = self.peek() == "power"
        if explicit:
            self.take()
        elif not base.powers or self.peek() not in {"number", "sign"}:
            return Fraction(1)
        opened = explicit and self.peek() == "open"
        if opened:
            self.take()
        sign = 1
        if self.peek() == "sign":
            sign = -1 if self.take() == "-" else 1
        if self.peek() != "number":
            raise UnitError("an exponent is missing")
        written = self.take()
        if not float(written) <= _MAX_EXPONENT:
            raise UnitError(f"the exponent {written} is no exponent of a unit")
        value = Fraction(written)
        if opened:
            if self.peek() != "close":
                raise UnitError("a parenthesis is not closed")
            self.take()
        return sign * value


def _parse(text: str) -> _Product:
    parser = _Parser(text)
    try:
        result = parser.product()
    except (OverflowError, ZeroDivisionError) as error:
        raise UnitError("its scale is no number") from error
    if parser.peek():
        raise UnitError("a parenthesis was never opened")
    if not 0 < result.scale < math.inf:
        raise UnitError("its scale is no positive number")
    return result


def canonical_flux_unit(written: str | None) -> str:
    """Return the unit string of a flux axis in canonical form, for example ``1e-17 erg / (Angstrom cm2 s)``.

    Args:
        written: TUNIT or BUNIT as the file has it; None or "" is dimensionless.

    Returns:
        A string that astropy parses to what was meant; "" for dimensionless.

    Raises:
        UnitError: the string cannot be read, or is no flux density, counts or dimensionless; the message names it.
    """
    text = (written or "").strip()
    if text.lower() in _DIMENSIONLESS:
        return ""
    try:
        unit = _parse(text)
    except UnitError as error:
        raise UnitError(f"cannot read the unit {text!r}: {error}") from None
    if not _is_flux(unit.powers):
        raise UnitError(f"the unit {text!r} is no flux density, counts or dimensionless")
    return _written(unit)


def _is_flux(powers: dict[str, Fraction]) -> bool:
    if not powers:
        return True
    rest = dict(powers)
    for jansky in _JANSKYS:
        if rest.pop(jansky, None) == 1:
            return not rest
    for count in _COUNTS:
        if rest.pop(count, None) == 1:
            rest = {n: p for n, p in rest.items() if not (p == -1 and n in _WAVELENGTHS | {"s"})}
            area = sum(p for n, p in rest.items() if n in {"cm", "m"})
            return area in {0, -2} and all(n in {"cm", "m"} for n in rest)
    energies = [n for n in rest if n in _ENERGY and rest[n] == 1]
    time = rest.pop("s", Fraction(0))
    if len(energies) == 1:
        rest.pop(energies[0])
        power_ok = time == -1
    else:
        power_ok = rest.pop("W", None) == 1 and time == 0
    if not power_ok:
        return False
    area = rest.pop("cm", Fraction(0)) + rest.pop("m", Fraction(0))
    if rest == {"Hz": Fraction(-1)}:
        return area == -2
    per_length = [n for n in rest if n in _WAVELENGTHS]
    if len(per_length) == 1 and len(rest) == 1 and rest[per_length[0]] == -1:
        return area == -2
    return not rest and area == -3  # per metre of wavelength: W/m3


def _written(unit: _Product) -> str:
    over = sorted((n for n, p in unit.powers.items() if p > 0), key=str.lower)
    under = sorted((n for n, p in unit.powers.items() if p < 0), key=str.lower)

    def term(name: str) -> str:
        power = abs(unit.powers[name])
        return name if power == 1 else f"{name}{power}" if power.denominator == 1 else f"{name}({power})"

    text = " ".join(map(term, over))
    if under:
        text += " / " + (term(under[0]) if len(under) == 1 else "(" + " ".join(map(term, under)) + ")")
    scale = f"{unit.scale:.12g}".replace("e-0", "e-").replace("e+0", "e+")
    if not unit.powers:
        return "" if unit.scale == 1 else scale
    return text if unit.scale == 1 else f"{scale} {text}"


def is_flux_density(canonical: str) -> bool:
    """Return whether a canonical unit is a calibrated flux (energy or nanomaggies), not counts or dimensionless."""
    return any(unit in canonical for unit in (*_ENERGY, *_JANSKYS, "W"))


def angstroms_per(written: str | None) -> float:
    """Return how many Angstrom one unit of a wavelength axis is; ``A`` is the Angstrom here.

    Raises:
        UnitError: the string is no length, or is missing; the message names it.
    """
    text = (written or "").strip()
    if not text:
        raise UnitError("the unit of the wavelength is missing")
    try:
        unit = _parse(text)
    except UnitError as error:
        raise UnitError(f"cannot read the unit {text!r}: {error}") from None
    if len(unit.powers) == 1:
        name, power = next(iter(unit.powers.items()))
        if power == 1 and name in _LENGTHS:
            return unit.scale * _LENGTHS[name]
    raise UnitError(f"the unit {text!r} is no wavelength")
