"""``make demo``: a small simulated exposure through the whole pipeline, on a folder, with pictures to look at."""

from __future__ import annotations

import argparse
import functools
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from rich.rule import Rule
from rich.table import Table

from classifiers.errors import ClassifierError
from classifiers.items import Spectrum
from classifiers.training.simulation.l1_records import Truth
from ops.console import messages, output, progress_bar, terminal_width
from ops.contributions import AnomalyDetector
from ops.listing.columns import L2_COLUMNS
from ops.listing.verdicts import verdict_table
from ops.one_shot import Run, classify_in, inputs_of, settings_for
from ops.plots.night import draw_night
from ops.plots.spectrum import draw_spectrum, file_name, load_matplotlib, save
from ops.simulated import ALERTS_FORM, publish_simulation
from ops.wiring import open_codec, open_entry, open_topic
from schemas.codec import Codec
from schemas.errors import SchemasError
from stream.errors import ConfigurationError, StreamError
from stream.ledger.verify import verify_ledger
from stream.settings import Settings
from stream.transports.url import FolderBroker, TopicUrl

SPECTRA, LOW_RESOLUTION, ALERTS, SEED = 400, 60, 120, 2026
ROWS, PICTURES = 14, 9
RULE_WIDTH = 100


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="python -m ops.demo", description="A small simulated night, start to end.")
    parser.add_argument("--output", type=Path, default=Path("out/demo"), help="folder for topics and pictures")
    try:
        _demo(parser.parse_args().output)
    except (StreamError, ClassifierError, SchemasError) as error:
        messages().print(f"demo: {error}", style="red", markup=False)
        sys.exit(2)


def _demo(folder: Path) -> None:
    load_matplotlib()
    _clear(folder)
    topics_folder = folder / "topics"
    settings = settings_for(topics_folder, images=True)
    codec = open_codec(settings)
    truths = _simulate(settings, codec, topics_folder)
    with messages().status("classifying"):
        run = classify_in(settings, codec)
    spectra = [l2 for _, l2 in run.records if l2["lane"] == "spectrum"]
    truth = {item.l1_id: item for item in truths}
    _say_verdicts(spectra)
    _say_truth(spectra, truth)
    _say_alerts([l2 for _, l2 in run.records if l2["lane"] != "spectrum"])
    _say_account(settings, codec, run)
    _draw(folder / "pictures", settings, codec, spectra, truth)
    output().print(f"\nLook at [bold]{folder}/pictures/night.png[/bold] first. The topics are in {topics_folder}:")
    program = shutil.which("specstream") or Path(sys.executable).with_name("specstream")
    output().print(f"  {program} tail file:{topics_folder}/{settings.topics.l2} --anomalies")


def _clear(folder: Path) -> None:
    """Remove what an earlier demo left; nothing else is ever touched.

    Raises:
        ConfigurationError: the folder holds something that no demo has written.
    """
    ours = [folder / "topics", folder / "pictures"]
    if folder.exists() and (not folder.is_dir() or set(folder.iterdir()) - set(ours)):
        raise ConfigurationError(f"--output: expected a new folder or that of an earlier demo, received {folder}")
    for each in ours:
        if each.exists():
            shutil.rmtree(each)


def _simulate(settings: Settings, codec: Codec, folder: Path) -> list[Truth]:
    broker = FolderBroker(folder)
    truths: list[Truth] = []
    plan = (
        (settings.topics.l1_spectrum, "BOSS", SPECTRA),
        (settings.topics.l1_spectrum, "4MOST_LRS", LOW_RESOLUTION),
        (settings.topics.image_alert[0], ALERTS_FORM, ALERTS),
    )
    with progress_bar() as bar:
        for topic, form, number in plan:
            task = bar.add_task(f"simulating {form}", total=number)
            publisher = open_entry(settings, TopicUrl(broker, topic), f"demo.{form}")
            try:
                show = functools.partial(_show, bar, task)
                truths += publish_simulation(publisher, topic, codec, form, number, SEED, show)
            finally:
                publisher.close()
    return truths


def _show(bar: Progress, task: TaskID, done: int, _: int) -> None:
    bar.update(task, completed=done)


