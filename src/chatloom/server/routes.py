"""The route table: what there is, who may use it, what goes in and comes out.

Routing, the scope tests and ``openapi.json`` all derive from it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import UnionType
from typing import Literal, TypeAlias

import msgspec
from starlette.routing import compile_path

from chatloom.server.call import Call, Reply, StreamedReply
from chatloom.server.identity.powers import Scope
from chatloom.server.refusal import Kind

Owner: TypeAlias = Literal[
    "chatroutes", "chatserver", "zaguan", "infinity", "puter", "anthropic", "chatloom"
]
"""Whose words errors are told in."""

Endpoint: TypeAlias = Callable[[Call], Awaitable[Reply | StreamedReply]]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One address, and all that is declared of it."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    owner: Owner
    summary: str
    endpoint: Endpoint
    scope: Scope | Literal["public", "control"]
    """What a key needs; `control` is for the commands of the server's own machine alone."""
    takes_token: bool = False
    """Whether a key may also be shown as Puter's clients do: in the body, or by a cookie."""
    query: type | None = None
    """What its query string may say."""
    request: type | None = None
    answer: type | None = None
    status: int = 200
    errors: tuple[Kind, ...] = ()
    """How it may say no, beside what every address that needs a key may say."""
    paid: bool = False
    """Whether it costs; then it is idempotent by key."""
    heeds_key: bool = False
    """Whether it is idempotent by key though it costs nothing: it makes something."""
    streams: type | UnionType | None = None
    """What each event of a streamed answer holds, where there is one."""
    streamed_as: str = "text/event-stream"
    """The content type of that."""

    @property
    def is_keyed(self) -> bool:
        """Whether a repeated request with the same idempotency key takes effect once."""
        return self.paid or self.heeds_key

    @property
    def refusals(self) -> tuple[Kind, ...]:
        """Every way in which it may say no."""
        return self.errors if self.scope == "public" else (*_OF_EVERY_KEY, *self.errors)


_OF_EVERY_KEY: tuple[Kind, ...] = ("unauthenticated", "forbidden", "rate_limited")

Methods: TypeAlias = dict[str, Route]
"""The routes at one path, by method."""


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, Methods] = {}
        self._patterns: list[tuple[re.Pattern[str], Methods]] = []
        for route in self.routes:
            if "{" not in route.path:
                self._exact.setdefault(route.path, {})[route.method] = route
        for path in dict.fromkeys(route.path for route in self.routes if "{" in route.path):
            methods: Methods = {route.method: route for route in self.routes if route.path == path}
            self._patterns.append((compile_path(path)[0], methods))

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """The routes at *path* by method, and what stands in its places; both empty for none."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for pattern, methods in self._patterns:
            if found := pattern.match(path):
                return methods, found.groupdict()
        return {}, {}
