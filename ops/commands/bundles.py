"""``specstream bundles``: which model bundles there are, and whether they are intact and answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.bundle.manifest import Manifest
from classifiers.engine import Engine
from classifiers.errors import ClassifierError
from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.device.contract import DeviceLost
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import read_golden
from classifiers.runtimes.opening import PLACES, RuntimeOptions, open_engines
from classifiers.suite import MODELS, default_bundles
from classifiers.training.evaluation.cards import model_card
from ops.commands.compile import compile_engines
from ops.commands.options import BundleFolders, EngineCache, command_group, one_of
from ops.console import messages, output
from stream.errors import ConfigurationError

CHECK_FAILED, NOT_CHECKED = 1, 2
NARROWBAND_EVALUATION = MODELS / "jpas-evaluation.json"
"""What `python -m classifiers.training.narrowband.real` wrote of real spectra seen through the bands."""

app = command_group("Model bundles: what is there, whether it is intact.")
app.command("compile")(compile_engines)


@app.command("list")
def list_bundles(paths: BundleFolders = None) -> None:
    """List bundles with their role, version and what they answer.

    Example: `specstream bundles list`
    """
    table = Table(box=None, header_style="bold")
    for heading in ("name", "version", "role", "classes", "inputs", "size", "sha256 of bundle.json"):
        table.add_column(heading)
    for folder in paths or default_bundles():
        bundle = load_bundle(folder)
        manifest = bundle.manifest
        size_mb = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        read = _inputs(manifest)
        scheme = f"{manifest.class_scheme} ({len(manifest.class_names)})" if manifest.class_names else ""
        table.add_row(
            manifest.name, manifest.version, manifest.role, scheme, read, f"{size_mb:.1f} MB", bundle.sha256[:16]
        )
    output().print(table)


def _inputs(manifest: Manifest) -> str:
    """Return what a bundle reads, in a few words."""
    if manifest.bands:
        return f"{len(manifest.bands)} bands"
    return f"{manifest.grid.n} bins" if manifest.grid is not None else "x".join(map(str, manifest.stamp_shape or ()))


@app.command("verify")
def verify(
    paths: BundleFolders = None,
    runtime: Annotated[str, typer.Option(help="Runtime that answers the golden inputs.")] = "onnxruntime",
    dtype: Annotated[str, typer.Option(help="Its number format: fp32, tf32, fp16 or bf16.")] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cuda or cpu.")] = "auto",
    cache: EngineCache = None,
) -> None:
    """Check every file's digest, load the graph, and compare its answers to the golden outputs.

    Bundles that read the same are opened together, as in the service: what is verified is what serves. A bundle that
    fails any of these ends it with status 1, after the others were checked. What keeps bundles from being checked says
    nothing of them: a folder that is not there and a runtime that cannot serve end it with 2, before any is judged, a
    device too small for one with 2 after the others, a device that fails with 3.

    Example: `specstream bundles verify`
    """
    options = RuntimeOptions(runtime, one_of("--dtype", dtype, DTYPES), one_of("--device", device, PLACES), cache=cache)
    for folder in paths or ():
        if not folder.is_dir():
            raise ConfigurationError(f"BUNDLE: expected a bundle's folder, received {folder}")
    found: dict[Path, Bundle | ClassifierError] = {folder: _loaded(folder) for folder in paths or default_bundles()}
    engines = _engines([each for each in found.values() if isinstance(each, Bundle)], options)
    wrong: list[ClassifierError] = []
    for folder, bundle in found.items():
        answer = engines[bundle.folder] if isinstance(bundle, Bundle) else bundle
        if isinstance(bundle, Bundle) and not isinstance(answer, ClassifierError):
            output().print(f"{folder.name}: {_findings(bundle, answer)}", markup=False)
        elif isinstance(answer, ClassifierError):
            wrong.append(answer)
            messages().print(f"{folder}: {answer}", style="red", markup=False)
    if wrong:
        raise typer.Exit(CHECK_FAILED if any(isinstance(each, BundleError) for each in wrong) else NOT_CHECKED)


@app.command("cards")
def cards(
    to: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the cards, one file a bundle.")],
    paths: BundleFolders = None,
    evaluation: Annotated[
        Path, typer.Option(metavar="FILE", help="Numbers: report.json of `evaluate`; of other weights none is taken.")
    ] = MODELS / "evaluation.json",
) -> None:
    """Write a model card of each bundle: data, digests, seeds, numbers, limits.

    Example: `specstream bundles cards --output cards`
    """
    try:
        measured, narrowband = (
            json.loads(file.read_bytes()) if file.is_file() else None for file in (evaluation, NARROWBAND_EVALUATION)
        )
        to.mkdir(parents=True, exist_ok=True)
        for folder in paths or default_bundles():
            bundle = load_bundle(folder)
            path = to / f"{bundle.manifest.name}.md"
            path.write_text(model_card(bundle, measured, narrowband), encoding="utf-8")
            messages().print(f"wrote {path}", markup=False, soft_wrap=True)
    except OSError as error:
        raise ConfigurationError(f"--output: cannot write {to}: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"--evaluation: expected the JSON of `evaluate`, received {evaluation}") from error


def _loaded(folder: Path) -> Bundle | ClassifierError:
    """Return a bundle whose digests agree, or what is wrong with it."""
    try:
        return load_bundle(folder)
    except ClassifierError as error:
        return error


def _engines(bundles: Sequence[Bundle], options: RuntimeOptions) -> dict[Path, Engine | ClassifierError]:
    """Return what answers for each bundle, by folder: opened together as in the service, or what is wrong with it.

    Raises:
        RuntimeUnavailable: the runtime cannot serve.
        DeviceLost: the device failed.
    """
    try:
        opened = open_engines(bundles, options, messages().print).engines  # of none, too: is the runtime there?
        return {bundle.folder: engine for bundle, engine in zip(bundles, opened, strict=True)}
    except (RuntimeUnavailable, DeviceLost):
        raise  # it would serve no other bundle either
    except ClassifierError as error:
        if len(bundles) == 1:
            return {bundles[0].folder: error}
    apart: dict[Path, Engine | ClassifierError] = {}
    for bundle in bundles:
        apart |= _engines([bundle], options)
    return apart


def _findings(bundle: Bundle, engine: Engine) -> str:
    """Return what was checked, in words."""
    rows = read_golden(bundle).rows  # answered when the engine was opened
    return f"{len(bundle.manifest.files)} digests agree, {rows} golden answers agree on {engine.runtime}"
