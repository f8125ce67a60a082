"""``specstream train``: bundles from forward simulations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands.options import make_output_folder, one_of
from ops.console import messages, progress_bar
from ops.plots.report import draw
from ops.plots.spectrum import load_matplotlib
from stream.errors import ConfigurationError

if TYPE_CHECKING:
    from classifiers.training.evaluation.document import Plot
    from classifiers.training.journal.history import History

JOURNAL_SUFFIX = ".training"
_TICKS = 10_000


def train(
    bundle: Annotated[
        str, typer.Argument(help="spectral-classifier, spectral-anomaly, qso-finder, stamp-anomaly or jpas-qso-finder.")
    ],
    to: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write the bundle to.")],
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same weights on the same machine's processor.")
    ] = 1,
    number: Annotated[int | None, typer.Option("--number", "-n", min=256, help="Simulations to train on.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over them.")] = None,
    held_out: Annotated[
        int | None,
        typer.Option(min=256, help="Further simulations to calibrate on; the spectral bundles need some 4000."),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Classifier on whose trunk qso-finder and spectral-anomaly are built; none: the one that ships.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside the output, if there is one.")
    ] = False,
    map_only: Annotated[
        bool, typer.Option("--map-only", help="Of the spectral-anomaly in the output folder, fit the map alone anew.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="auto, cuda or cpu: what computes; auto takes a GPU if torch can use one.")
    ] = "auto",
) -> None:
    """Train a bundle on forward simulations (needs the extra `train`).

    Beside the output, in a folder that ends in `.training`, it keeps after each epoch a checkpoint, the losses as JSON
    and, where matplotlib is installed, pictures of them. An interrupted training that is resumed gives the same bytes;
    on a GPU, whose sums have no fixed order, it may not. Without `--resume` a checkpoint that lies there is named, and
    replaced after the first epoch.

    Example: `specstream train qso-finder --output my-bundles/qso-finder --seed 3`
    """
    try:
        from classifiers.runtimes.opening import PLACES
        from classifiers.training.journal.journal import Journal
        from ops.training import DEFAULTS, Request, chosen_device, failures_told, remake_named, train_named
    except ImportError as error:
        raise ConfigurationError(
            "train: expected torch, not found: in specstream's checkout pip install '.[train]'"
        ) from error
    if bundle not in DEFAULTS:
        raise ConfigurationError(f"train: expected one of {', '.join(DEFAULTS)}, received {bundle!r}")
    if classifier is not None and bundle not in ("qso-finder", "spectral-anomaly"):
        raise ConfigurationError(f"--classifier: expected the bundle qso-finder or spectral-anomaly, received {bundle}")
    if map_only and bundle != "spectral-anomaly":
        raise ConfigurationError(f"--map-only: expected the bundle spectral-anomaly, received {bundle}")
    computes = chosen_device(one_of("--device", device, PLACES), tell=messages().print)
    make_output_folder("--output", to)
    request = Request(bundle, seed, number, epochs, held_out, classifier, computes)
    report, end = _training_progress(f"training {bundle}")
    try:
        with failures_told():
            if map_only:
                calibrated = remake_named(request, to, report)
            else:
                folder = to.with_name(to.name + JOURNAL_SUFFIX)
                journal = Journal(folder, resume=resume, draw=_picture(), on_epoch=_tell)
                if resume:
                    done = journal.resumed_epochs
                    found = f"goes on after epoch {done} of" if done else "starts anew: no checkpoint in"
                    messages().print(f"{found} {folder}", markup=False)
                elif journal.replaced_epochs:
                    said = f"a checkpoint after epoch {journal.replaced_epochs} lies in {folder}: "
                    said += "--resume goes on from it; this training starts anew and replaces it"
                    messages().print(said, style="yellow", markup=False, soft_wrap=True)
                calibrated = train_named(request, to, report, journal)
    finally:
        end()
    messages().print(f"wrote {to}; check it with: specstream bundles verify {to}", markup=False)
    if not calibrated:
        messages().print(
            "not calibrated yet: spectral bundles are calibrated together, once spectral-classifier and "
            "spectral-anomaly lie in one folder under these names",
            style="yellow",
        )


def _training_progress(description: str) -> tuple[Callable[[str, float], None], Callable[[], None]]:
    """Return what a training calls as it goes on, and what ends the bar; each stage has a time left of its own."""
    bar = progress_bar(time_left=True)
    bar.start()
    task = bar.add_task(description, total=None)
    stage = ""

    def report(step: str, fraction: float) -> None:
        nonlocal stage
        shown = f"{description}: {step}"
        if step.split()[0] != stage:  # it may begin in the middle: how fast what came before was says nothing of it
            stage = step.split()[0]
            bar.reset(task, total=_TICKS, completed=round(_TICKS * fraction))
        bar.update(task, description=shown, completed=round(_TICKS * fraction))

    return report, bar.stop


def _picture() -> Callable[[Plot], bytes] | None:
    """Return what draws a curve; None, and a word on it, where matplotlib is not installed."""
    try:
        load_matplotlib("train")
    except ConfigurationError as error:
        messages().print(f"no pictures of the losses: {error}", style="yellow", markup=False)
        return None
    return draw


def _tell(history: History) -> None:
    """Say how an epoch went."""
    epoch = history.epochs[-1]
    said = [
        f"{name} {terms['loss']:.4f}" for name, terms in (("training", epoch.training), ("held out", epoch.held_out))
    ]
    messages().print(f"epoch {len(history.epochs)}: loss {', '.join(said)}", markup=False)
