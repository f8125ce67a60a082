"""``specstream ledger``: the proof that nothing was lost or doubled."""

from __future__ import annotations

import typer
from rich.table import Table

from ops.commands.options import ConfigFile, command_group
from ops.console import messages, output
from ops.patience import PatientReader
from ops.wiring import open_codec, open_topic
from stream.ledger.verify import verify_ledger
from stream.settings import load_settings

FAILED = 1

app = command_group("The account of what came in and went out.")


@app.callback()
def _ledger() -> None:
    """The account of what came in and went out."""


@app.command("verify")
def verify(config: ConfigFile) -> None:
    """Prove in = out + dead per partition from the topics themselves; exit status 1 and the first difference if not.

    Example: `specstream ledger verify --config specstream.toml`
    """
    settings = load_settings(config)
    codec = open_codec(settings)
    result = verify_ledger(
        settings.topics, settings.group, lambda topic: PatientReader(open_topic(settings, topic)), codec
    )
    table = Table(box=None, header_style="bold")
    for heading in ("topic", "partition", "in", "out", "dead", "not yet done", "last offset"):
        table.add_column(heading, justify="left" if heading == "topic" else "right")
    for account in result.partitions:
        table.add_row(
            account.source.topic,
            str(account.source.partition),
            str(account.records_in),
            str(account.records_out),
            str(account.records_dead),
            str(account.beyond),
            "" if account.last_accounted is None else str(account.last_accounted),
        )
    output().print(table)
    if result.difference is not None:
        messages().print(str(result.difference), style="red", markup=False)
        raise typer.Exit(FAILED)
    total = sum(account.records_in for account in result.partitions)
    output().print(f"in = out + dead holds for {total} records in {len(result.partitions)} partitions", style="green")
