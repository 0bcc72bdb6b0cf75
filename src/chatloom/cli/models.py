"""``chatloom models``."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from chatloom.cli.shared import (
    AsJSON,
    Config,
    escape,
    failing_clearly,
    print_json,
    print_table,
    read_settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatloom.server.models.driver import ModelInfo
    from chatloom.server.settings import ServerSettings


def models(
    config: Config = None,
    dev: Annotated[bool, typer.Option("--dev", help="As `serve --dev` offers them.")] = False,
    as_json: AsJSON = False,
) -> None:
    """List the models that requests may name, and where they come from."""
    with failing_clearly():
        found = asyncio.run(_find(read_settings(config), dev))
    if as_json:
        print_json(found)
        return
    table = Table(box=None, header_style="bold")
    for column in ("model", "provider", "context", "can", "description"):
        table.add_column(column, no_wrap=column == "model")
    for info in found:
        context = f"{info.context_length:,}" if info.context_length else "-"
        can = ", ".join(info.capabilities)
        table.add_row(
            escape(info.id), escape(info.provider), context, can, escape(info.description)
        )
    print_table(table)


async def _find(settings: ServerSettings, dev: bool) -> Sequence[ModelInfo]:
    from chatloom.server.models.registry import Registry

    registry = Registry(settings, os.environ, dev=dev, use_providers=not dev)
    try:
        return await registry.models()
    finally:
        await registry.close()
