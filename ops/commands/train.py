"""``specstream train``: bundles from forward simulations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import make_output_folder
from ops.console import messages, progress_bar
from stream.errors import ConfigurationError


def _training_progress(description: str) -> tuple[Callable[..., None], Callable[[], None]]:
    bar = progress_bar()
    bar.start()
    task = bar.add_task(description, total=None)

    def report(step: str, fraction: float) -> None:
        bar.update(task, description=f"{description}: {step}", completed=round(100 * fraction), total=100)

    return report, bar.stop


def train(
    bundle: Annotated[
        str, typer.Argument(help="spectral-classifier, spectral-anomaly, qso-finder, stamp-anomaly or jpas-qso-finder.")
    ],
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
    make_output_folder("--output", to)
    report, end = _training_progress(f"training {bundle}")
    try:
        calibrated = train_named(bundle, seed, number, epochs, to, report)
    finally:
        end()
    messages().print(f"wrote {to}; check it with: specstream bundles verify {to}", markup=False)
    if not calibrated:
        messages().print(
            "not calibrated yet: spectral bundles are calibrated together, once spectral-classifier and "
            "spectral-anomaly lie in one folder under these names",
            style="yellow",
        )
