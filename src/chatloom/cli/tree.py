"""``chatloom tree``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chatloom.cli.shared import AsJSON, Database, existing_database, failing_clearly, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from chatloom.wire.outline import Outline

Conversation = Annotated[
    str,
    typer.Argument(metavar="CONVERSATION", help="A conversation's id, or how it begins."),
]


def tree(
    conversation: Conversation,
    whole: Annotated[
        bool, typer.Option("--all", help="Draw every branch and every message.")
    ] = False,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Draw a conversation: its branches, where they fork and merge, what each took.

    A branch's figures are those of its own messages, so that all of them sum to the
    conversation's. Long runs of messages are folded, and of many branches those are drawn that
    were used last; --json tells what is drawn.
    """
    with failing_clearly():
        found = _outline(existing_database(db), conversation, whole=whole)
    if as_json:
        print_json(found)
        return
    from chatloom.cli.drawing import draw

    draw(found)


def _outline(database: Path, conversation: str, *, whole: bool) -> Outline:
    from chatloom.server.store.sqlite.outline import outline_file

    return outline_file(database, conversation, whole=whole)
