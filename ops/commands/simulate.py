"""``specstream simulate``: spectra and alerts as a survey would deliver them."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from classifiers.training.simulation.l1_records import Truth
from ops.commands.options import DATA_DEFAULT, DataFolder, OptionalConfigFile, check_output_file
from ops.console import messages, progress_bar
from ops.patience import patiently
from ops.simulated import FORMS, exposure_size, publish_simulation
from ops.simulated_files import FILE_FORMS, write_simulation
from ops.wiring import open_codec, open_entry
from stream.errors import ConfigurationError
from stream.settings import Settings, load_settings
from stream.transports.url import parse_topic_url

DEFAULT_NUMBER = 1000


class Form(StrEnum):
    """What is simulated."""

    SDSS = "sdss"
    BOSS = "boss"
    LAMOST = "lamost"
    DESI = "desi"
    FOURMOST_LRS = "4most-lrs"
    FOURMOST_HRS = "4most-hrs"
    WEAVE = "weave"
    EXPOSURE = "4most-exposure"
    JPAS = "jpas"
    ALERTS = "alerts"


def simulate(
    to: Annotated[
        str | None, typer.Option("--to", metavar="TOPIC_URL", help="kafka://HOST:PORT/TOPIC or file:FOLDER/TOPIC.")
    ] = None,
    fits: Annotated[
        Path | None, typer.Option("--fits", metavar="DIR", help="Write FITS files of the survey's layout instead.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", min=1, show_default="1000", help="How many; 4most-exposure has its own number."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same records.")] = 1,
    form: Annotated[Form, typer.Option(help="Which instrument, or image alerts.")] = Form.SDSS,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the truth as CSV.")] = None,
    build_basis: Annotated[
        bool, typer.Option("--build-basis", help="Derive the simulator's basis from the templates in --data instead.")
    ] = False,
    data: DataFolder = DATA_DEFAULT,
    config: OptionalConfigFile = None,
) -> None:
    """Simulate spectra or alerts as a survey would deliver them, into a topic or as FITS files.

    In FITS files the truth is in keywords (SIMCLASS, SIMZ ...); files of many spectra have it in a table TRUTH.

    Example: `specstream simulate --to file:spool/specstream.l1.spectrum -n 500 --seed 7 --truth truth.csv`
    """
    if build_basis:
        _build_basis(data)
        return
    if (to is None) == (fits is None):
        given = "nothing" if to is None else "--to and --fits"
        raise ConfigurationError(f"--to: expected a TOPIC_URL, or --fits DIR, or --build-basis; received {given}")
    if truth is not None and form == Form.ALERTS:
        raise ConfigurationError("--truth: expected a form of spectra, received alerts, which have no truth to write")
    check_output_file("--truth", truth)
    if number is not None and form == Form.EXPOSURE:
        raise ConfigurationError(f"--number: expected none with {form}, which has its own; received {number}")
    count = DEFAULT_NUMBER if number is None else number
    with progress_bar() as bar:
        task = bar.add_task(f"simulating {form}", total=None)

        def progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        if fits is not None:
            truths = _write_files(fits, form, count, seed, progress)
        else:
            truths = _publish(str(to), form, count, seed, load_settings(config), progress)
    total = exposure_size() if form == Form.EXPOSURE else count
    messages().print(f"{total} simulated records in {to or fits}", markup=False)
    if truth is not None:
        with truth.open("w", newline="", encoding="utf-8") as file:
            rows = [dataclasses.asdict(item) for item in truths]
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)


def _publish(
    to: str, form: Form, number: int, seed: int, settings: Settings, progress: Callable[[int, int], None]
) -> list[Truth]:
    topic = parse_topic_url(to)
    codec = open_codec(settings)
    identity = f"simulate.{topic.topic}.{form}.{seed}"
    publisher = patiently(lambda: open_entry(settings, topic, identity))
    try:
        return publish_simulation(publisher, topic.topic, codec, FORMS[form], number, seed, progress)
    finally:
        publisher.close()


def _write_files(folder: Path, form: Form, number: int, seed: int, progress: Callable[[int, int], None]) -> list[Truth]:
    if FORMS[form] not in FILE_FORMS:
        known = ", ".join(name for name, value in FORMS.items() if value in FILE_FORMS)
        raise ConfigurationError(f"--form: expected one that has a FITS layout ({known}), received {form}")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--fits: expected a folder, received the file {folder}")
    try:
        return write_simulation(folder, FORMS[form], number, seed, progress)
    except OSError as error:
        raise ConfigurationError(f"--fits: cannot write to {folder} ({error})") from error


def _build_basis(data: Path) -> None:
    from classifiers.training.narrowband.bands import SHIPPED as NARROWBAND
    from classifiers.training.narrowband.building import build_narrowband_basis
    from classifiers.training.simulation.basis import SHIPPED
    from classifiers.training.simulation.building import build_basis
    from classifiers.training.stamps.hosts import SHIPPED as HOSTS

    try:
        from ops.host_cutouts import build_hosts
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"--build-basis: expected {error.name}, not found: in specstream's checkout pip install '.[train]'"
        ) from error
    for room in ("spectra", "alerts"):
        if not (data / room).is_dir():
            raise ConfigurationError(f"--data: expected a folder with templates in {room}/, received {data}")
    with messages().status("deriving the simulator's basis"):
        build_basis(data / "spectra", SHIPPED)
        build_narrowband_basis(data / "spectra", NARROWBAND)
        build_hosts(data / "alerts", HOSTS)
    for path in (SHIPPED, NARROWBAND, HOSTS):
        messages().print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)", markup=False)
