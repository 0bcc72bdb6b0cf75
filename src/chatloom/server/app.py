"""The ASGI application: guards, routing, and the two ways an answer goes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from starlette.types import Receive, Scope, Send

from chatloom.server.call import BrokenOff, Call, LastPiece, Reply, StreamedReply
from chatloom.server.guards import check_host, check_origin
from chatloom.server.identity.admission import admit
from chatloom.server.ids import new_id
from chatloom.server.protocols import asking, completions, documentation, embeddings, repeats
from chatloom.server.protocols.anthropic import routes as anthropic
from chatloom.server.protocols.anthropic.telling import VOICE as MESSAGES
from chatloom.server.protocols.chatloom import routes as chatloom
from chatloom.server.protocols.chatloom import turns
from chatloom.server.protocols.chatroutes import routes as chatroutes
from chatloom.server.protocols.chatroutes import telling as exchanges
from chatloom.server.protocols.chatserver import routes as chatserver
from chatloom.server.protocols.envelopes import owner_of, refuse
from chatloom.server.protocols.infinity import research as infinity_research
from chatloom.server.protocols.infinity import routes as infinity
from chatloom.server.protocols.infinity import telling as infinity_chat
from chatloom.server.protocols.puter import routes as puter
from chatloom.server.protocols.puter import telling as puter_chat
from chatloom.server.protocols.puter import tokens
from chatloom.server.protocols.zaguan import routes as zaguan
from chatloom.server.refusal import Refusal
from chatloom.server.routes import Route, RouteTable
from chatloom.server.services import Services

_log = logging.getLogger("chatloom.server")

VOICES = {
    infinity_chat.PROTOCOL: infinity_chat.VOICE,
    infinity_research.PROTOCOL: infinity_research.VOICE,
    puter_chat.PROTOCOL: puter_chat.VOICE,
    exchanges.PROTOCOL: exchanges.VOICE,
    asking.PROTOCOL: asking.VOICE,
    "chatserver": completions.VOICE,
    "anthropic": MESSAGES,
    embeddings.PROTOCOL: embeddings.VOICE,
}
"""How each protocol tells a turn."""

ROUTES: tuple[Route, ...] = (
    *chatroutes.ROUTES,
    *chatserver.ROUTES,
    *anthropic.ROUTES,
    *embeddings.ROUTES,
    *zaguan.ROUTES,
    *infinity.ROUTES,
    *puter.ROUTES,
    *turns.routes(VOICES),
    *chatloom.ROUTES,
    *documentation.routes(lambda: ROUTES),
)

_MESSAGES = ("/v1/messages", "/puterai/anthropic/")
_COURIERS_GRACE = 2.0
"""Seconds that events on their way have, once turns have ended: they are sent again anyway."""

_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


class App:
    """Serves all protocols."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._table = RouteTable(ROUTES)
        self._hosts = frozenset(services.settings.hosts)
        self._stopping: asyncio.Task[None] | None = None

    async def stop(self, grace: float) -> None:
        """Let running turns end for *grace* seconds, then cancel them; begin no more."""
        self._stopping = asyncio.create_task(self._stop(grace))
        await self._stopping

    async def _stop(self, grace: float) -> None:
        await self._services.turns.close(grace)
        await self._services.couriers.close(min(grace, _COURIERS_GRACE))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._services.turns.recover()
        self._services.couriers.start()
        tidying = asyncio.create_task(self._services.tidy())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tidying.cancel()
        if self._stopping is not None:
            await self._stopping  # also where no reader is left who would be waited for
        await self._services.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._services, scope, receive, _headers(scope))
        call.request_id = _request_id(call.headers)
        try:
            reply = await self._reply(call)
            common = [*_SECURITY, (b"x-request-id", call.request_id.encode())]
            if scope["path"].startswith(_MESSAGES):  # as Anthropic's clients call it
                common.append((b"request-id", call.request_id.encode()))
            if (key := call.honoured_key) is not None:
                common.append((repeats.HEADER.encode(), key.encode()))
            if call.standing is not None:
                common += call.standing.headers()
            if isinstance(reply, StreamedReply):
                await _send_stream(reply, common, send)
            else:
                await _send_whole(reply, common, send)
        except BrokenOff:
            # Returning without a last body makes the server cut the connection: no client can
            # take what it got for the whole answer.
            return
        except asyncio.CancelledError:
            if self._stopping is None:
                raise  # else uvicorn gave it up, and would log it as a failure
        finally:
            call.over()

    async def _reply(self, call: Call) -> Reply | StreamedReply:
        path = call.scope["path"]
        owner, known = None, None
        try:
            check_host(call.headers.get("host"), self._hosts)
            if "origin" in call.headers:
                claimed = tokens.CLAIMED_ORIGINS if owner_of(path) == "puter" else ()
                check_origin(call.headers, dev=self._services.dev, claimed=claimed)
            methods, call.parts = self._table.find(path)
            if any(one.is_keyed for one in methods.values()):
                call.honoured_key = repeats.key_of(call)
            if methods and call.scope["method"] == "OPTIONS":
                return _options(methods)
            call.route = route = _route(methods, call.scope)
            owner = route.owner
            if route.scope != "public":
                call.key = known = await self._services.identity.of(await _credential(call))
                await admit(call)
            return await route.endpoint(call)
        except Refusal as refusal:
            if known is not None:
                address = f"{call.route.method} {call.route.path}"
                self._services.refusals.note(known, address, refusal)
            return refuse(refusal, owner or owner_of(path))
        except BrokenOff:
            raise
        except Exception:
            _log.exception("%s %s failed (request %s)", call.scope["method"], path, call.request_id)
            broken = Refusal("internal", "the server failed; its log says why", code="internal")
            return refuse(broken, owner or owner_of(path))