def _say_verdicts(spectra: Sequence[Mapping[str, Any]]) -> None:
    output().print(Rule("verdicts", align="left", style="dim"), width=RULE_WIDTH)
    output().print(verdict_table(spectra[:ROWS], L2_COLUMNS, terminal_width()), soft_wrap=True)
    output().print(f"... and {len(spectra) - ROWS} more", style="dim")


def _say_truth(spectra: Sequence[Mapping[str, Any]], truth: Mapping[str, Truth]) -> None:
    """Say how the verdicts compare with what was simulated."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("simulated as", "spectra", "same kind", "flagged unknown"):
        table.add_column(heading, justify="left" if heading == "simulated as" else "right")
    for kind in ("GALAXY", "QSO", "STAR", "OTHER"):
        mine = [l2 for l2 in spectra if truth[l2["l1_id"]].kind == kind]
        same = sum(str(l2["top_class"]).startswith(kind) for l2 in mine)
        flagged = sum(bool(l2["unknown"]) for l2 in mine)
        table.add_row(kind, str(len(mine)), "" if kind == "OTHER" else str(same), str(flagged))
    output().print(Rule("against the truth of the simulation, all S/N", align="left", style="dim"), width=RULE_WIDTH)
    output().print(table)


def _say_alerts(alerts: Sequence[Mapping[str, Any]]) -> None:
    """Say what the image alerts were taken for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("taken for", "alerts", "median P", "flagged unknown"):
        table.add_column(heading, justify="left" if heading == "taken for" else "right")
    for name in sorted({l2["top_class"] for l2 in alerts}):
        mine = [l2 for l2 in alerts if l2["top_class"] == name]
        probability = statistics.median(l2["class_probabilities"][name] for l2 in mine)
        table.add_row(name, str(len(mine)), f"{probability:.2f}", str(sum(bool(l2["unknown"]) for l2 in mine)))
    output().print(Rule("image alerts", align="left", style="dim"), width=RULE_WIDTH)
    output().print(table)


def _say_account(settings: Settings, codec: Codec, run: Run) -> None:
    began = time.perf_counter()
    proof = verify_ledger(settings.topics, settings.group, lambda topic: open_topic(settings, topic), codec)
    took_s = time.perf_counter() - began
    report = run.report
    output().print(Rule("ledger and timing", align="left", style="dim"), width=RULE_WIDTH)
    word = "holds" if proof.holds else f"DOES NOT HOLD: {proof.difference}"
    output().print(
        f"in {report.records_in} = out {report.records_out} + dead {report.records_dead}: {word} "
        f"(proved from the topics in {took_s:.2f} s)"
    )
    output().print(f"classified in {report.seconds:.2f} s, {report.records_in / report.seconds:.0f} records/s")


def _draw(
    folder: Path, settings: Settings, codec: Codec, spectra: Sequence[Mapping[str, Any]], truth: Mapping[str, Truth]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    redshift = {name: item.redshift for name, item in truth.items()}
    save(draw_night(spectra, redshift, f"{len(spectra)} simulated spectra"), folder / "night.png")
    wanted = {int(l2["source"]["offset"]): l2 for l2 in _telling(spectra)}
    detector = AnomalyDetector.configured(settings)
    for l2, accepted in inputs_of(settings, codec, settings.topics.l1_spectrum, wanted):
        if isinstance(accepted.item, Spectrum):
            true = truth[l2["l1_id"]]
            title = f"{l2['l1_id']}   simulated: {true.other_type or true.class_name}, z = {true.redshift:.4f}"
            strange = None if detector is None else detector.contributions(accepted.item)
            save(draw_spectrum(accepted.item, l2, title, strange), folder / file_name(str(l2["l1_id"])))


def _telling(spectra: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a few spectra worth a picture: the best of each kind, of different classes, and the strangest."""
    by_snr = sorted(spectra, key=lambda l2: -(l2["snr"] or 0.0))
    chosen: dict[str, Mapping[str, Any]] = {}
    for l2 in by_snr:
        key = str(l2["unknown_reason"] if l2["unknown"] else l2["top_class"])
        chosen.setdefault(key, l2)
    reasons = [l2 for l2 in chosen.values() if l2["unknown"]]
    classes = [l2 for l2 in chosen.values() if not l2["unknown"]]
    return [*reasons, *classes][:PICTURES]


if __name__ == "__main__":
    main()
