"""The program ``specstream``: its commands, and how an error ends it.

A command's module is imported only when it is called for, because some bring astropy, some ONNX Runtime, some torch;
the list of commands has their first lines here, so that ``--help`` imports none.

Exit status: 0 done; 1 the check failed; 2 wrong usage or configuration, one line; 3 a Fatal error; 130 interrupted;
143 terminated, where SIGTERM does not mean to finish and end with 0.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from classifiers.errors import ClassifierError
from ops.console import messages, visible
from ops.terminating import TERMINATED, Terminated
from ops.version import version
from schemas.errors import SchemasError
from stream.errors import ConfigurationError, Fatal, StreamError

WRONG_USAGE, FATAL, INTERRUPTED = 2, 3, 130
UsageError: Final[Any] = typer.BadParameter.__mro__[1]
"""What a wrong command line raises; some versions of typer take it from click, some bring their own."""
COMMANDS: Final = {
    "classify": "ops.commands.classify:classify",
    "ingest": "ops.commands.ingest:ingest",
    "produce": "ops.commands.produce:produce",
    "run": "ops.commands.run:run",
    "tail": "ops.commands.tail:tail",
    "archive": "ops.commands.archive:archive",
    "dead-letters": "ops.commands.dead_letters:app",
    "ledger": "ops.commands.ledger:app",
    "topics": "ops.commands.topics:app",
    "bundles": "ops.commands.bundles:app",
    "simulate": "ops.commands.simulate:simulate",
    "train": "ops.commands.train:train",
    "evaluate": "ops.commands.evaluate:evaluate",
    "calibrate": "ops.commands.calibrate:calibrate",
    "bench": "ops.commands.bench:bench",
}


SUMMARIES: Final = {
    "classify": "Classify the spectra of FITS files: a table, pictures, a table file.",
    "ingest": "Publish the spectra of FITS files, each exactly once however often this is killed and started again.",
    "produce": "Publish each file, and each member of a tar archive, as one message, byte for byte and once.",
    "run": "Classify what arrives: L1 spectra and image alerts in, L2 records and dead letters out, exactly once.",
    "tail": "Read L2 records, dead letters, L1 records, ledger entries or alerts; committed records only, "
    "oldest first.",
    "archive": "Keep topics with their coordinates, byte for byte; started again, it goes on where it was.",
    "dead-letters": "Messages that could not be classified: why, and back again.",
    "ledger": "The account of what came in and went out.",
    "topics": "Topics of the configuration.",
    "bundles": "Model bundles: what is there, whether it is intact.",
    "simulate": "Simulate spectra or alerts as a survey would deliver them, into a topic or as FITS files.",
    "train": "Train a bundle on forward simulations (needs the extra `train`).",
    "evaluate": "Score the bundles on real spectra and held-out simulations, beside classical baselines.",
    "calibrate": "Recalibrate the unknown flag for a survey from its own labelled known objects.",
    "bench": "Measure throughput, latency and memory on a real Kafka, each figure beside its reference.",
}
"""The first line of each command's help; the tests compare them."""


class LazyCommands(TyperGroup):
    """A group whose commands are imported when they are called for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of a night's work."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command; None for an unknown name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(
                context_settings=HELP, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
            )
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from ``SUMMARIES``."""
        listed: dict[str, Any] = {name: TyperCommand(name, help=SUMMARIES[name]) for name in COMMANDS}
        TyperGroup(
            name=self.name, commands=listed, params=self.params, help=self.help, rich_markup_mode="markdown"
        ).format_help(ctx, formatter)


HELP: Final = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="specstream",
    cls=LazyCommands,
    help="Classify survey spectra and image alerts as they stream: calibrated, exactly once, with an honest unknown.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


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
    _say_all()
    try:
        status = app(prog_name="specstream", standalone_mode=False)
    except UsageError as error:
        _end(WRONG_USAGE, _usage(error))
    except Fatal as error:
        _end(FATAL, str(error), at_once=_lost_a_device(error))
    except ClassifierError as error:
        lost = _lost_a_device(error)
        _end(FATAL if lost else WRONG_USAGE, str(error), at_once=lost)
    except (ConfigurationError, SchemasError, StreamError) as error:
        _end(WRONG_USAGE, str(error))
    except OSError as error:
        _end(FATAL, f"{visible(str(error.filename))}: {error.strerror}" if error.filename else str(error))
    except (KeyboardInterrupt, typer.Abort):
        _end(INTERRUPTED, "interrupted")
    except Terminated:
        _end(TERMINATED, "terminated")
    except ImportError as error:
        if not _was_interrupted(error):
            raise
        _end(INTERRUPTED, "interrupted")
    else:
        if status == INTERRUPTED:
            _end(INTERRUPTED, "interrupted")
        sys.exit(status or 0)


def _say_all() -> None:
    """Have what a terminal's encoding lacks escaped, and what is said to closed streams go nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the descriptor was closed when the program began
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _lost_a_device(error: BaseException) -> bool:
    """Tell whether a device that failed is behind an error."""
    from classifiers.runtimes.device.contract import DeviceLost  # brings numpy, which --help needs none of

    return any(isinstance(each, DeviceLost) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised on top of."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _was_interrupted(error: BaseException) -> bool:
    """Tell whether an interrupt is behind an error: a compiled module that is being imported turns it into its own."""
    return any(isinstance(each, KeyboardInterrupt) for each in _chain(error))


def _usage(error: Any) -> str:
    """Return what is wrong with a command line; nothing where the help was shown instead."""
    said = str(error.format_message()).rstrip(".")
    return f"{said}; see {error.ctx.command_path} --help" if said and error.ctx is not None else said


def _end(status: int, message: str, *, at_once: bool = False) -> NoReturn:
    """End the process.

    Args:
        status: its exit status.
        message: printed before, unless it is empty.
        at_once: free nothing. Torch frees pinned memory of a device that is lost in a destructor that may not fail, and
            does: that would end the process with SIGABRT, and its status would be lost.
    """
    if message:
        messages().print(f"specstream: {visible(' '.join(message.split()))}", style="red", markup=False)
    if at_once:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
