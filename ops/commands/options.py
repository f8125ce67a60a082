"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from stream.errors import ConfigurationError

CONFIG_HELP = "TOML configuration; every key is also an environment variable (SPECSTREAM_GROUP, SPECSTREAM_TOPICS__L2)."


Choice = TypeVar("Choice", bound=str)


def one_of(option: str, value: str, allowed: Sequence[Choice]) -> Choice:
    """Return the one of the allowed values that was given; ``option`` names it."""
    for each in allowed:
        if value == each:
            return each
    raise typer.BadParameter(f"expected one of {', '.join(allowed)}, received {value}", param_hint=option)


def check_output_file(option: str, file: Path | None) -> None:
    """Refuse a file that could not be written after all the work; ``option`` names it."""
    if file is None:
        return
    folder = file.absolute().parent
    if file.is_dir() or not folder.is_dir():
        raise ConfigurationError(f"{option}: expected a file in a folder that is there, received {file}")
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{option}: expected a folder that may be written to, received {file}")


def make_output_folder(option: str, folder: Path) -> None:
    """Make a folder before the work whose results go there; ``option`` names it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{option}: cannot make folder {folder}: {error.strerror or error}") from error


def command_group(about: str) -> typer.Typer:
    """Return a command that has commands of its own."""
    return typer.Typer(help=about, no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help=CONFIG_HELP, metavar="FILE")]
OptionalConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help=CONFIG_HELP + " Here for [kafka] and [schemas].", metavar="FILE")
]
TopicUrlOption = Annotated[
    str, typer.Option("--to", help="kafka://HOST:PORT[,HOST:PORT]/TOPIC or file:FOLDER/TOPIC.", metavar="TOPIC_URL")
]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", help="Keep records for which the expression is true.", metavar="EXPRESSION"),
]
BundleFolders = Annotated[
    list[Path] | None, typer.Argument(metavar="[BUNDLE]...", help="Bundle folders; none: those that ship.")
]
EngineCache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        envvar="SPECSTREAM_ENGINES__CACHE",
        help="Folder for engines; none: specstream/engines in the user's cache folder.",
    ),
]
DATA_DEFAULT = Path("../shared/data")
DataFolder = Annotated[
    Path, typer.Option("--data", envvar="SPECSTREAM_DATA", metavar="DIR", help="Folder of templates and real spectra.")
]
