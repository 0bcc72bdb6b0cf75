"""What research works with on one server: its providers, and its way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec

from chatloom.core.secret import Secret
from chatloom.server.egress import Egress, EgressError, EgressSettings, FetchLimits
from chatloom.server.research.settings import ResearchSettings
from chatloom.server.research.sources import (
    BraveProvider,
    Fetch,
    Hit,
    KnowledgeProvider,
    Page,
    SearchProvider,
    SearxngProvider,
    SourceError,
    TavilyProvider,
)

Known: TypeAlias = Callable[[str, str, int], Awaitable[Sequence[Hit]]]
"""Searches what an account knows: account, query, how many."""

_LIMITS = FetchLimits(connect=5.0, idle=8.0, total=15.0, body_bytes=3 * 1024 * 1024)


class Research:
    """Search providers as they are configured, and fetching for them."""

    def __init__(
        self,
        settings: ResearchSettings,
        environ: Mapping[str, str],
        egress: Egress,
        engines: Egress,
        known: Known,
    ) -> None:
        self.fetch: Fetch = fetching(egress)
        self._known = known
        self._engines = _engines(settings, environ, fetching(engines))

    def providers(self, account_id: str) -> list[SearchProvider]:
        """What is searched for this account."""

        async def search(query: str, limit: int) -> Sequence[Hit]:
            return await self._known(account_id, query, limit)

        return [KnowledgeProvider(search), *self._engines]


def engines_allowed(settings: ResearchSettings, egress: EgressSettings) -> EgressSettings:
    """The way out to search engines: what stands in the configuration is trusted."""
    if settings.searxng is None:
        return egress
    named = urlsplit(settings.searxng)
    port = named.port or (443 if named.scheme == "https" else 80)
    return msgspec.structs.replace(egress, allow=[*egress.allow, f"{named.hostname}:{port}"])


def _engines(
    settings: ResearchSettings, environ: Mapping[str, str], fetch: Fetch
) -> list[SearchProvider]:
    engines: list[SearchProvider] = []
    if settings.searxng:
        engines.append(SearxngProvider(fetch, settings.searxng))
    if key := environ.get(settings.brave_key_env or ""):
        engines.append(BraveProvider(fetch, Secret(key), settings.brave_url))
    if key := environ.get(settings.tavily_key_env or ""):
        engines.append(TavilyProvider(fetch, Secret(key), settings.tavily_url))
    return engines


def fetching(egress: Egress) -> Fetch:
    """Fetch through *egress*; a page that cannot be had is a `SourceError` that says why."""

    async def fetch(
        url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Page:
        try:
            answer = await egress.request(
                "GET" if body is None else "POST",
                url,
                headers=headers,
                body=body or b"",
                limits=_LIMITS,
            )
        except EgressError as error:
            raise SourceError(str(error)) from error
        if answer.status != 200:
            raise SourceError(f"it answered {answer.status}")
        return Page(
            url=answer.url, content_type=answer.headers.get("content-type", ""), body=answer.body
        )

    return fetch
