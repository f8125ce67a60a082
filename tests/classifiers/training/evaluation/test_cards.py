"""Model cards: those that ship are what the code makes of the bundles that ship; numbers belong to their weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.suite import MODELS, default_bundles
from classifiers.training.evaluation.cards import model_card

EVALUATION = json.loads((MODELS / "evaluation.json").read_text(encoding="utf-8"))
NARROWBAND = json.loads((MODELS / "jpas-evaluation.json").read_text(encoding="utf-8"))
AGAIN = (
    "specstream evaluate -o classifiers/models/evaluation.json; specstream bundles cards -o classifiers/models/cards"
)


@pytest.mark.parametrize("folder", default_bundles(), ids=lambda folder: folder.name)
def test_the_card_that_ships_is_up_to_date(folder: Path) -> None:
    bundle = load_bundle(folder)
    card = (MODELS / "cards" / f"{bundle.manifest.name}.md").read_text(encoding="utf-8")
    assert card == model_card(bundle, EVALUATION, NARROWBAND), f"make it again: {AGAIN}"


def test_every_card_belongs_to_a_bundle_that_ships() -> None:
    names = {load_bundle(folder).manifest.name for folder in default_bundles()}
    assert {path.stem for path in (MODELS / "cards").glob("*.md")} == names


def test_the_evaluation_that_ships_is_of_the_weights_that_ship() -> None:
    shipped = {bundle.manifest.name: bundle.sha256 for bundle in map(load_bundle, default_bundles())}
    assert EVALUATION["engines"], f"make it again: {AGAIN}"
    assert {name: shipped.get(name) for name in EVALUATION["engines"]} == EVALUATION["engines"], AGAIN
    assert NARROWBAND["bundle"] == shipped["jpas-qso-finder"], "make it again: classifiers.training.narrowband.real"


def test_the_evaluation_that_ships_shows_the_mocks_of_the_narrow_band_weights_that_ship() -> None:
    """And real spectra through bands as the file beside it has them, which belongs to these weights."""
    (section,) = (each for each in EVALUATION["sections"] if each["title"] == "J-PAS pseudo-spectra")
    items = {item["title"]: item for item in section["items"]}
    balanced = load_bundle(MODELS / "jpas-qso-finder").manifest.metrics["balanced"]
    for key, name in (("with_missing_bands", "as observed"), ("all_bands", "all bands there")):
        assert items[f"Classes of mocks, {name}"]["counts"] == balanced[key]["confusion"], AGAIN
    rows = {row[0]: row[1:] for row in items["Real spectra seen through the bands"]["rows"]}
    for r, found in NARROWBAND["real_spectra"]["by_r"].items():
        shown = {cell["name"]: (cell["successes"], cell["n"]) for cell in rows[f"r = {r}"]}
        for name in ("QSO", "GALAXY", "STAR", "unknown"):
            assert shown[name] == (found[name]["right"], found[name]["n"]), AGAIN


def test_the_card_of_pseudo_spectra_has_purity_on_the_sky_and_real_spectra_of_its_own_weights_alone() -> None:
    bundle = load_bundle(MODELS / "jpas-qso-finder")
    card = model_card(bundle, None, NARROWBAND)
    purity = NARROWBAND["mocks"]["on_the_sky"]["by_magnitude"]["r 16 to 23.5"]["all_sources"]["0.8"]["purity"]
    (row,) = (line for line in card.splitlines() if line.startswith("| r 16 to 23.5 |") and f" {purity} |" in line)
    assert row.count("|") == 8
    found = NARROWBAND["real_spectra"]["by_r"]["21"]["QSO"]
    assert f"| 21 | QSO | {found['right']}/{found['n']} |" in card
    other = model_card(bundle, None, {**NARROWBAND, "bundle": "0" * 64})
    assert "No evaluation on real spectra belongs to these weights." in other
    assert f"{found['right']}/{found['n']}" not in other


def test_a_card_has_data_digests_seed_numbers_and_limits() -> None:
    bundle = load_bundle(MODELS / "spectral-classifier")
    measured = {
        "engines": {"spectral-classifier": bundle.sha256},
        "title": "A test",
        "proportions": [
            {"name": "QSO recall", "successes": 9, "n": 10, "value": 0.9, "interval_95": [0.555, 0.997]},
            {"name": "baseline: x", "successes": 1, "n": 2, "value": 0.5, "interval_95": [0.1, 0.9]},
        ],
        "numbers": [],
    }
    card = model_card(bundle, measured)
    assert bundle.sha256 in card
    assert all(digest in card for digest in bundle.manifest.files.values())
    assert bundle.manifest.training.command in card
    assert "| QSO recall | 9/10 = 0.900 | 0.555 to 0.997 |" in card
    assert "baseline" not in card
    assert "## Limits" in card
    assert "nominal" in card


def test_the_card_of_the_vae_has_what_its_own_p_value_finds_and_its_map_and_nothing_of_the_classifier() -> None:
    bundle = load_bundle(MODELS / "spectral-anomaly")

    def share(name: str, successes: int) -> dict[str, object]:
        value = successes / 10
        return {"name": name, "successes": successes, "n": 10, "value": value, "interval_95": [0.1, 0.9]}

    kinds = ["kind", "unknown", "VAE p <= 0.01"]
    rows = [
        [kind, share("unknown", 9), share("VAE p <= 0.01", n)] for kind, n in (("SKY (real)", 3), ("supernovae", 4))
    ]
    kept = [["real", "map", {"name": "trustworthiness", "value": 0.95, "n": 437, "interval": None}]]
    sections = [
        ("Unknown", "Detected at the declared rate, by kind", kinds, rows),
        ("Map", "How well neighbours are kept", ["sample", "shown by", "trustworthiness, k = 15"], kept),
        ("Simulated 4MOST exposure", "Detected at the declared rate, by kind", kinds, [["not me", *rows[0][1:]]]),
    ]
    measured = {
        "engines": {"spectral-anomaly": bundle.sha256},
        "title": "A test",
        "proportions": [
            share("VAE p <= 0.01, known objects", 1),
            share("unknown: M stars", 8),
            share("blank sky as NO_SIGNAL", 7),
            share("false unknown as NOVEL, known objects", 6),
        ],
        "numbers": [],
        "sections": [
            {"title": section, "items": [{"title": table, "columns": columns, "rows": found}]}
            for section, table, columns, found in sections
        ],
    }
    card = model_card(bundle, measured)
    assert "| VAE p <= 0.01, known objects | 1/10 = 0.100 | 0.100 to 0.900 |" in card
    assert "| VAE p <= 0.01: SKY (real) | 3/10 = 0.300 | 0.100 to 0.900 |" in card
    assert "| VAE p <= 0.01: supernovae | 4/10 = 0.400 | 0.100 to 0.900 |" in card
    assert "| map: trustworthiness, k = 15, real | 0.95 (n = 437) |  |" in card
    for other in ("M stars", "NO_SIGNAL", "false unknown", "not me"):
        assert other not in card
    classifier = load_bundle(MODELS / "spectral-classifier")
    own = model_card(classifier, {**measured, "engines": {"spectral-classifier": classifier.sha256}})
    assert "| unknown: M stars | 8/10 = 0.800 | 0.100 to 0.900 |" in own
    assert "VAE p" not in own.split("## Numbers")[1]


def test_numbers_of_other_weights_are_never_shown() -> None:
    bundle = load_bundle(MODELS / "spectral-classifier")
    other = {**EVALUATION, "engines": {"spectral-classifier": "0" * 64}}
    assert "No evaluation on real data belongs to these weights" in model_card(bundle, other)
    assert "No evaluation on real data belongs to these weights" in model_card(bundle)


def test_the_card_of_alert_stamps_says_what_stamps_it_takes_and_nothing_of_spectra() -> None:
    card = model_card(load_bundle(MODELS / "stamp-anomaly"))
    holds = card.split("## Where it holds")[1].split("## ")[0]
    assert "difference" in holds
    assert not {"DISPERSED", "VACUUM", "grid"} & set(holds.replace(",", " ").split())


def test_names_of_classes_keep_their_underscores_in_a_card() -> None:
    card = model_card(load_bundle(MODELS / "spectral-classifier"))
    assert "| class prior GALAXY_nan |" in card
    assert "GALAXY nan" not in card
