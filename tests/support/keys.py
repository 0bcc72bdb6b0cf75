"""Keys made at a running server."""

from __future__ import annotations

from typing import Any

from support.http import Answer
from support.live import Live


def new_key(server: Live, name: str = "test", **fields: object) -> Any:
    """Make a key as its administrator; the answer's ``secret`` is the key itself."""
    answer = server.call("POST", "/admin/keys", {"name": name, **fields}, key=server.admin_key)
    assert answer.status == 201, answer.body
    return answer.json


def secret(server: Live, name: str = "test", **fields: object) -> str:
    """Make a key, and tell it."""
    return str(new_key(server, name, **fields)["secret"])


def descend(server: Live, parent: str, **fields: object) -> Answer:
    """Ask for a key that descends from *parent*, a secret."""
    return server.call("POST", "/v1/keys", {"name": "heir", **fields}, key=parent)


def heir(server: Live, parent: str, **fields: object) -> Any:
    """Make a key that descends from *parent*; the answer's ``secret`` is the key itself."""
    answer = descend(server, parent, **fields)
    assert answer.status == 201, answer.body
    return answer.json


def says(server: Live, key: str, path: str = "/v1/models") -> str:
    """The code by which *key* is refused at *path*; nothing where it is not."""
    answer = server.call("GET", path, key=key)
    return "" if answer.status == 200 else str(answer.error["code"])
