"""All commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from chatloom import __version__
from chatloom.cli import (
    accounts,
    backup,
    budgets,
    doctor,
    explain,
    exporting,
    importing,
    keys,
    knowledge,
    models,
    serve,
    tree,
    users,
    webhooks,
)
from chatloom.cli.chat import command as chat

application = typer.Typer(
    name="chatloom",
    help="One process, one file: chat conversations for any model and any OpenAI client.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chatloom {__version__}")
        raise typer.Exit


@application.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


application.command("serve")(serve.serve)
application.command("chat")(chat.chat)
application.add_typer(keys.commands, name="keys")
application.add_typer(accounts.commands, name="accounts")
application.add_typer(users.commands, name="users")
application.add_typer(budgets.commands, name="budgets")
application.add_typer(knowledge.commands, name="knowledge")
application.add_typer(webhooks.commands, name="webhooks")
application.command("models")(models.models)
application.command("tree")(tree.tree)
application.command("explain")(explain.explain)
application.command("export")(exporting.export)
application.command("import")(importing.import_file)
application.command("backup")(backup.backup)
application.command("doctor")(doctor.doctor)
