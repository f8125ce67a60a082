"""Model cards: what a bundle is, made from, calibrated on, measured at, and not good for; from its files alone.

Numbers come from an evaluation only where that evaluation was of these very weights (equal digests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.folder import Bundle
from classifiers.bundle.manifest import Domain, Manifest
from classifiers.score_recalibration import LANES
from classifiers.training.evaluation.narrowband_card import narrowband_numbers

_PURPOSE = {
    "spectral_classifier": "class probabilities, redshift and the ingredients of the unknown flag, from spectra",
    "anomaly": "an anomaly score with its p-value, each pixel's part in it, and a place on a map, from spectra",
    "qso": "the probability of a quasar and of one above a redshift threshold, its redshift and broad absorption",
    "narrowband": "probabilities of low and high redshift quasar, galaxy and star, redshift and an anomaly score, from "
    "pseudo-spectra of dozens of bands",
    "image_anomaly": "an anomaly score with its p-value, and classes where it names them, from alert stamps",
}
_LIMITS = {
    "spectral_classifier": (
        "Radial velocities are measured beside the graph with templates of the seven types: other stars have none.",
        "Subclasses of galaxies and of quasars depend on S/N, as the surveys' own do: a faint line is no line.",
        "Rare classes have few real spectra: read the intervals before the values.",
    ),
    "anomaly": (
        "A high score says that the spectrum is unlike the simulations, which a fault of the instrument is too.",
        "Lines are drawn at one redshift, the classifier's: where that is wrong, they are drawn at wrong places, and "
        "contribute. Very narrow and very strong ones are drawn in part.",
        "The Lyman-alpha forest is expected to differ: what is strange there counts less.",
        "A transient in the light of a galaxy is missed the more often, the smaller its part of the light is.",
    ),
    "qso": ("The probability is that of the training mixture: apply the prior of your targets before a cut.",),
    "narrowband": (
        "Probabilities are those of the training mixture: apply the prior of your field before a cut.",
        "Mocks are of the templates, depths and counts that it was trained on.",
        "No measured J-PAS photometry has been seen: point-spread functions, blends and apertures are not simulated.",
    ),
    "image_anomaly": (
        "The score knows simulated subtraction residuals only; surveys differ in theirs.",
        "NOVEL is taught with made-up shapes: it finds trails and comets that it has never seen, but hardly a cosmic "
        "ray or a bad column (their class is ARTEFACT), nor a wave over the whole stamp.",
    ),
}
_SHAPES_ALONE = "no weight and no calibration was fitted to any; simulated noise and masks have the shapes of real ones"
_CHOSEN = f"{_SHAPES_ALONE}, and choices were made after a look at development spectra"
_REAL_DATA = {
    "spectral_classifier": f"{_CHOSEN}: classifiers/training/evaluation/headline.py lists them",
    "anomaly": f"{_CHOSEN}: how much the score weighs beside the classifier's (classifiers/verdict/calibrate.py)",
    "image_anomaly": "no weight and no calibration was fitted to any; hosts have the structure of 48 real galaxies",
}
_MINE: Mapping[str, Callable[[str], bool]] = {
    "spectral_classifier": lambda name: not name.startswith(("QSO finder", "baseline", "VAE p")),
    "anomaly": lambda name: name.startswith("VAE p"),
    "qso": lambda name: name.startswith("QSO finder"),
}


_RECALIBRATED = ("spectral_classifier", *LANES)
_DAMAGE = ("unknown", "confident errors", "confident errors of the 13 classes")


def model_card(
    bundle: Bundle, evaluation: Mapping[str, Any] | None = None, narrowband: Mapping[str, Any] | None = None
) -> str:
    """Return the card of a bundle as markdown.

    Args:
        bundle: verified.
        evaluation: a report's JSON; its numbers count where it names this bundle with this digest.
        narrowband: what real spectra seen through bands said (``classifiers.training.narrowband.real``), likewise.
    """
    manifest = bundle.manifest
    purpose = _PURPOSE.get(manifest.role, manifest.role.replace("_", " "))
    lines = [f"# {manifest.name} {manifest.version}", "", f"Answers with {purpose}.", ""]
    lines += _pairs(_identity(bundle))
    lines += ["", "## Data", "", *_pairs(_data(manifest))]
    lines += ["", "## Calibration", ""]
    for key in sorted(bundle.calibrations):
        lines += _pairs(_calibration(bundle.calibrations[key]))
    lines += ["", "## Where it holds", "", *_pairs(_domain(manifest.domain, manifest.role))]
    if manifest.role == "narrowband" and "on_the_sky" in manifest.metrics:
        mine = narrowband is not None and narrowband["bundle"] == bundle.sha256
        real = narrowband["real_spectra"] if narrowband is not None and mine else None
        lines += ["", "## Numbers", "", *narrowband_numbers(manifest.metrics, real)]
    else:
        lines += ["", "## Numbers", "", *_numbers(bundle, evaluation)]
    lines += ["", "## Limits", ""]
    lines += [f"- {limit}" for limit in _limits(bundle)]
    return "\n".join(lines) + "\n"


def _pairs(pairs: Iterator[tuple[str, str]]) -> list[str]:
    return ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in pairs)]


def _identity(bundle: Bundle) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    yield "role", manifest.role
    yield "architecture", manifest.architecture
    yield "sha256 of bundle.json", f"`{bundle.sha256}`"
    for name, digest in sorted(manifest.files.items()):
        yield name, f"`{digest}`"
    if manifest.class_names:
        yield f"classes ({manifest.class_scheme})", ", ".join(manifest.class_names)
    if manifest.other_types:
        yield "recognised outside them", ", ".join(manifest.other_types)
    yield "outputs", ", ".join(tensor.name for tensor in manifest.outputs)


def _data(manifest: Manifest) -> Iterator[tuple[str, str]]:
    training = manifest.training
    yield "made by", f"`{training.command}`"
    yield "seed", str(training.seed)
    for name, value in training.settings.items():
        yield name.replace("_", " "), str(value)
    for name, digest in training.data.items():
        yield name, f"`{digest}`"
    yield "prior", manifest.prior_id
    yield "real data", _REAL_DATA.get(manifest.role, _SHAPES_ALONE)


def _calibration(calibration: Calibration) -> Iterator[tuple[str, str]]:
    yield "id", calibration.id
    yield "runtime", f"{calibration.runtime} {calibration.dtype}"
    promise = "guaranteed" if calibration.domain == "SURVEY" else "nominal"
    yield "domain", f"{calibration.domain}: the declared rate is {promise}"
    yield "objects", str(calibration.n)
    if calibration.other_rate:
        yield "declared rate", f"{calibration.alpha:g}"
        parts = f"{calibration.novel_rate:g}, {calibration.other_rate:g}"
        yield "of it NOVEL, OTHER_KNOWN", f"{parts}, each with confidence {calibration.confidence:g}"
    else:
        yield "declared rate", f"{calibration.alpha:g} with confidence {calibration.confidence:g}"
    yield "temperature", f"{calibration.temperature:.3f}"


def _domain(domain: Domain, role: str) -> Iterator[tuple[str, str]]:
    if role == "image_anomaly":
        yield "stamps", "science, template, difference; small ones are padded, large ones cut to their centre"
        yield "valid pixels", f"at least {domain.min_coverage:g} of a stamp"
        return
    yield "sampling", ", ".join(domain.samplings)
    yield "medium", ", ".join(domain.mediums)
    yield "coverage of the grid", f"at least {domain.min_coverage:g}, full from {domain.full_coverage:g}"
    if domain.min_resolving_power is not None or domain.max_resolving_power is not None:
        low, high = domain.min_resolving_power or 0.0, domain.max_resolving_power
        yield "resolving power", f"{low:g} to {high:g}" if high is not None else f"from {low:g}"
    for name, value in (
        ("S/N, at least", domain.min_snr),
        ("S/N, full from", domain.full_snr),
        ("S/N, at most", domain.max_snr),
    ):
        if value is not None:
            yield name, f"{value:g}"


def _numbers(bundle: Bundle, evaluation: Mapping[str, Any] | None) -> list[str]:
    lines = []
    if bundle.manifest.metrics:
        lines += ["From its training (simulations):", "", *_pairs(iter(_flat("", bundle.manifest.metrics))), ""]
    known = evaluation is not None and evaluation["engines"].get(bundle.manifest.name) == bundle.sha256
    title, entries = _measured(bundle.manifest.role, evaluation) if evaluation is not None and known else ("", [])
    if not entries:
        return [*lines, "No evaluation on real data belongs to these weights."]
    lines += [f"{title}:", "", "| measure | value | 95 % interval |", "| --- | --- | --- |"]
    lines += [_row(entry) for entry in entries if entry["n"]]
    return lines + (_damage(evaluation) if bundle.manifest.role == "spectral_classifier" and evaluation else [])


def _damage(evaluation: Mapping[str, Any]) -> list[str]:
    """Return what bad input does, as a table; nothing where the evaluation has no such section."""
    sections = [each for each in evaluation.get("sections", ()) if each["title"] == "Bad input"]
    tables = [table for each in sections for table in each["items"]]
    lines = []
    for table in tables:
        places = [table["columns"].index(name) for name in _DAMAGE]
        lines += [f"| {row[0]} | {' | '.join(_share(row[place]) for place in places)} |" for row in table["rows"]]
    heads = ["", "Known objects, damaged:", "", f"| damage | {' | '.join(_DAMAGE)} |", "| --- | --- | --- | --- |"]
    return [*heads, *lines] if lines else []


def _share(entry: Mapping[str, Any]) -> str:
    return f"{entry['successes']}/{entry['n']}"


def _measured(role: str, evaluation: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]]:
    """Return what was evaluated and the proportions and numbers that speak of a role."""
    if role == "image_anomaly":
        sections = [each for each in evaluation.get("sections", ()) if each["title"].startswith("Image alerts")]
        tables = [item for each in sections for item in each["items"] if "rows" in item and "columns" in item]
        cells = [row[1] for table in tables for row in table["rows"] if isinstance(row[-1], dict)]
        return (sections[0]["title"] if sections else ""), cells
    mine = _MINE.get(role)
    if mine is None:
        return "", []
    numbers = evaluation["numbers"] if role == "spectral_classifier" else []
    found = [each for each in (*evaluation["proportions"], *numbers) if mine(each["name"])]
    return evaluation["title"], found + (list(_of_the_vae(evaluation)) if role == "anomaly" else [])


def _of_the_vae(evaluation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what its p-value alone detects, by kind, and how well its map keeps neighbours, where these are there."""
    for row, cells in _rows(evaluation, "Unknown", "Detected at the declared rate, by kind"):
        for column, cell in cells.items():
            if column.startswith("VAE p"):
                yield {**cell, "name": f"{column}: {row[0]}"}
    for row, cells in _rows(evaluation, "Map", "How well neighbours are kept"):
        for column, cell in cells.items():
            if column not in ("sample", "shown by"):
                yield {**cell, "name": f"{row[1]}: {column}, {row[0]}"}


