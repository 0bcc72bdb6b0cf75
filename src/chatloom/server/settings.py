"""The server's configuration: ``chatloom.toml``, and provider keys found in the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.server.egress.settings import EgressSettings
from chatloom.server.research.settings import ResearchSettings
from chatloom.server.webhooks.settings import WebhookSettings

_Dollars = Annotated[float, Meta(ge=0, le=2000)]  # so that no turn's cost outgrows the store


class PriceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices in US dollars per million tokens."""

    prompt: _Dollars
    completion: _Dollars
    cached: _Dollars | None = None


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider that speaks the OpenAI protocol."""

    base_url: str
    """Up to and without ``/chat/completions``."""
    api_key_env: str | None = None
    """The environment variable that holds the key; keys do not belong in the file."""
    models: list[str] = []
    """Names, or patterns with ``*``, it answers to without the ``provider/`` prefix."""
    connect_timeout: float = 10.0
    first_token_timeout: float = 120.0
    idle_timeout: float = 60.0
    """Seconds of silence between two pieces of an answer."""
    max_retries: int = 1


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name of one's own for a provider's model, or facts about it."""

    provider: str
    name: str | None = None
    """The provider's own name for it; the same when not given."""
    context_length: int | None = None
    max_output_tokens: int | None = None
    price: PriceSettings | None = None


_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class TierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the accounts of one tier are given."""

    credits: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    """For each period; no limit when not given."""
    period: Literal["day", "month"] = "month"
    """Both begin at midnight UTC."""
    unpriced_models: Literal["refuse", "allow"] = "refuse"
    """Whether credits forbid, or do not count, models whose price nobody knows."""
    bands: list[_Name] | None = None
    """The bands of models it may use; all when not given."""
    requests_per_minute: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    """Of each key that has no limit of its own."""
    burst: Annotated[int, Meta(ge=1, le=10**6)] = 10
    """Requests that may come at once."""


class WorkflowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt that requests may name."""

    template: Annotated[str, Meta(min_length=1)]
    """Text with a ``{name}`` for each variable; ``{{`` and ``}}`` are braces."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of ``chatloom.toml`` that concerns the server."""

    providers: dict[str, ProviderSettings] = {}
    models: dict[str, ModelSettings] = {}
    aliases: dict[str, str] = {}
    """Other names: ``"gpt-4o-mini" = "loom/scribe"``."""
    hosts: list[str] = []
    """Host names under which the server may be addressed, beside loopback and plain addresses."""
    max_body_bytes: int = 20 * 1024 * 1024
    cancel_unread_after: Annotated[float, Meta(gt=0)] = 30.0
    """Seconds after which a turn that nobody reads is cancelled, unless its key lets it run."""
    tiers: dict[_Name, TierSettings] = {}
    """From the smallest to the largest."""
    default_tier: str | None = None
    """Of accounts that were given none; the first one when not given."""
    bands: dict[_Name, list[str]] = {}
    """Names or patterns of the models in each; one in none is in ``standard``."""
    egress: EgressSettings = EgressSettings()
    """Where the server may go on somebody's word."""
    research: ResearchSettings = ResearchSettings()
    webhooks: WebhookSettings = WebhookSettings()
    registration: Literal["closed", "open"] = "closed"
    """Whether people may register themselves; with ``--dev`` they may anyway."""
    credit_usd: Annotated[float, Meta(ge=0.000001, le=1000)] = 0.001
    """What a credit is worth, in US dollars."""
    workflows: dict[_Name, WorkflowSettings] = {}
    client: dict[str, object] = {}
    """Left to the SDKs, which may share the file."""


def load(path: Path | None) -> ServerSettings:
    """Read *path*; without one, all defaults.

    Raises `SettingsError` that names the file and the entry.
    """
    if path is None:
        return ServerSettings()
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), ServerSettings)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error


WELL_KNOWN = {
    "openai": (
        "OPENAI_API_KEY",
        ProviderSettings(
            base_url="https://api.openai.com/v1",
            api_key_env="OPENAI_API_KEY",
            models=["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "text-embedding-*"],
        ),
    ),
    "openrouter": (
        "OPENROUTER_API_KEY",
        ProviderSettings(base_url="https://openrouter.ai/api/v1", api_key_env="OPENROUTER_API_KEY"),
    ),
    "ollama": ("OLLAMA_HOST", ProviderSettings(base_url="http://localhost:11434/v1")),
}
"""Providers found by themselves when the variable named first is set."""


def with_environment(settings: ServerSettings, environ: Mapping[str, str]) -> ServerSettings:
    """Add the `WELL_KNOWN` providers whose variable is set and that the file does not name."""
    found: dict[str, ProviderSettings] = {}
    for name, (variable, provider) in WELL_KNOWN.items():
        if not environ.get(variable) or name in settings.providers:
            continue
        if name == "ollama":
            host = environ[variable]
            address = host if "://" in host else f"http://{host}"
            provider = msgspec.structs.replace(provider, base_url=address.rstrip("/") + "/v1")
        found[name] = provider
    return msgspec.structs.replace(settings, providers={**found, **settings.providers})


def key_of(provider: ProviderSettings, environ: Mapping[str, str]) -> Secret | None:
    """The provider's key, where its variable is set."""
    value = environ.get(provider.api_key_env or "")
    return Secret(value) if value else None
