"""``specstream evaluate``: the bundles against real spectra and held-out simulations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from classifiers.bundle.folder import WEIGHTS_FILE
from classifiers.loaded import LoadedEngine
from classifiers.suite import default_bundles, suites
from classifiers.training.evaluation.answers import GROUPS
from classifiers.training.evaluation.document import Report, Section
from classifiers.training.evaluation.evaluate import SIMULATED_N, anomaly_engine, evaluate_fully
from classifiers.training.evaluation.map_quality import map_quality
from classifiers.training.evaluation.other_samples import simulated
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.stamps.evaluate import as_section, evaluate_images
from ops.commands.options import DATA_DEFAULT, DataFolder
from ops.console import messages, output, progress_bar
from ops.engines import load_configured
from ops.plots.report import draw
from ops.plots.spectrum import load_matplotlib
from ops.real_alerts import real_alerts
from ops.report_page import page
from stream.errors import ConfigurationError
from stream.settings import load_settings

PAGE, NUMBERS, TABLE = "report.html", "report.json", "report.md"
_MAP_SIMULATIONS = 2048


def evaluate(
    data: DataFolder = DATA_DEFAULT,
    bundles: Annotated[
        list[Path] | None, typer.Option("--bundle", metavar="DIR", help="Bundle folders; none: those that ship.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help=f"Folder for {PAGE}, {NUMBERS} and {TABLE}; a name ending in .json: the numbers alone.",
        ),
    ] = None,
    simulations: Annotated[
        int, typer.Option(min=256, help="Size of the simulated held-out sample; its seed is fixed.")
    ] = SIMULATED_N,
) -> None:
    """Score the bundles on real spectra and held-out simulations, beside classical baselines.

    Prints the headline table; with `--output` a page with all pictures and tables, and the same numbers as JSON.

    Example: `specstream evaluate --data ../shared/data --output report`
    """  # fmt: skip
    if not (data / "spectra" / "real_spectra.npz").is_file():
        raise ConfigurationError(f"--data: expected a folder with spectra/real_spectra.npz, received {data}")
    alone = to is not None and to.suffix.lower() == ".json"
    if to is not None:
        _make_folder(to.absolute().parent if alone else to)
        if not alone:
            load_matplotlib("--output")
    folders = [str(folder) for folder in bundles or default_bundles()]
    settings = load_settings(None)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update={"bundles": tuple(folders)})})
    engines, threads = load_configured(settings)
    lanes = suites(engines, threads)
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=100)
        report = evaluate_fully(
            lanes["spectrum"],
            data / "spectra",
            anomaly_engine(engines),
            lambda stage, fraction: bar.update(task, description=stage, completed=round(100 * fraction)),
            simulations,
        )
        bar.update(task, description="map")
        report = replace(report, sections=[*report.sections, *_map(anomaly_engine(engines), data / "spectra")])
        if lanes["image"].engines() and (data / "alerts").is_dir():
            bar.update(task, description="image alerts")
            images = evaluate_images(lanes["image"], real_alerts(data / "alerts"))
            digests = {**report.engines, **images.engines}
            report = replace(report, engines=digests, sections=[*report.sections, as_section(images)])
    output().print(report.to_markdown(), markup=False)
    if to is not None:
        _write(report, to, alone)


def _map(anomaly: LoadedEngine | None, spectra_folder: Path) -> list[Section]:
    """Return the section on the latent map; none, and a word on it, where torch is not there to compute the latent."""
    if anomaly is None or WEIGHTS_FILE not in anomaly.bundle.manifest.files:
        return []
    try:
        from classifiers.training.latent_map.shown import shown
    except ImportError:
        messages().print("no section on the map: it needs torch: pip install 'specstream[train]'", markup=False)
        return []
    samples = {"simulated": simulated(_MAP_SIMULATIONS), "real": real_spectra(spectra_folder)}
    known = {
        name: [item for item, label in zip(spectra, labels, strict=True) if label.group in GROUPS]
        for name, (spectra, labels) in samples.items()
    }
    return [map_quality({name: shown(anomaly, spectra) for name, spectra in known.items()}, "simulated")]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output: cannot make folder {folder}: {error.strerror or error}") from error


def _write(report: Report, to: Path, alone: bool) -> None:
    texts = {to: report.to_json() + "\n"}
    if not alone:
        texts = {to / PAGE: page(report, draw), to / NUMBERS: report.to_json() + "\n", to / TABLE: report.to_markdown()}
    for path, text in texts.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--output: cannot write {path}: {error.strerror or error}") from error
        messages().print(f"wrote {path}", markup=False, soft_wrap=True)
