"""``specstream classify``: one shot on FITS files, through the same pipeline as the service."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from classifiers.items import Spectrum
from ops.commands.options import check_output_file, make_output_folder
from ops.commands.origins import Origins
from ops.console import messages, output, progress_bar, terminal_width, visible
from ops.contributions import AnomalyDetector
from ops.listing.astropy_table import TABLE_FORMATS, write_table
from ops.listing.columns import L2_COLUMNS, Column
from ops.listing.flat import flat
from ops.listing.verdicts import verdict_table
from ops.listing.writers import field_units
from ops.logs import DEAD_LETTERS, configure_logs
from ops.one_shot import classify_in, inputs_of, settings_for, temporary_folder
from ops.plots.spectrum import draw_spectrum, file_name, load_matplotlib, save
from ops.wiring import open_codec, open_entry
from schemas.codec import Codec
from stream.errors import ConfigurationError
from stream.ingest import ingest
from stream.settings import Settings
from stream.transports.url import FolderBroker, TopicUrl

REFUSED = 1
FIRST_COLUMNS = (Column("file", "file", 32, least=16, rank=5), Column("l1_id", "spectrum", 32, least=12))


def classify(
    files: Annotated[list[Path], typer.Argument(metavar="FITS...", help="FITS files of any supported survey.")],
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw a picture of each spectrum there.")] = None,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Table file: .ecsv, .csv or .fits.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="EXPRESSION", help="Rows of multi-spectrum files: 'OBJ_FLAG & 1 != 0'.")
    ] = None,
) -> None:
    """Classify the spectra of FITS files: a table, pictures, a table file.

    Example: `specstream classify spec-*.fits --plot pictures --output verdicts.ecsv`
    """
    if to is not None and to.suffix.lower() not in TABLE_FORMATS:
        raise ConfigurationError(f"--output: expected a name ending in .ecsv, .csv or .fits, got {to.name}")
    check_output_file("--output", to)
    if plot is not None:
        load_matplotlib()
        make_output_folder("--plot", plot)
    configure_logs("warning", without=DEAD_LETTERS)
    with temporary_folder() as folder:
        settings = settings_for(folder)
        codec = open_codec(settings)
        origins = Origins(codec)
        refused = _ingest(files, rows, settings, origins)
        verdicts = classify_in(settings, codec)
        records = [{"file": origins.files[l2["source"]["offset"]], **l2} for _, l2 in verdicts.records]
        if records:
            named = ({**each, "file": visible(Path(each["file"]).name)} for each in records)
            table = verdict_table(named, (*FIRST_COLUMNS, *L2_COLUMNS[1:]), terminal_width())
            output().print(table, soft_wrap=True)
        for rejected in verdicts.dead_letters:
            origin = origins.names[rejected["source"]["offset"]]
            why = f"{origin}: not classified: {rejected['reason']}: {_what_is_wrong(rejected)}"
            messages().print(visible(why), style="red", markup=False)
        if not (refused or verdicts.dead_letters or records):
            where = ", ".join(map(str, files))
            wanted = "FITS files or folders of them" if rows is None else f"some for which {rows} is true"
            said = f"no spectra in {where}: expected {wanted}"
            messages().print(visible(said), style="red", markup=False)
        if plot is not None:
            _draw(plot, settings, codec, records)
        if to is not None and records:
            units = field_units(json.loads(codec.catalogue.text("l2_classification")))
            write_table([flat(l2) for l2 in records], units, to)
            messages().print(f"wrote {to}", markup=False)
    if refused or verdicts.dead_letters or not records:
        raise typer.Exit(REFUSED)


def _what_is_wrong(rejected: Mapping[str, Any]) -> str:
    """Return what a dead letter says of its spectrum: field, expected and received, where it names them."""
    if rejected["expected"] is None or rejected["received"] is None:
        return str(rejected["message"])
    field = f"{rejected['field']}: " if rejected["field"] else ""
    return f"{field}expected {rejected['expected']}, received {rejected['received']}"


def _ingest(files: list[Path], rows: str | None, settings: Settings, origins: Origins) -> int:
    broker = FolderBroker(Path(settings.broker.removeprefix("file:")))
    topic = settings.topics.l1_spectrum
    publisher = open_entry(settings, TopicUrl(broker, topic), "classify")
    try:
        with origins:
            there = [file for file in files if file.exists()]
            for file in files:
                if not file.exists():
                    origins.refused(str(file), "no such file or folder")
            refused = ingest(there, topic, publisher, origins, rows=rows, report=origins).refused
            return refused + len(files) - len(there)
    finally:
        publisher.close()


def _draw(folder: Path, settings: Settings, codec: Codec, records: list[dict[str, Any]]) -> None:
    wanted = {int(l2["source"]["offset"]): l2 for l2 in records}
    drawn: Counter[str] = Counter()
    detector = AnomalyDetector.configured(settings)
    with progress_bar() as bar:
        task = bar.add_task("drawing", total=len(wanted))
        for l2, accepted in inputs_of(settings, codec, settings.topics.l1_spectrum, wanted):
            if isinstance(accepted.item, Spectrum):
                name = str(l2["l1_id"])
                drawn[name] += 1
                strange = None if detector is None else detector.contributions(accepted.item)
                figure = draw_spectrum(accepted.item, l2, name, strange)
                _save(figure, folder / file_name(name if drawn[name] == 1 else f"{name}-{drawn[name]}"))
            bar.advance(task)
    messages().print(f"{drawn.total()} pictures in {folder}", markup=False)


def _save(figure: Any, picture: Path) -> None:
    try:
        save(figure, picture)
    except OSError as error:
        raise ConfigurationError(f"--plot: cannot write {picture}: {error.strerror or error}") from error
