"""The program ``specstream``: its commands, and how an error ends it.

Exit status: 0 done; 1 the check failed; 2 wrong usage or configuration, one line; 3 a Fatal error; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from classifiers.errors import ClassifierError
from ops.commands import (
    archive,
    bench,
    bundles,
    classify,
    dead_letters,
    ingest,
    ledger,
    produce,
    run,
    science,
    tail,
    topics,
)
from ops.console import messages
from ops.version import version
from schemas.errors import SchemasError
from stream.errors import ConfigurationError, Fatal, StreamError

WRONG_USAGE, FATAL, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="specstream",
    help="Classify survey spectra and image alerts as they stream: calibrated, exactly once, with an honest unknown.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("classify")(classify.classify)
app.command("ingest")(ingest.ingest)
app.command("produce")(produce.produce)
app.command("run")(run.run)
app.command("tail")(tail.tail)
app.command("archive")(archive.archive)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(ledger.app, name="ledger")
app.add_typer(topics.app, name="topics")
app.add_typer(bundles.app, name="bundles")
app.command("simulate")(science.simulate)
app.command("train")(science.train)
app.command("evaluate")(science.evaluate)
app.command("bench")(bench.bench)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"specstream {version()}")
        raise typer.Exit


@app.callback()
def _program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del show_version


def main() -> None:
    """Run the program and end the process with its exit status."""
    try:
        app(prog_name="specstream")
    except Fatal as error:
        _end(FATAL, str(error))
    except (ConfigurationError, ClassifierError, SchemasError, StreamError) as error:
        _end(WRONG_USAGE, str(error))
    except KeyboardInterrupt:
        _end(INTERRUPTED, "interrupted")


def _end(status: int, message: str) -> None:
    messages().print(f"specstream: {' '.join(message.split())}", style="red", markup=False, soft_wrap=True)
    sys.exit(status)
