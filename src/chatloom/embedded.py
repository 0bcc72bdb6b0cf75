"""The server inside the process: no port, no daemon. To the server what SQLite is to PostgreSQL.

    embedded:                   in memory, private to the client
    embedded:NAME               in memory, shared by name within the process
    embedded:///path/file.db    a file; embedded:///C:/path/file.db on Windows

It begins with the first request and ends with the last client. In memory there
are the offline models, and any key is accepted, each with an account of its
own. A file is as ``chatloom serve`` would have it: its lock, the configuration
file, the providers in the environment. Where it holds keys that somebody made,
it wants one of them; else any will do, or none.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.settings import EMBEDDED
from chatloom.transports.asgi import AsgiTransport, Hosted

if TYPE_CHECKING:
    from chatloom.core.outside import Outside
    from chatloom.server.app import App
    from chatloom.server.lock import DatabaseLock
    from chatloom.server.services import Services
    from chatloom.server.settings import ServerSettings
    from chatloom.transports.asgi.application import Message, Receive, Scope, Send

NOBODY = "embedded"
"""The key of a client that was given none, where any is accepted."""
_NAME = re.compile(r"[\w-]{1,100}")
_FORMS = "'embedded:', 'embedded:NAME' or 'embedded:///path/file.db'"


def outside(base_url: str, *, blocking: bool) -> Outside:
    """The outside world of a client whose *base_url* is ``embedded:…``.

    Raises `SettingsError` for an address of no known form, and where the server
    is not installed.
    """
    return AsgiTransport(hosted(base_url), blocking=blocking)


def hosted(base_url: str) -> Hosted:
    """The embedded server at *base_url*, shared where others in this process have it."""
    _check_installed()
    place = base_url.removeprefix(EMBEDDED)
    if not place:
        return Hosted(Embedded(None))
    if "/" not in place and "\\" not in place:
        if not _NAME.fullmatch(place):
            raise SettingsError(f"base_url must be {_FORMS}, and a name without dots or blanks")
        return share(place, Embedded(None))
    path = _resolved(file_path(place, windows=sys.platform == "win32"))
    return share(os.path.normcase(path), Embedded(path))


def file_path(place: str, *, windows: bool) -> str:
    """The absolute path in ``///path/file.db``; quoted characters are unquoted."""
    if not place.startswith("///") or place.endswith("/") or "?" in place or "#" in place:
        raise SettingsError(f"base_url must be {_FORMS}, the path absolute")
    path = unquote(place[2:])
    return path[1:] if windows and re.match(r"/[A-Za-z]:[/\\]", path) else path


def _resolved(path: str) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise SettingsError(f"base_url names {path!r}, which is no path: {error}") from error


_shared: weakref.WeakValueDictionary[tuple[int, str], Hosted] = weakref.WeakValueDictionary()
_sharing = threading.Lock()


def share(name: str, server: Embedded) -> Hosted:
    """What goes by *name* in this process already, else *server*, by that name from now on."""
    with _sharing:
        return _shared.setdefault((os.getpid(), name), Hosted(server))


if sys.platform != "win32":
    # What another thread of the parent held would never be released in the child.
    os.register_at_fork(before=_sharing.acquire, after_in_child=_sharing.release)
    os.register_at_fork(after_in_parent=_sharing.release)


def _check_installed() -> None:
    from importlib.util import find_spec

    if find_spec("starlette") is None:
        raise SettingsError("an embedded server needs more: pip install 'chatloom[server]'")


class Embedded:
    """The server as an application that opens its database when it is started."""

    grace = 0.5
    """Seconds that running turns have to end once the last client has left."""

    def __init__(self, database: Path | None) -> None:
        self._database = database
        self._begun_in: int | None = None
        self._app: App | None = None
        self._accepts_any = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        assert self._app is not None
        if self._accepts_any:
            _introduce(scope)
        await self._app(scope, receive, send)

    async def open(self) -> Services:
        """Open the database, and put a server together around it."""
        from chatloom.server.assembly import assemble, holds_real_keys
        from chatloom.server.models.registry import Registry
        from chatloom.server.settings import ServerSettings
        from chatloom.server.store.sqlite import SQLiteStore

        in_memory = self._database is None
        settings = ServerSettings() if in_memory else _settings()
        environ: Mapping[str, str] = {} if in_memory else os.environ
        # A file answers as itself: a model that is not there must not be taken for one that is.
        registry = Registry(settings, environ, dev=in_memory, use_providers=not in_memory)
        store = SQLiteStore(self._database)
        try:
            dev = not await holds_real_keys(store)
            return assemble(lambda: store, registry, settings, dev=dev, environ=environ)
        except BaseException:
            await store.close()
            raise

    async def stop(self) -> None:
        """Let running turns end; begin no more."""
        if self._app is not None:
            await self._app.stop(self.grace)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._begun_in not in {None, os.getpid()}:
            raise SettingsError(
                "an embedded server stays behind in the process that began it;"
                " make a client of its own in the forked child"
            )
        self._begun_in = os.getpid()
        lock = None if self._database is None else _locked(self._database)
        try:
            await self._live_with(await self._opened(), scope, receive, send)
        finally:
            if lock is not None:
                lock.release()

    async def _opened(self) -> Services:
        try:
            return await self.open()
        except ChatloomError:
            raise
        except Exception as error:
            raise SettingsError(f"{self._database or EMBEDDED} cannot be used: {error}") from error

    async def _live_with(
        self, services: Services, scope: Scope, receive: Receive, send: Send
    ) -> None:
        from chatloom.server.app import App

        self._app = App(services)
        self._accepts_any = services.dev

        async def ending() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.stop()
            return message

        await self._app(scope, ending, send)


def _locked(database: Path) -> DatabaseLock:
    from chatloom.server.lock import DatabaseLock, Holder, Locked

    lock = DatabaseLock(database)
    try:
        lock.acquire()
    except Locked as locked:
        holder = locked.holder
        advice = "give the client the address of that server instead"
        if holder is not None and holder.url is not None:
            advice = f"give the client base_url={holder.url!r} instead"
        elif holder is not None:
            advice = "to share a database between programs, serve it: chatloom serve"
        raise SettingsError(f"{locked.message}; {advice}") from None
    lock.tell(Holder(None, "", os.getpid()))
    return lock


def _settings() -> ServerSettings:
    """What ``chatloom serve`` would read: ``$CHATLOOM_CONFIG``, else the user's own file."""
    from chatloom.server.settings import load
    from chatloom.transports.home import config_folder

    named = os.environ.get("CHATLOOM_CONFIG")
    own = config_folder() / "chatloom.toml"
    return load(Path(named) if named else own if own.is_file() else None)


def _introduce(scope: Scope) -> None:
    """Give a request that shows no key the one of nobody in particular."""
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    if not any(name in {b"authorization", b"x-api-key"} for name, _ in headers):
        headers.append((b"authorization", f"Bearer {NOBODY}".encode()))
