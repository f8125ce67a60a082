"""Labels do not touch, units read as astronomers write them, file names are safe and tell spectra apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.plots.labels import decade, flux_label, label_rows, plain_number, wrapped
from ops.plots.spectrum import file_name


@given(st.lists(st.tuples(st.text("abcdef []", min_size=1, max_size=8), st.floats(3000, 9000)), max_size=12))
def test_labels_of_one_row_never_touch(places: list[tuple[str, float]]) -> None:
    """Any two labels in a row are at least half their widths apart."""
    ordered = sorted(places, key=lambda place: place[1])
    rows = label_rows(ordered, 6000.0, 0.007)
    for i, (one, at) in enumerate(ordered):
        for j, (other, later) in enumerate(ordered[:i]):
            if rows[i] == rows[j]:
                assert at - later >= 0.5 * (len(one) + len(other) + 2) * 0.007 * 6000.0 - 1e-6


@pytest.mark.parametrize(
    ("unit", "exponent", "label"),
    [
        ("1e-17 erg / (Angstrom cm2 s)", 0, "flux [10⁻¹⁷ erg Å⁻¹ cm⁻² s⁻¹]"),
        ("1e-17 erg/s/cm2/Angstrom", 0, "flux [10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹]"),
        ("erg / (Angstrom cm2 s)", -18, "flux [10⁻¹⁸ erg Å⁻¹ cm⁻² s⁻¹]"),
        ("10**(-17) erg cm**-2 s**-1 Angstrom**-1", 2, "flux [10⁻¹⁵ erg cm⁻² s⁻¹ Å⁻¹]"),
        ("electron", 0, "flux [electron]"),
        ("", 0, "relative flux"),
        ("", 6, "relative flux [10⁶]"),
    ],
)
def test_flux_units_are_written_with_powers(unit: str, exponent: int, label: str) -> None:
    """The power of ten of the axis and that of the unit are one."""
    assert flux_label(unit, exponent) == label


def test_numbers_that_are_legible_keep_their_decade() -> None:
    """Only very small and very large values give a power of ten away."""
    assert [decade(value) for value in (0.0, 0.05, 300.0, 1.5e-16, 2e6)] == [0, 0, 0, -16, 6]


def test_long_titles_are_wrapped() -> None:
    """Also where a name has no space to break at."""
    assert all(len(line) <= 105 for line in wrapped("x" * 300 + " and more").splitlines())
    assert wrapped("short") == "short"


def test_file_names_are_safe_and_different_for_different_spectra() -> None:
    """Separators go, nothing climbs out of the folder, and long names that begin alike stay apart."""
    assert file_name("spec-55862-B6212_sp06-003-v2.6.4") == "spec-55862-B6212_sp06-003-v2.6.4.png"
    assert file_name("fuji/sv3-dark/396") == "fuji_sv3-dark_396.png"
    names = {file_name(text) for text in ("a" * 200 + "1", "a" * 200 + "2", "../etc", "...", "", "α", "β")}
    assert len(names) == 7
    assert all("/" not in name and not name.startswith(".") and len(name) < 140 for name in names)


def test_absurd_numbers_are_legible() -> None:
    """No negative zero and no row of thirty digits."""
    found = [plain_number(value) for value in (-0.04, 0.0, 31.09, -7.25, 310932249127647951596814336.0)]
    assert found == ["0.0", "0.0", "31.1", "-7.2", "3.1e26"]
