"""Whom a talk is with.

The first of: the address that was given or set, the server of this machine
that has the user's database open, and one at the usual port.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.shared import database_path
from chatloom.core.errors import ChatloomError, SettingsError, StatusError
from chatloom.core.secret import Secret
from chatloom.core.settings import Habits
from chatloom.engines import settings
from chatloom.server.lock import DatabaseLock, Holder, Locked
from chatloom.transports.address import address_of
from chatloom.transports.blocking import BlockingTransport
from chatloom.wire.chatloom import NewKey, Rotation

_HABITS = Habits(
    name="chat",
    base_url="http://localhost:3284",
    key_variable="CHATLOOM_API_KEY",
    url_variable="CHATLOOM_BASE_URL",
    path="/v1",
)
_NAME = "chatloom chat"
"""What its own key is called."""
_OFFLINE, _OWN = "loom/scribe", "loom"
_ANY_KEY = Secret("chatloom-chat")
"""For servers that take any."""
_OVERLAP = 86_400.0
"""Seconds that talks which have begun before may still go on."""


class Server(msgspec.Struct, frozen=True):
    """A server to talk to."""

    client: ChatClient
    where: str


def find_server(url: str | None, key: str | None, database: Path | None) -> Server:
    """Find whom to talk to. Raises `ChatloomError`."""
    told = settings(_HABITS, base_url=url, api_key=key)
    if url is not None or told.base_url != _HABITS.base_url:
        known = told.api_key or (_ANY_KEY if _is_loopback(told.base_url) else None)
        return Server(ChatClient.at(BlockingTransport(told.base_url), known), told.base_url)
    for path in [database] if database else _own_databases():
        holder = _holder_of(path)
        if holder is not None:
            known = told.api_key or _own_key(holder.url, path)
            return Server(_over_loopback(holder.url, known), holder.url)
    if database is None and _is_ours(told.base_url):
        client = _over_loopback(told.base_url, told.api_key or _ANY_KEY)
        return Server(client, told.base_url)
    raise SettingsError(
        "no server runs here; `chatloom serve --dev` in another terminal starts one, "
        "--url names one elsewhere"
    )


def _over_loopback(url: str, key: Secret | None) -> ChatClient:
    # No proxy: what is sent here is for this machine alone.
    return ChatClient.at(BlockingTransport(url, environment={}), key)


def _is_loopback(url: str) -> bool:
    return address_of(url).host in {"localhost", "127.0.0.1", "::1"}


def _own_databases() -> Iterator[Path]:
    yield database_path(None)
    yield database_path(None, dev=True)


def _holder_of(database: Path) -> Holder | None:
    """The server that has *database* open, where one has."""
    if not database.with_name(database.name + ".lock").exists():
        return None  # and none is made by looking
    try:
        with DatabaseLock(database):
            return None
    except Locked as locked:
        return locked.holder


def _is_ours(url: str) -> bool:
    """Whether a server of chatloom answers at *url*."""
    try:
        with _over_loopback(url, None) as client:
            return client.health().service == "chatloom"
    except ChatloomError:
        return False


def _own_key(url: str, database: Path) -> Secret:
    """A key for the server that has *database* open.

    Whoever may read its lock file may make one. It is kept nowhere: each talk
    gives the same key a new secret, so that all have the same conversations.
    """
    if _is_welcome(url, _ANY_KEY):
        return _ANY_KEY
    from chatloom.cli.desk import desk

    with desk(database) as keys:
        for known in keys.list().keys:
            if known.name == _NAME and known.revoked_at is None:
                secret = keys.rotate(known.id, Rotation(overlap_seconds=_OVERLAP)).secret
                break
        else:
            secret = keys.create(NewKey(name=_NAME)).secret
    assert secret is not None, "a key that was just made is shown"
    return Secret(secret)


def _is_welcome(url: str, key: Secret) -> bool:
    try:
        with _over_loopback(url, key) as client:
            client.models()
    except StatusError as error:
        if error.status_code == 401:
            return False
        raise
    return True


def choose_model(client: ChatClient) -> str:
    """The model that answers where nobody names one: the first that was configured.

    Raises `ChatloomError` where the server cannot be talked to.
    """
    try:
        found = client.models().data
    except StatusError as error:
        if error.status_code != 403:  # a key need not be allowed to list them
            raise
        return _OFFLINE
    elsewhere = [model.id for model in found if model.provider != _OWN]
    names = [model.id for model in found]
    return elsewhere[0] if elsewhere else _OFFLINE if _OFFLINE in names or not names else names[0]
