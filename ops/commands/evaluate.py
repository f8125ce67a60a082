"""``specstream evaluate``: the bundles against real spectra and held-out simulations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from classifiers.suite import default_bundles, suites
from classifiers.training.evaluation.document import Report
from classifiers.training.evaluation.evaluate import SIMULATED_N, anomaly_engine, evaluate_fully
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
        if lanes["image"].engines() and (data / "alerts").is_dir():
            bar.update(task, description="image alerts")
            images = evaluate_images(lanes["image"], real_alerts(data / "alerts"))
            digests = {**report.engines, **images.engines}
            report = replace(report, engines=digests, sections=[*report.sections, as_section(images)])
    output().print(report.to_markdown(), markup=False)
    if to is not None:
        _write(report, to, alone)


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
