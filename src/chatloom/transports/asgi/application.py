"""What an application is given (ASGI 3: asgi.readthedocs.io), and how a request is told to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TypeAlias
from urllib.parse import unquote

from chatloom.core.http import Request
from chatloom.transports.address import Address
from chatloom.transports.headers import complete, may_have_body

Scope: TypeAlias = MutableMapping[str, object]
Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSIONS = {"version": "3.0", "spec_version": "2.4"}
"""From 2.4 on, `send` raises an `OSError` once nobody listens any more."""


def scope_of(request: Request, address: Address) -> Scope:
    """Tell an application of *request*. Raises `SettingsError` as the other transports do."""
    path, _, query = address.target(request).partition("?")
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": "1.1",
        "method": request.method.upper(),
        "scheme": address.scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": _headers(request, address),
        "client": None,
        "server": (address.host, address.port),
    }


def _headers(request: Request, address: Address) -> list[tuple[bytes, bytes]]:
    headers = complete(request)
    if request.header("host") is None:
        headers.insert(0, ("host", address.authority))
    if request.header("accept-encoding") is None:
        # Nothing travels, so packing would be work for nothing.
        headers = [header for header in headers if header[0] != "accept-encoding"]
        headers.append(("accept-encoding", "identity"))
    if request.body or may_have_body(request.method):
        headers.append(("content-length", str(len(request.body))))
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers]
