"""``chatloom budgets``: set, list, remove."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    at_desk,
    err,
    escape,
    out,
    print_json,
    print_rows,
    read_amount,
)
from chatloom.wire.chatloom import Budget, BudgetName, Money, NewBudget

commands = typer.Typer(help="Limit what may be spent, in all.", no_args_is_help=True)

Account = Annotated[str | None, typer.Option(metavar="ID", help="All that an account spends.")]
Key = Annotated[str | None, typer.Option(metavar="ID", help="What is spent with a key.")]
EndUser = Annotated[
    str | None,
    typer.Option("--end-user", metavar="ACCOUNT/NAME", help="What one end user spends."),
]
EndUsers = Annotated[
    str | None,
    typer.Option(
        "--end-users",
        metavar="ACCOUNT",
        help="What each end user of an account spends who has no budget of their own.",
    ),
]
Organization = Annotated[
    str | None,
    typer.Option(metavar="ACCOUNT/NAME", help="What is spent in an organization's name."),
]


@commands.command("set")
def set_budget(
    usd: Annotated[
        str, typer.Argument(metavar="USD", parser=read_amount, help="Dollars: 5, 0.25.")
    ],
    account: Account = None,
    key: Key = None,
    end_user: EndUser = None,
    end_users: EndUsers = None,
    organization: Organization = None,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Set a budget, or change it. It holds from the next turn on."""
    whose = _whose(account, key, end_user, end_users, organization)
    with at_desk(db) as desk:
        made = desk.set_budget(msgspec.convert({**whose, "usd": usd}, NewBudget))
    _tell(made, as_json, f"limited to [bold]{made.amount}[/]{_rest(made)}")


@commands.command("remove")
def remove_budget(
    account: Account = None,
    key: Key = None,
    end_user: EndUser = None,
    end_users: EndUsers = None,
    organization: Organization = None,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Lift a limit."""
    whose = _whose(account, key, end_user, end_users, organization)
    with at_desk(db) as desk:
        removed = desk.remove_budget(msgspec.convert(whose, BudgetName))
    _tell(removed, as_json, f"no longer limited to {removed.amount}")


def _whose(
    account: str | None,
    key: str | None,
    end_user: str | None,
    end_users: str | None,
    organization: str | None,
) -> dict[str, str]:
    wanted = {
        "account": account,
        "key": key,
        "end_user": end_user,
        "end_users": end_users,
        "organization": organization,
    }
    given = [(concern, subject) for concern, subject in wanted.items() if subject is not None]
    if len(given) != 1:
        raise typer.BadParameter(
            "give one of --account, --key, --end-user, --end-users, --organization"
        )
    concern, subject = given[0]
    return {"concern": concern, "subject": subject}


def _tell(budget: Budget, as_json: bool, how: str) -> None:
    if as_json:
        print_json(budget)
        return
    out.print(f"{_words(budget)} {escape(budget.subject)}: {how}")


def _rest(budget: Budget) -> str:
    return "" if budget.left is None else f", {budget.left} left"


def _words(budget: Budget) -> str:
    return "each end user of" if budget.concern == "end_users" else budget.concern.replace("_", " ")


@commands.command("list")
def list_budgets(db: Database = None, as_json: AsJSON = False) -> None:
    """List every budget, and what is left of it."""
    with at_desk(db) as desk:
        found = desk.budgets()
    if as_json:
        print_json(found)
        return
    if found.budgets:
        print_rows(_COLUMNS, [_row(budget) for budget in found.budgets])
    else:
        err.print("there are no budgets")


_COLUMNS = ("whose", "of", "budget", "spent", "reserved", "left")


def _row(budget: Budget) -> tuple[str, ...]:
    figures = (budget.amount, budget.spent, budget.reserved, budget.left)
    return (_words(budget), escape(budget.subject), *map(_figure, figures))


def _figure(money: Money | None) -> str:
    return "-" if money is None else str(money)
