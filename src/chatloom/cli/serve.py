"""``chatloom serve``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from chatloom.cli.shared import (
    AsJSON,
    Config,
    Database,
    database_path,
    failing_clearly,
    out,
    print_json,
    read_settings,
)

if TYPE_CHECKING:
    from chatloom.server.run import Started


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The port; 0 for any. By default 3284, or a free one near it."
        ),
    ] = None,
    db: Database = None,
    config: Config = None,
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Accept any key, each with its own account; loopback only."),
    ] = False,
    providers: Annotated[
        bool, typer.Option("--providers", help="With --dev: use provider keys of the environment.")
    ] = False,
    grace: Annotated[
        float, typer.Option(help="Seconds that running turns have to end when stopping.")
    ] = 10.0,
    as_json: AsJSON = False,
) -> None:
    """Serve all protocols from one file."""
    from chatloom.server.run import Start
    from chatloom.server.run import serve as run

    def announce(started: Started) -> None:
        if as_json:
            print_json(_facts(started))
        else:
            _greet(started)

    with failing_clearly():
        start = Start(
            database=database_path(db, dev=dev).absolute(),
            settings=read_settings(config),
            host=host,
            port=port,
            dev=dev,
            use_providers=providers or not dev,
            grace=grace,
        )
        try:
            run(start, os.environ, announce)
        except (KeyboardInterrupt, SystemExit):  # uvicorn has stopped, and repeats the signal
            if not as_json:
                out.print("[dim]stopped[/]")
            raise


def _facts(started: Started) -> dict[str, object]:
    return {
        "ready": True,
        "url": started.url,
        "database": started.database,
        "dev": started.dev,
        "wanted_port": started.wanted_port,
        "unused_providers": started.unused_providers,
        "admin_key": started.admin_key.reveal() if started.admin_key else None,
    }


def _greet(started: Started) -> None:
    if started.wanted_port is not None:
        out.print(f"[yellow]Port {started.wanted_port} is taken; using another one.[/] Clients:")
        out.print(f"  export CHATLOOM_BASE_URL={started.url}")
    mode = "  [yellow]any key is accepted (--dev)[/]" if started.dev else ""
    for provider, reason in started.unused_providers.items():
        out.print(f"[yellow]The provider {escape(provider)} is not used:[/] {escape(reason)}")
    out.print(f"[bold green]chatloom is ready[/] at [bold]{started.url}[/]{mode}")
    out.print(f"  data   {started.database}")
    out.print(f"  docs   {started.url}/docs")
    key = "any-key"
    if started.admin_key is not None:
        out.print(
            f"  key    [bold]{started.admin_key.reveal()}[/]  an administrator's; shown only now"
        )
        key = "$CHATLOOM_API_KEY"
    elif not started.dev:
        key = "$CHATLOOM_API_KEY"
    out.print("  try    ", end="")
    out.print(
        f'curl {started.url}/v1/chat/completions -H "Authorization: Bearer {key}" '
        "-H 'Content-Type: application/json' "
        """-d '{"model": "loom/scribe", "messages": [{"role": "user", "content": "Hello!"}]}\'""",
        markup=False,
    )
    out.print("  stop   Ctrl-C")
