"""Keys made at a running server."""

from __future__ import annotations

from typing import Any

from support.live import Live


def new_key(server: Live, name: str = "test", **fields: object) -> Any:
    """Make a key as its administrator; the answer's ``secret`` is the key itself."""
    answer = server.call("POST", "/admin/keys", {"name": name, **fields}, key=server.admin_key)
    assert answer.status == 201, answer.body
    return answer.json


def secret(server: Live, name: str = "test", **fields: object) -> str:
    """Make a key, and tell it."""
    return str(new_key(server, name, **fields)["secret"])
