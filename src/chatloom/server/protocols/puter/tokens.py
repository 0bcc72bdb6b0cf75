"""Tokens, as Puter's clients show them: in the body of a request, or by a cookie.

A further way of theirs, in the address, is not taken: addresses end up in logs.
"""

from __future__ import annotations

import msgspec

from chatloom.core.http import UNREADABLE
from chatloom.core.secret import Secret
from chatloom.server.call import Call
from chatloom.server.guards import is_own_page
from chatloom.server.refusal import Refusal
from chatloom.wire.unshown import Unshown

CLAIMED_ORIGINS = frozenset({"https://puter.com", "https://puter.work"})
"""What clients in Python, and in Node, say as if they were pages there."""
_COOKIE = "puter_token"
_OF_PAGES = frozenset({"origin", "sec-fetch-site"})
"""By which a browser says that a page asks."""


class _Shown(Unshown):
    auth_token: str | None = None


async def of_body(call: Call) -> str | None:
    """The token in the body of *call*; `None` also where that is nothing that can hold one."""
    if call.scope["method"] != "POST":
        return None
    try:
        return _read(await call.peek()).auth_token
    except UNREADABLE:  # who shows a key in another way is told why
        return None


_read = msgspec.json.Decoder(_Shown).decode


def of_cookie(call: Call) -> str | None:
    """The token that a page of this server holds; one of another server shows none.

    Raises `Refusal` where there are two.
    """
    pairs = (pair.strip().partition("=") for pair in call.headers.get("cookie", "").split(";"))
    found = [value for name, _, value in pairs if name == _COOKIE]
    if not found or not is_own_page(call.headers, call.scope["method"]):
        return None
    if len(found) > 1:
        raise Refusal("unauthenticated", "the token is given twice", code="ambiguous_api_key")
    return found[0]


def cookie(call: Call, token: Secret, seconds: int) -> list[tuple[bytes, bytes]]:
    """The headers that have a page of this server hold *token*; none for one of another."""
    is_of_a_page = not _OF_PAGES.isdisjoint(call.headers)
    if is_of_a_page and not is_own_page(call.headers, call.scope["method"]):
        return []
    origin = call.headers.get("origin", "")
    # That it came by TLS only the page can tell, where something else ended that before us.
    secure = "; Secure" if origin.startswith("https:") else ""
    held = f"{_COOKIE}={token.reveal()}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict"
    return [(b"set-cookie", f"{held}{secure}".encode())]


async def require_api_token(call: Call) -> None:
    """Refuse the token of a session, where only a key will do."""
    if await call.services.people.sessions.of(call.key) is not None:
        raise Refusal(
            "forbidden",
            "the token of a session is not taken here; show an API key, as POST /v1/keys makes",
            code="app_or_api_token_required",
        )
