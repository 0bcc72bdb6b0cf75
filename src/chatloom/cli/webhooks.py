"""``chatloom webhooks``: list, add, change, remove, rotate, ping, replay, log."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from chatloom.cli.deliveries import moment, tell_delivery
from chatloom.cli.shared import (
    AsJSON,
    Config,
    Database,
    err,
    escape,
    opened,
    out,
    print_json,
    print_rows,
    read_settings,
)
from chatloom.server.events.kinds import EVENTS, PATTERNS
from chatloom.wire.webhooks import (
    Delivery,
    DeliveryPage,
    NewWebhookOfAccount,
    Replay,
    SecretRotation,
    Webhook,
    WebhookChange,
    WebhooksOfAccount,
)

if TYPE_CHECKING:
    from chatloom.cli.mailroom import Mailroom

commands = typer.Typer(
    help="Have events told elsewhere, and see what became of each.", no_args_is_help=True
)

_NAMES = f"{', '.join(EVENTS)}; {' and '.join(PATTERNS)} stand for several"
_PAUSE = 0.2
"""Seconds between two looks at what became of a ping."""


def _read_time(text: str) -> datetime:
    """A moment; on this machine's clock, where no other is named."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time; write one such as 2026-11-30 or 2026-11-30T12:00:00Z"
        ) from None


Id = Annotated[str, typer.Argument(metavar="ID", help="See `chatloom webhooks list`.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")]


@commands.command("list")
def list_webhooks(
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="The account; by default all.")
    ] = None,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """List where events are told, the newest first."""
    with _at_mailroom(db) as room:
        found = room.list(WebhooksOfAccount(account_id=account))
    if as_json:
        print_json(found)
    elif found.webhooks:
        print_rows(_COLUMNS, [_row(one) for one in found.webhooks])
    else:
        err.print("no events are told anywhere")


_COLUMNS = ("address", "id", "account", "events", "state", "last delivered", "failures since")


def _row(webhook: Webhook) -> tuple[str, ...]:
    return (
        escape(webhook.url),
        webhook.id,
        escape(_whose(webhook)),
        ", ".join(webhook.events),
        _state(webhook),
        "-" if webhook.last_delivered_at is None else moment(webhook.last_delivered_at),
        f"{webhook.failures:,}",
    )


def _whose(webhook: Webhook) -> str:
    parts = [webhook.account_id, webhook.organization, webhook.user]
    return "/".join(part for part in parts if part is not None)


def _state(webhook: Webhook) -> str:
    if webhook.disabled_because is None:
        return "[green]active[/]"
    return f"[red]disabled[/] {_BECAUSE[webhook.disabled_because]}"


_BECAUSE = {
    "owner": "by its owner",
    "gone": "as it answered 410 Gone",
    "failing": "as nothing arrived",
    "key": "as its API key works no more",
}


@commands.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address; https:// only.")],
    event: Annotated[
        list[str], typer.Option("--event", metavar="NAME", help=f"May be repeated. Of {_NAMES}.")
    ],
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose events; by default the only account's."),
    ] = None,
    description: Description = None,
    db: Database = None,
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Have an account's events told at an address. The secret that signs them is shown once."""
    told = {"url": url, "events": event, "account_id": account, "description": description or ""}
    with _at_mailroom(db) as room:
        made = room.add(msgspec.convert(told, NewWebhookOfAccount), read_settings(config))
    _tell_secret(made, as_json)


