"""``specstream simulate``, ``train`` and ``evaluate``: the science behind the bundles."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from classifiers.suite import default_bundles

from ops.commands.options import OptionalConfigFile
from ops.console import messages, output, progress_bar
from ops.patience import patiently
from ops.simulated import FORMS, publish_simulation
from ops.wiring import open_classifiers, open_codec, open_entry
from stream.errors import ConfigurationError
from stream.settings import load_settings
from stream.transports.url import parse_topic_url

DATA_DEFAULT = Path("../shared/data")
DataFolder = Annotated[
    Path, typer.Option("--data", envvar="SPECSTREAM_DATA", metavar="DIR", help="Folder of templates and real spectra.")
]


class Form(StrEnum):
    """What is simulated."""

    SDSS = "sdss"
    FOURMOST_LRS = "4most-lrs"
    FOURMOST_HRS = "4most-hrs"
    EXPOSURE = "4most-exposure"
    ALERTS = "alerts"


def simulate(
    to: Annotated[
        str | None, typer.Option("--to", metavar="TOPIC_URL", help="kafka://HOST:PORT/TOPIC or file:FOLDER/TOPIC.")
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many; 4most-exposure has its own.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 1,
    form: Annotated[Form, typer.Option(help="Which instrument, or image alerts.")] = Form.SDSS,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the truth as CSV.")] = None,
    build_basis: Annotated[
        bool, typer.Option("--build-basis", help="Derive the simulator's basis from the templates in --data instead.")
    ] = False,
    data: DataFolder = DATA_DEFAULT,
    config: OptionalConfigFile = None,
) -> None:
    """Simulate spectra or alerts as a survey would deliver them, into a topic.

    Example: `specstream simulate --to file:night/specstream.l1.spectrum -n 500 --seed 7 --truth truth.csv`
    """
    if build_basis:
        _build_basis(data)
        return
    if to is None:
        raise ConfigurationError("--to: expected a TOPIC_URL (or --build-basis), received nothing")
    settings = load_settings(config)
    topic = parse_topic_url(to)
    codec = open_codec(settings)
    identity = f"simulate.{topic.topic}.{form}.{seed}"
    publisher = patiently(lambda: open_entry(settings, topic, identity))
    try:
        with progress_bar() as bar:
            task = bar.add_task(f"simulating {form}", total=None)
            truths = publish_simulation(
                publisher, topic.topic, codec, FORMS[form], number, seed, lambda done, of: bar.update(
                    task, completed=done, total=of
                )
            )  # fmt: skip
    finally:
        publisher.close()
    messages().print(f"{len(truths)} simulated records in {to}", markup=False)
    if truth is not None:
        with truth.open("w", newline="", encoding="utf-8") as file:
            rows = [dataclasses.asdict(item) for item in truths]
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)


def _build_basis(data: Path) -> None:
    from classifiers.training.simulation.basis import SHIPPED
    from classifiers.training.simulation.building import build_basis

    if not (data / "spectra").is_dir():
        raise ConfigurationError(f"--data: expected a folder with templates in spectra/, received {data}")
    with messages().status("deriving the simulator's basis"):
        build_basis(data / "spectra", SHIPPED)
    messages().print(f"wrote {SHIPPED} ({SHIPPED.stat().st_size / 1e6:.1f} MB)", markup=False)


def _training_progress(description: str) -> tuple[Callable[..., None], Callable[[], None]]:
    bar = progress_bar()
    bar.start()
    task = bar.add_task(description, total=None)

    def report(step: str, fraction: float) -> None:
        bar.update(task, description=f"{description}: {step}", completed=round(100 * fraction), total=100)

    return report, bar.stop


def train(
    bundle: Annotated[str, typer.Argument(help="spectral-classifier, spectral-anomaly, qso-finder or stamp-anomaly.")],
    to: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write the bundle to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights on the same machine.")] = 1,
    number: Annotated[int | None, typer.Option("--number", "-n", min=256, help="Simulations to train on.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over them.")] = None,
) -> None:
    """Train a bundle on forward simulations (needs the extra `train`).

    Example: `specstream train qso-finder --output my-bundles/qso-finder --seed 3`
    """
    try:
        from ops.training import DEFAULTS, train_named
    except ImportError as error:
        raise ConfigurationError("train: expected torch, not found: pip install 'specstream[train]'") from error
    if bundle not in DEFAULTS:
        raise ConfigurationError(f"train: expected one of {', '.join(DEFAULTS)}, received {bundle!r}")
    report, end = _training_progress(f"training {bundle}")
    try:
        train_named(bundle, seed, number, epochs, to, report)
    finally:
        end()
    messages().print(f"wrote {to}; check it with: specstream bundles verify {to}", markup=False)


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
    from classifiers.training.evaluate import evaluate as evaluate_spectra

    if not (data / "spectra" / "real_spectra.npz").is_file():
        raise ConfigurationError(f"--data: expected a folder with spectra/real_spectra.npz, received {data}")
    folders = [str(folder) for folder in bundles or default_bundles()]
    settings = load_settings(None)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update={"bundles": tuple(folders)})})
    classifiers = open_classifiers(settings)
    with messages().status("classifying real spectra"):
        report = evaluate_spectra(classifiers["spectrum"], data / "spectra")
    output().print(report.to_markdown(), markup=False)
    if to is not None:
        to.write_text(report.to_json() + "\n", encoding="utf-8")