def _rows(evaluation: Mapping[str, Any], section: str, table: str) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Yield the rows of a table, as they are and by the names of its columns; none where there is no such table."""
    for each in evaluation.get("sections", ()):
        for item in each["items"] if each["title"] == section else ():
            if item["title"] == table:
                yield from ((row, dict(zip(item["columns"], row, strict=True))) for row in item["rows"])


def _row(entry: Mapping[str, Any]) -> str:
    if "successes" in entry:
        low, high = entry["interval_95"]
        share = f"{_share(entry)} = {entry['value']:.3f}"
        return f"| {entry['name']} | {share} | {low:.3f} to {high:.3f} |"
    value = "none" if entry["value"] is None else f"{entry['value']:.3g}"
    interval = entry.get("interval")
    band = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
    return f"| {entry['name']} | {value} (n = {entry['n']}) | {band} |"


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for name, each in value.items() for pair in _flat(f"{prefix} {name}".strip(), each)]
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    words = (word.replace("_", " ") if word.islower() else word for word in prefix.split(" "))
    return [(" ".join(words), text)]


def _limits(bundle: Bundle) -> list[str]:
    limits = list(_LIMITS.get(bundle.manifest.role, ()))
    if any(calibration.domain == "SIMULATED" for calibration in bundle.calibrations.values()):
        until = " until a survey's own objects recalibrate" if bundle.manifest.role in _RECALIBRATED else ""
        limits.append(f"Calibrated on simulations: rates and p-values are nominal{until}.")
    scored = "alerts" if bundle.manifest.role == "image_anomaly" else "spectra"
    limits.append(f"The real {scored} that it is scored on are development data: their numbers are optimistic.")
    return limits
