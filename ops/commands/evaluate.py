"""``specstream evaluate``: the bundles against real spectra and held-out simulations."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from classifiers.bundle.folder import WEIGHTS_FILE, load_bundle
from classifiers.classifier import EngineUse
from classifiers.loaded import LoadedEngine, load_engines
from classifiers.narrowband.suite import NARROWBAND_ROLE
from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.opening import PLACES, RuntimeOptions, open_engines
from classifiers.suite import default_bundles, suites
from classifiers.training.calibration import DEFAULT_N
from classifiers.training.evaluation.answers import GROUPS
from classifiers.training.evaluation.document import Report, Section
from classifiers.training.evaluation.evaluate import SIMULATED_N, anomaly_engine, evaluate_fully
from classifiers.training.evaluation.left_out import FILE, LeaveOneOut
from classifiers.training.evaluation.left_out import SHIPPED as LEFT_OUT_FILE
from classifiers.training.evaluation.map_quality import map_quality
from classifiers.training.evaluation.other_samples import HELD_OUT_SEED, simulated
from classifiers.training.evaluation.ran import Drawn, folder_digest, ran, real_inputs
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.evaluation.worst import Reconstruct
from classifiers.training.narrowband.real import evaluate_real, mock_depths
from classifiers.training.narrowband.remeasured import remeasured
from classifiers.training.narrowband.section import narrowband
from classifiers.training.recalibrating import recalibrated
from classifiers.training.stamps.evaluate import SIMULATED_N as SIMULATED_ALERTS
from classifiers.training.stamps.evaluate import SIMULATED_SEED as ALERTS_SEED
from classifiers.training.stamps.evaluate import as_section, evaluate_images
from ops.commands.options import DATA_DEFAULT, DataFolder, one_of
from ops.console import messages, output, progress_bar
from ops.engines import load_configured
from ops.plots.report import draw
from ops.plots.spectrum import load_matplotlib
from ops.real_alerts import real_alerts
from ops.report_page import page
from stream.errors import ConfigurationError
from stream.settings import load_settings

PAGE, NUMBERS, TABLE, COPIES = "report.html", "report.json", "report.md", "bundles"
_MAP_SIMULATIONS = 2048
_PACKAGES = ("onnxruntime", "numpy")


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
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help=f"Train small classifiers without each survey anew (some 10 to 30 minutes, needs the extra train) and "
            f"write {FILE} too; else what the shipped file says is shown.",
        ),
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option(
            help=f"Compute on this runtime: copies of the bundles with calibrations of their own for it go to "
            f"OUTPUT/{COPIES}, and are what is scored."
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Its number format: fp32, tf32, fp16 or bf16.")] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cuda or cpu.")] = "auto",
    held_out: Annotated[
        int | None, typer.Option(min=6144, help="Held-out simulations for these calibrations; none: as in training.")
    ] = None,
) -> None:
    """Score the bundles on real spectra and held-out simulations, beside classical baselines.

    Prints the headline table; with `--output` a page with all pictures and tables, and the same numbers as JSON. With
    `--runtime` it calibrates for that runtime first.

    Example: `specstream evaluate --data ../shared/data --output report`
    """  # fmt: skip
    if not (data / "spectra" / "real_spectra.npz").is_file():
        raise ConfigurationError(f"--data: expected a folder with spectra/real_spectra.npz, received {data}")
    alone = to is not None and to.suffix.lower() == ".json"
    if to is not None:
        _make_folder(to.absolute().parent if alone else to)
        if not alone:
            load_matplotlib("--output")
    folders = list(bundles or default_bundles())
    if runtime is not None:
        if to is None or alone:
            raise ConfigurationError(f"--runtime: expected --output DIR, for the bundles that are calibrated; got {to}")
        cache = load_settings(None).engines.cache
        options = RuntimeOptions(
            runtime, one_of("--dtype", dtype, DTYPES), one_of("--device", device, PLACES), cache=cache
        )
        folders = _recalibrated(folders, to / COPIES, options, held_out)
    chosen: dict[str, Any] = {"bundles": tuple(str(folder) for folder in folders)}
    if runtime is not None:
        chosen |= {"runtime": runtime, "dtype": dtype, "device": device}
    settings = load_settings(None)
    settings = settings.model_copy(update={"engines": settings.engines.model_copy(update=chosen)})
    engines, threads = load_configured(settings)
    lanes = suites(engines, threads)
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=100)

        def advance(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=round(100 * fraction))

        unseen = _left_out(data / "spectra", advance if leave_one_out else None)
        anomaly = anomaly_engine(engines)
        report = evaluate_fully(
            lanes["spectrum"],
            data / "spectra",
            anomaly,
            advance,
            simulations,
            _reconstruct(anomaly),
            unseen,
        )
        bar.update(task, description="map")
        report = replace(report, sections=[*report.sections, *_map(anomaly, data / "spectra")])
        bar.update(task, description="pseudo-spectra")
        pseudo = _narrowband(engines, data / "spectra")
        report = replace(report, sections=[*report.sections, *pseudo])
        uses = [*lanes["spectrum"].engines(), *(_narrowband_uses(engines) if pseudo else ())]
        drawn = [Drawn("spectra of all instruments", simulations, HELD_OUT_SEED)]
        inputs = {f"spectra/{name}": digest for name, digest in real_inputs(data / "spectra").items()}
        if lanes["image"].engines() and (data / "alerts").is_dir():
            bar.update(task, description="image alerts")
            images = evaluate_images(lanes["image"], real_alerts(data / "alerts"))
            report = replace(report, sections=[*report.sections, as_section(images)])
            uses += lanes["image"].engines()
            drawn.append(Drawn("image alerts", SIMULATED_ALERTS, ALERTS_SEED))
            inputs["alerts, digests and names of all files"] = folder_digest(data / "alerts")
        versions = {name: str(importlib.import_module(name).__version__) for name in _PACKAGES}
        digests = {use.name: use.bundle_sha256 for use in uses}
        report = replace(report, engines=digests, ran=ran(uses, versions, drawn, inputs))
    output().print(report.to_markdown(), markup=False)
    if to is not None:
        _write(report, to, alone, unseen if leave_one_out else None)


def _recalibrated(folders: Sequence[Path], to: Path, options: RuntimeOptions, held_out: int | None) -> list[Path]:
    """Return the folders of copies that are calibrated for a runtime."""
    open_engines([load_bundle(folder) for folder in folders], options)  # refuses in seconds what it would refuse later
    with progress_bar() as bar:
        task = bar.add_task("calibrating", total=100)

        def advance(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=round(100 * fraction))

        copies = recalibrated(folders, to, options, advance, held_out or DEFAULT_N)
    for copy in copies:
        messages().print(f"wrote {copy}", markup=False, soft_wrap=True)
    return copies


def _left_out(spectra_folder: Path, progress: Callable[[str, float], None] | None) -> LeaveOneOut:
    """Return the shipped numbers of surveys left out of training, or with a progress new ones."""
    if progress is None:
        return LeaveOneOut.from_json(LEFT_OUT_FILE.read_text(encoding="utf-8"))
    try:
        from classifiers.training.leave_one_out.training import leave_one_out
    except ImportError as error:
        raise ConfigurationError(
            "--leave-one-out: expected torch, not found: in specstream's checkout pip install '.[train]'"
        ) from error
    return leave_one_out(spectra_folder, progress=progress)


def _reconstruct(anomaly: LoadedEngine | None) -> Reconstruct | None:
    """Return what reconstructs spectra; None where there are no weights or no torch."""
    if anomaly is None or WEIGHTS_FILE not in anomaly.bundle.manifest.files:
        return None
    try:
        from classifiers.training.reconstruction import reconstructing
    except ImportError:
        return None
    return reconstructing(anomaly.bundle.folder)


def _narrowband(engines: Sequence[LoadedEngine], spectra_folder: Path) -> list[Section]:
    """Return the section on pseudo-spectra, where a bundle for them holds what its training measured."""
    bundles = [each.bundle for each in engines if each.bundle.manifest.role == NARROWBAND_ROLE]
    return [
        narrowband(
            bundle.manifest.metrics,
            remeasured(bundle.folder),
            evaluate_real(bundle.folder, spectra_folder),
            mock_depths(),
        )
        for bundle in bundles
        if "on_the_sky" in bundle.manifest.metrics
    ]


def _narrowband_uses(engines: Sequence[LoadedEngine]) -> list[EngineUse]:
    """Return how pseudo-spectra are computed: whatever was asked for, ``evaluate_real`` opens their bundle anew."""
    folders = [each.bundle.folder for each in engines if each.bundle.manifest.role == NARROWBAND_ROLE]
    return [loaded.use() for loaded in load_engines(folders)]


def _map(anomaly: LoadedEngine | None, spectra_folder: Path) -> list[Section]:
    """Return the section on the latent map; none, and a word on it, where torch is not there to compute the latent."""
    if anomaly is None or WEIGHTS_FILE not in anomaly.bundle.manifest.files:
        return []
    try:
        from classifiers.training.latent_map.shown import shown
    except ImportError:
        messages().print(
            "no section on the map, and no reconstructions beside the worst errors: both need torch: in specstream's "
            "checkout pip install '.[train]'",
            markup=False,
        )
        return []
    samples = {"simulated": simulated(_MAP_SIMULATIONS), "real": real_spectra(spectra_folder)}
    mapped = {}
    for name, sample in samples.items():
        known = [(item, label) for item, label in zip(*sample, strict=True) if label.group in GROUPS]
        classes = [label.class_name or "" for _, label in known]
        mapped[name] = replace(shown(anomaly, [item for item, _ in known]), classes=classes)
    return [map_quality(mapped, "simulated")]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output: cannot make folder {folder}: {error.strerror or error}") from error


def _write(report: Report, to: Path, alone: bool, unseen: LeaveOneOut | None) -> None:
    texts = {to: report.to_json() + "\n"}
    if not alone:
        texts = {to / PAGE: page(report, draw), to / NUMBERS: report.to_json() + "\n", to / TABLE: report.to_markdown()}
    if unseen is not None:
        texts[(to.parent if alone else to) / FILE] = unseen.to_json()
    for path, text in texts.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--output: cannot write {path}: {error.strerror or error}") from error
        messages().print(f"wrote {path}", markup=False, soft_wrap=True)
