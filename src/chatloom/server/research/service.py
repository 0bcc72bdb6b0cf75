"""What research works with on one server: its providers, and its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.server.egress import Egress, EgressError, EgressSettings, FetchLimits
from chatloom.server.knowledge.library import Knowledge
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

_LIMITS = FetchLimits(connect=5.0, idle=8.0, total=15.0, body_bytes=3 * 1024 * 1024)


class Engines:
    """The search engines that are configured, and the way out to them.

    Raises `SettingsError` for settings that cannot be.
    """

    def __init__(
        self, settings: ResearchSettings, egress: EgressSettings, environ: Mapping[str, str]
    ) -> None:
        self._egress = Egress(_trusting(settings, egress))
        fetch = fetching(self._egress)
        self.providers: list[SearchProvider] = []
        if settings.searxng:
            self.providers.append(SearxngProvider(fetch, settings.searxng))
        if key := environ.get(settings.brave_key_env or ""):
            self.providers.append(BraveProvider(fetch, Secret(key), settings.brave_url))
        if key := environ.get(settings.tavily_key_env or ""):
            self.providers.append(TavilyProvider(fetch, Secret(key), settings.tavily_url))

    def close(self) -> None:
        """Ask nothing more."""
        self._egress.close()


def _trusting(settings: ResearchSettings, egress: EgressSettings) -> EgressSettings:
    """Let the engines be reached that the configuration names, wherever they are."""
    named = {
        "searxng": settings.searxng,
        "brave_url": settings.brave_url,
        "tavily_url": settings.tavily_url,
    }
    allow = [_origin(name, url) for name, url in named.items() if url is not None]
    return msgspec.structs.replace(egress, allow=[*egress.allow, *allow])


def _origin(name: str, url: str) -> str:
    """Host and port of an engine's address. Raises `SettingsError`."""
    problem = SettingsError(f"research.{name} must be a plain http:// or https:// address")
    try:
        told = urlsplit(url)
        port = told.port or _PORTS[told.scheme]
    except (ValueError, KeyError):
        raise problem from None
    if not told.hostname or told.query or told.fragment or "@" in told.netloc:
        raise problem
    host = f"[{told.hostname}]" if ":" in told.hostname else told.hostname
    return f"{host}:{port}"


_PORTS = {"http": 80, "https": 443}


_AT_ONCE = 8


class Research:
    """Search providers as they are configured, and fetching for them."""

    def __init__(self, egress: Egress, engines: Engines, knowledge: Knowledge) -> None:
        self.fetch: Fetch = fetching(egress)
        self.turn = asyncio.Semaphore(_AT_ONCE)
        """Whose turn it is to search and read: few at a time, so that each gets somewhere."""
        self._engines = engines
        self._knowledge = knowledge

    def close(self) -> None:
        """Search nothing more."""
        self._engines.close()

    def providers(self, account_id: str) -> list[SearchProvider]:
        """What is searched for this account."""

        async def search(query: str, limit: int) -> list[Hit]:
            found = await self._knowledge.search(account_id, query, limit=limit)
            return [
                Hit(one.title, f"knowledge:{one.entry_id}", one.text[:_SUMMARY], one.text)
                for one in found
            ]

        return [KnowledgeProvider(search), *self._engines.providers]


_SUMMARY = 300
"""Characters of a passage that are told as its summary."""


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
