"""``chatloom explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    existing_database,
    failing_clearly,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from pathlib import Path

    from chatloom.wire.explanation import Explanation


def explain(
    turn: Annotated[
        str,
        typer.Argument(
            metavar="TURN", help="A turn's id, its completion's id, or how either begins."
        ),
    ],
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Tell everything about a turn: who asked, who answered, what it cost, what it grew."""
    with failing_clearly():
        found = _explain(existing_database(db), turn)
    if as_json:
        print_json(found)
        return
    from chatloom.cli.explaining import shown

    print_table(shown(found), wrap=True)


def _explain(database: Path, turn: str) -> Explanation:
    from chatloom.server.store.sqlite.explain import explain_file

    return explain_file(database, turn)