SAID_TWICE = "\0"
"""Stands for a header of which nobody can tell which value is meant."""
_UNIQUE = frozenset({"host", "authorization", "x-api-key", "origin", "idempotency-key"})


async def _credential(call: Call) -> str | None:
    if not call.route.takes_token:
        return credential_of(call.headers)
    told = await tokens.of_body(call)
    return credential_of(call.headers, told, cookie=tokens.of_cookie(call))


def credential_of(
    headers: Mapping[str, str], told: str | None = None, *, cookie: str | None = None
) -> str | None:
    """The key a request shows, in any of the forms the five services use.

    That is the one *told* in its body, else in its head, else in its *cookie*.
    Raises `Refusal` where one of them is given twice.
    """
    if SAID_TWICE in {headers.get("authorization"), headers.get("x-api-key")}:
        raise Refusal("unauthenticated", "the API key is given twice", code="ambiguous_api_key")
    if told:
        return told
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() in {"bearer", "apikey"} and value.strip():
        return value.strip()
    return headers.get("x-api-key") or cookie


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        text = name.decode("latin-1")
        if text in found and text in _UNIQUE:
            found[text] = SAID_TWICE
        elif text in found and text == "cookie":  # may come in parts (RFC 9113, 8.2.3)
            found[text] += "; " + value.decode("latin-1")
        else:
            found[text] = value.decode("latin-1")
    return found


def _request_id(headers: Mapping[str, str]) -> str:
    """The caller's own ``X-Request-Id``, echoed where it is harmless; it means nothing here."""
    told = headers.get("x-request-id", "")
    return told if 0 < len(told) <= 128 and told.isascii() and told.isprintable() else new_id()


def _route(methods: Mapping[str, Route], scope: Scope) -> Route:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if not methods:
        raise Refusal(
            "not_found",
            f"there is nothing at {scope['path']}; /docs lists what there is",
            code="unknown_route",
        )
    route = methods.get(method)
    if route is None or (scope["method"] == "HEAD" and route.streams is not None):
        raise Refusal(
            "method_not_allowed",
            f"{scope['path']} takes {_allowed(methods)}, not {scope['method']}",
            code="method_not_allowed",
            allowed=_allowed(methods),
        )
    return route


def _options(methods: Mapping[str, Route]) -> Reply:
    """What can be done at an address (RFC 9110, 9.3.7); a key that it would heed is echoed."""
    allowed = _allowed(methods)
    return Reply(msgspec.json.encode({"allow": allowed}), headers=[(b"allow", allowed.encode())])


def _allowed(methods: Mapping[str, Route]) -> str:
    return ", ".join(sorted(methods))


async def _send_whole(reply: Reply, common: Sequence[tuple[bytes, bytes]], send: Send) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *common,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _send_stream(
    reply: StreamedReply, common: Sequence[tuple[bytes, bytes]], send: Send
) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"x-accel-buffering", b"no"),
        *common,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in reply.pieces:
        more = not isinstance(piece, LastPiece)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        if not more:
            return
    await send({"type": "http.response.body", "body": b""})