@commands.command("rotate")
def rotate(
    id: Id,
    overlap: Annotated[
        float, typer.Option(help="Seconds that events are signed with the old secret, too.")
    ] = 86_400,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Sign with a new secret. It is shown once."""
    with _at_mailroom(db) as room:
        wanted = msgspec.convert({"overlap_seconds": overlap}, SecretRotation)
        made = room.rotate(id, wanted)
    _tell_secret(made, as_json)
    if not as_json:
        out.print(f"  the old secret signs {overlap:g} seconds more")


def _tell_secret(made: Webhook, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    out.print(f"[bold]{made.secret}[/]")
    out.print(
        f"  {escape(made.url)} ({made.id}), account {escape(made.account_id)}; shown only now"
    )


@commands.command("change")
def change(
    id: Id,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Another address.")] = None,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="NAME", help="Instead of the present ones; repeatable."),
    ] = None,
    description: Description = None,
    active: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Whether it is told anything for now."),
    ] = None,
    db: Database = None,
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Have other events told, or elsewhere; disable a webhook, or enable it."""
    told = {"url": url, "events": event or None, "description": description, "active": active}
    wanted = {name: value for name, value in told.items() if value is not None}
    with _at_mailroom(db) as room:
        changed = room.change(id, msgspec.convert(wanted, WebhookChange), read_settings(config))
    if as_json:
        print_json(changed)
    else:
        out.print(f"{escape(changed.url)} ({changed.id}): {_state(changed)}")
        out.print(f"  is told {', '.join(changed.events)}")


@commands.command("remove")
def remove(id: Id, db: Database = None, as_json: AsJSON = False) -> None:
    """Have nothing more told there, at once."""
    with _at_mailroom(db) as room:
        removed = room.remove(id)
    if as_json:
        print_json(removed)
    else:
        out.print(f"removed [bold]{escape(removed.url)}[/] ({removed.id})")


class Tried(msgspec.Struct):
    """What became of a ping, as far as that is known."""

    event_id: str
    delivery: Delivery | None


@commands.command("ping")
def ping(
    id: Id,
    wait: Annotated[float, typer.Option(help="Seconds to wait for what becomes of it.")] = 10,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Try a webhook, and tell what became of that. Fails where it was not delivered."""
    with _at_mailroom(db) as room:
        tried = Tried(room.ping(id).event_id, None)
        if room.sends:
            tried.delivery = _attempted(room, id, tried.event_id, time.monotonic() + wait)
        sends = room.sends
    if as_json:
        print_json(tried)
    elif tried.delivery is not None:
        tell_delivery(tried.delivery)
    elif sends:
        err.print(f"not sent yet; see `chatloom webhooks log {id} --event {tried.event_id}`")
    else:
        out.print(f"no server runs on this database; {tried.event_id} is sent when one starts")
    if sends and (tried.delivery is None or tried.delivery.state != "delivered"):
        raise typer.Exit(1)


def _attempted(room: Mailroom, id: str, event_id: str, until: float) -> Delivery | None:
    """The delivery of an event, once it was attempted; `None` where it was not until then."""
    while True:
        found = room.deliveries(id, DeliveryPage(event_id=event_id)).deliveries
        if found and (found[0].attempts or found[0].state != "waiting"):
            return found[0]
        if time.monotonic() > until:
            return None
        time.sleep(_PAUSE)


@commands.command("replay")
def replay(
    id: Id,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="ID", help="An event, whatever became of it; repeatable."),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="failed, missed or delivered; repeatable. By default failed and missed.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=_read_time, help="Only what came then or later."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=_read_time, help="Only what came before."),
    ] = None,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Send events again, under their ids: by default what failed or was missed."""
    told = {"event_ids": event or None, "states": state or None, "since": since, "until": until}
    with _at_mailroom(db) as room:
        replayed = room.replay(id, msgspec.convert(told, Replay))
        sends = room.sends
    if as_json:
        print_json(replayed)
        return
    count = "1 event is" if replayed.count == 1 else f"{replayed.count:,} events are"
    out.print(f"{count} sent again{'' if sends else ' when a server starts'}")


@commands.command("log")
def log(
    id: Id,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only waiting, delivered, failed or missed ones."),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="Only this event.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The most to be listed.")] = 20,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Tell what became of events, attempt by attempt, the newest first."""
    told = {"state": state, "event_id": event, "limit": limit}
    with _at_mailroom(db) as room:
        page = room.deliveries(id, msgspec.convert(told, DeliveryPage))
    if as_json:
        print_json(page)
        return
    for delivery in page.deliveries:
        tell_delivery(delivery)
    if page.has_more:
        err.print("there are more; see --limit")
    if not page.deliveries:
        err.print("there is nothing in it")


def _at_mailroom(db: Path | None) -> AbstractContextManager[Mailroom]:
    from chatloom.cli.mailroom import mailroom

    return opened(mailroom, db)
