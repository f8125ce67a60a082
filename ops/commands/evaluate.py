"""``specstream evaluate``: the bundles against real spectra."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from classifiers.training.evaluate import evaluate as evaluate_spectra

from classifiers.suite import default_bundles
from ops.commands.options import DATA_DEFAULT, DataFolder, check_output_file
from ops.console import messages, output
from ops.engines import open_classifiers
from stream.errors import ConfigurationError
from stream.settings import load_settings


def evaluate(
    data: DataFolder = DATA_DEFAULT,
    bundles: Annotated[
        list[Path] | None, typer.Option("--bundle", metavar="DIR", help="Bundle folders; none: those that ship.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write the report as JSON.")
    ] = None,
) -> None:
    """Score the bundles on real spectra, with sample sizes and exact binomial intervals.

    Example: `specstream evaluate --data ../shared/data --output report.json`
    """
    if not (data / "spectra" / "real_spectra.npz").is_file():
        raise ConfigurationError(f"--data: expected a folder with spectra/real_spectra.npz, received {data}")
    check_output_file("--output", to)
    folders = [str(folder) for folder in bundles or default_bundles()]
    settings = load_settings(None)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update={"bundles": tuple(folders)})})
    classifiers = open_classifiers(settings)
    with messages().status("classifying real spectra"):
        report = evaluate_spectra(classifiers["spectrum"], data / "spectra")
    output().print(report.to_markdown(), markup=False)
    if to is not None:
        to.write_text(report.to_json() + "\n", encoding="utf-8")
