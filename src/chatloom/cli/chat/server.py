"""Whom a talk is with.

The first of: the address that was given or set, the server of this machine that
has the user's database open, one at the usual port, and one inside this very
process, on the user's database.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import msgspec

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.shared import database_path
from chatloom.core.errors import ChatloomError, StatusError
from chatloom.core.secret import Secret
from chatloom.core.settings import EMBEDDED, Habits
from chatloom.embedded import outside
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
_MOST_TALKS = 100


class Server(msgspec.Struct, frozen=True):
    """A server to talk to."""

    client: ChatClient
    where: str
    """For people."""
    options: str = ""
    """What leads there again, beside no option at all."""


def find_server(url: str | None, key: str | None, database: Path | None) -> Server:
    """Find whom to talk to. Raises `ChatloomError`."""
    told = settings(_HABITS, base_url=url, api_key=key)
    if url is not None or told.base_url != _HABITS.base_url:
        return _named(told.base_url, told.api_key, f" --url {quote(url)}" if url else "")
    for path in [database_path(database)] if database else _own_databases():
        holder = _holder_of(path)
        if holder is not None and holder.url is not None:
            known = told.api_key or _own_key(holder.url, path)
            client = _over_loopback(holder.url, known)
            return Server(client, f"at {holder.url}", _database_option(database))
    if database is None and _is_ours(told.base_url):
        client = _over_loopback(told.base_url, told.api_key or _ANY_KEY)
        return Server(client, f"at {told.base_url}")
    path = (database or _free_database()).absolute()
    known = Secret(key) if key else _file_key(path, database is None)
    client = _inside(EMBEDDED + path.as_uri().removeprefix("file:"), known)
    return Server(client, f"in {_short(path)}", _database_option(path))


def _named(url: str, key: Secret | None, options: str) -> Server:
    if url.startswith(EMBEDDED):
        return Server(_inside(url, key), f"in {url}", options)
    if key is None and address_of(url).host in {"localhost", "127.0.0.1", "::1"}:
        key = _ANY_KEY
    return Server(ChatClient.at(BlockingTransport(url), key), f"at {url}", options)


def _inside(url: str, key: Secret | None) -> ChatClient:
    return ChatClient.at(outside(url, blocking=True), key)


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _database_option(path: Path | None) -> str:
    is_found = path is None or path == database_path(None).absolute()
    return "" if is_found else f" --db {quote(str(path))}"


def _over_loopback(url: str, key: Secret | None) -> ChatClient:
    # No proxy: what is sent here is for this machine alone.
    return ChatClient.at(BlockingTransport(url, environment={}), key)


def _own_databases() -> Iterator[Path]:
    yield database_path(None)
    yield database_path(None, dev=True)


def _free_database() -> Path:
    """The user's database, or another one where a talk elsewhere has it to itself."""
    own = database_path(None)
    others = (own.with_stem(f"{own.stem}-{number}") for number in range(2, _MOST_TALKS))
    return next((path for path in (own, *others) if not _is_held(path)), own)


def _is_held(database: Path) -> bool:
    try:
        return _holder_of(database) is not None
    except Locked:
        return True


def _holder_of(database: Path) -> Holder | None:
    """Who has *database* open, where somebody has. Raises `Locked` if nobody knows who."""
    if not database.with_name(database.name + ".lock").exists():
        return None  # and none is made by looking
    try:
        with DatabaseLock(database):
            return None
    except Locked as locked:
        if locked.holder is None:
            raise
        return locked.holder


def _is_ours(url: str) -> bool:
    """Whether a server of chatloom answers at *url*."""
    try:
        with _over_loopback(url, None) as client:
            return client.health().service == "chatloom"
    except ChatloomError:
        return False


def _own_key(url: str, database: Path) -> Secret:
    """A key for the server at *url*, which has *database* open."""
    return _ANY_KEY if _is_welcome(url, _ANY_KEY) else _new_secret(database)


def _file_key(database: Path, is_own: bool) -> Secret:
    """A key for a server inside this process.

    In the user's own database it is the one that a server of its own would
    want; in another file only where keys were made, for without any it takes
    all, and programs may count on that.
    """
    from chatloom.cli.desk import desk

    if not is_own:
        if not database.exists():
            return _ANY_KEY
        with desk(database) as keys:
            if all(known.dev for known in keys.list().keys):
                return _ANY_KEY
    return _new_secret(database)


def _new_secret(database: Path) -> Secret:
    """Give the key of all talks a secret more.

    Whoever may read the database, or its server's lock file, may do that. The
    secret is kept nowhere, and as the key stays the same, all talks have the
    same conversations.
    """
    from chatloom.cli.desk import desk

    with desk(database) as keys:
        for known in keys.list().keys:
            if known.name == _NAME and known.revoked_at is None:
                made = keys.rotate(known.id, Rotation(overlap_seconds=_OVERLAP))
                break
        else:
            made = keys.create(NewKey(name=_NAME))
    assert made.secret is not None, "a key that was just made is shown"
    return Secret(made.secret)


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
    """The model that answers where nobody names one.

    That is the first that was configured: what a provider merely offers might
    cost more than anybody meant to spend. Raises `ChatloomError` where the
    server cannot be talked to.
    """
    try:
        found = client.models().data
    except StatusError as error:
        if error.status_code != 403:  # a key need not be allowed to list them
            raise
        return _OFFLINE
    names = [model.id for model in found]
    configured = [
        model.id
        for model in found
        if model.provider != _OWN and not model.id.startswith(f"{model.provider}/")
    ]
    return next(iter(configured or (names if _OFFLINE not in names else ())), _OFFLINE)
