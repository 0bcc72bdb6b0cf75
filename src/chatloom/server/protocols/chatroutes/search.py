"""Searching in one's conversations."""

from __future__ import annotations

import re

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import end_user_of
from chatloom.server.moments import iso
from chatloom.server.protocols.chatroutes.access import conversation_named
from chatloom.server.protocols.chatroutes.cursors import BehindHit
from chatloom.server.protocols.cursors import cursor_of, read_cursor
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store.trees import Found
from chatloom.wire import chatroutes as wire

_SNIPPET = 80
"""Characters before and behind what was found."""


async def search(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/search``."""
    asked = call.read_query(wire.SearchQuery)
    words = _words(asked.q)
    if not words:
        raise invalid("there is no word to look for", param="q")
    within = None
    if asked.conversation_id is not None:
        within = (await conversation_named(call, asked.conversation_id)).id
    before = None if asked.cursor is None else read_cursor(asked.cursor, BehindHit).position
    store = call.services.store
    await store.index_words()
    found = await store.search(
        call.key.account_id,
        " AND ".join(map(_sought, words)),
        end_user=end_user_of(call.key, None),
        conversation_id=within,
        before=before,
        limit=asked.limit + 1,
    )
    some, goes_on = found[: asked.limit], len(found) > asked.limit
    told = wire.Hits(
        hits=[_hit(one, words[0].rstrip("*")) for one in some],
        has_next=goes_on,
        next_cursor=cursor_of(BehindHit(some[-1].position)) if goes_on else None,
    )
    return json_reply(wire.Answer(data=told))


_TERM = re.compile(r'"([^"]+)"|([^\s"]+)')
_SAYING = re.compile(r"\w")


def _words(text: str) -> list[str]:
    """The words, and phrases in quotes, that say something."""
    terms = _TERM.findall(text.replace("\0", " "))
    return [one for phrase, word in terms if _SAYING.search(one := phrase or word)]


def _sought(word: str) -> str:
    """A word or phrase as FTS5 takes it: in quotes, in which nothing has a meaning of its own."""
    begins = "*" if word.endswith("*") else ""
    return f'"{word.rstrip("*")}"{begins}'


def _hit(found: Found, word: str) -> wire.Hit:
    node = found.node
    return wire.Hit(
        conversation_id=node.conversation_id,
        conversation_title=found.title or "",
        branch_id=node.branch_id,
        message_id=node.id,
        role=node.message.role,
        snippet=_snippet(node.message.text, word),
        created_at=iso(node.created_at),
    )


def _snippet(text: str, word: str) -> str:
    found = re.search(re.escape(word), text, re.IGNORECASE)
    first, last = found.span() if found is not None else (0, 0)
    start, end = max(0, first - _SNIPPET), min(len(text), last + _SNIPPET)
    told = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{told}{'…' if end < len(text) else ''}"


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/conversations/search",
        owner="chatroutes",
        summary="Search in one's conversations, the newest messages first",
        endpoint=search,
        scope="chat",
        query=wire.SearchQuery,
        answer=wire.Answer[wire.Hits],
        errors=("invalid", "not_found"),
    ),
)
