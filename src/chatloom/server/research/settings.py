"""Where research searches, as it is configured."""

from __future__ import annotations

import msgspec


class ResearchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where is searched, beside what the account knows; without any of them, only there."""

    searxng: str | None = None
    """The address of a SearXNG instance."""
    brave_key_env: str | None = None
    """The environment variable that holds a key of Brave's search API."""
    brave_url: str = "https://api.search.brave.com"
    tavily_key_env: str | None = None
    """The environment variable that holds a key of Tavily's."""
    tavily_url: str = "https://api.tavily.com"
