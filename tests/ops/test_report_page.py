"""The report's page: self-contained, escaped, and with every number of the report."""

from __future__ import annotations

import re

from classifiers.training.evaluation.document import (
    Curve,
    Example,
    Item,
    Matrix,
    Number,
    Plot,
    Proportion,
    Report,
    Section,
    Table,
)
from ops.report_page import page

PLOT = Plot("A plot", "x", "y", [Curve("c", [1.0, 2.0], [0.5, 1.0], [0.2, 0.6], [0.8, 1.0], [4, 5])], "points")
MATRIX = Matrix("A matrix", ("a", "b"), ("a", "b"), [[3, 1], [0, 2]])
EXAMPLE = Example("A spectrum <b>", "found: x & y", [4000.0, 5000.0], [1.0, float("nan")], [0.1, 0.1], [0.0, 2.0])
TABLE = Table(
    "A table",
    ("what", "value"),
    [
        ("share", Proportion("p", 3, 4)),
        ("none", Proportion("p", 0, 0)),
        ("zero", Proportion("p", 0, 9)),
        ("number", Number("n", 0.00012, 7, (0.1, 0.2))),
        ("missing", float("nan")),
        ("large", 10_850.0),
        ("text <i>", "a & b"),
    ],
)

RAN = Table("Bundles", ("bundle", "sha256 of bundle.json"), [("engine", "0f" * 32)])


def made() -> str:
    """Return the page of a small report; its pictures are their titles' bytes."""
    section = Section("Some numbers", "Read < this, `by name <i>`", [TABLE, PLOT, MATRIX, EXAMPLE])
    report = Report(
        "Title", {"engine": "0f" * 32}, [Proportion("headline", 1, 2)], [Number("other", 3.0, 5)], {}, [section], [RAN]
    )

    def draw(item: Item) -> bytes:
        return item.title.encode()

    return page(report, draw)


def test_nothing_is_loaded_from_anywhere() -> None:
    text = made()
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert "<script" not in text
    assert "url(" not in text


def test_every_number_stands_there_with_its_size_and_interval() -> None:
    text = made()
    assert "1/2 = 0.500</span> <small>0.013 to 0.987</small>" in text
    assert "3/4 = 0.750</span> <small>0.194 to 0.994</small>" in text
    assert "1.20e-04</span> <small>n = 7, 0.100 to 0.200</small>" in text
    assert "0/9</span> <small>0.000 to 0.336</small>" in text
    assert "<td>10,850</td>" in text
    assert "0f" * 32 in text
    assert "nan" not in text.lower().replace("nanm", "")


def test_what_comes_from_data_is_escaped() -> None:
    text = made()
    assert "text &lt;i&gt;" in text
    assert "a &amp; b" in text
    assert "A spectrum &lt;b&gt;" in text
    assert "Read &lt; this, <code>by name &lt;i&gt;</code>" in text


def test_links_lead_to_the_sections() -> None:
    text = made()
    for anchor in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{anchor}"' in text


def test_what_ran_stands_at_the_end_and_counts_as_a_section() -> None:
    text = made()
    links = re.search("<nav>(.*)</nav>", text)
    assert links is not None
    assert f"{links.group(1).count('<a ')} sections." in text
    assert text.index('<h2 id="ran">') < text.index("<h3>Bundles</h3>") < text.index("0f" * 32)
