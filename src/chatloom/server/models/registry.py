"""Which driver answers to which name.

In this order: the offline models, ``[models]`` and ``[aliases]`` of the
configuration, ``provider/model``, the names and patterns a provider lists, and
in ``--dev`` the names that the documents use, and the `placeholder` models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from threading import Thread

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.server.models import pricing
from chatloom.server.models.catalogue import Catalogue
from chatloom.server.models.driver import Driver, ModelInfo, Price
from chatloom.server.models.offline import echo, embedder, placeholder, scribe
from chatloom.server.models.openai import OpenAI, capabilities_of
from chatloom.server.settings import (
    WELL_KNOWN,
    ModelSettings,
    ProviderSettings,
    ServerSettings,
    key_of,
    with_environment,
)

LOOM = "loom"
DOCUMENTED = (
    "infinity-agent",
    "claude-3-haiku",
    "openai/gpt-4o-mini",
    "openai/gpt-4o",
    "gpt-5",
    "gpt-5-nano",
    "gpt-4",
    "gemini-pro",
    "claude-opus-4",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-3.5-sonnet",
    "claude-3-5-haiku-latest",
    "claude-3-7-sonnet-latest",
)
"""The names in the five documents; in ``--dev`` ``loom/scribe`` answers to them."""
DOCUMENTED_EMBEDDERS = (
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "openai/text-embedding-3-small",
)
"""Names in examples of embedding; in ``--dev`` ``loom/embed`` answers to them."""
LONGEST_NAME = 200
MOST_HOPS = 8


class UnknownModel(Exception):
    """No model of that name; says what is near, and how to configure one."""

    def __init__(self, name: str, near: Sequence[str], advice: str) -> None:
        self.name = name[:LONGEST_NAME]
        self.near = list(near)
        meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        super().__init__(f"There is no model {self.name!r} here.{meant} {advice}")


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A model found by name."""

    driver: Driver
    model: str
    """The provider's own name for it."""
    info: ModelInfo
    options: dict[str, str] = {}
    price: Price | None = None


class Registry:
    """Finds models by name.

    Without *use_providers* no provider that has a key is used, and none is
    looked for in *environ*. Raises `SettingsError` for a model of a provider
    that is not configured.
    """

    def __init__(
        self,
        settings: ServerSettings,
        environ: Mapping[str, str],
        *,
        dev: bool,
        use_providers: bool,
    ) -> None:
        _check(settings)
        self._models, self._aliases = settings.models, settings.aliases
        self._named = settings.providers
        self._documented = _documented() if dev else {}
        self.placeholders: Sequence[ModelInfo] = placeholder.INFOS if dev else ()
        """Those that can be asked for, and are not listed beside the others."""
        self._saying = {info.id: placeholder.Placeholder(info.id) for info in self.placeholders}
        self._loom: dict[str, Driver] = {
            echo.NAME: echo.Echo(),
            scribe.NAME: scribe.Scribe(),
            embedder.NAME: embedder.Embedder(),
        }
        self._infos = {one.id: one for one in (echo.INFO, scribe.INFO, embedder.INFO)}
        self._unused: dict[str, str] = {}
        self._providers: dict[str, OpenAI] = {}
        self._patterns: dict[str, list[str]] = {}
        found = with_environment(settings, environ) if use_providers else settings
        for name, provider in found.providers.items():
            self._add(name, provider, environ, use_providers)
        self._catalogues = {
            name: Catalogue(name, driver) for name, driver in self._providers.items()
        }
        if self._providers:
            # Reading the price lists takes a good part of a second; not while a stream waits.
            Thread(target=pricing.read_lists, name="chatloom price lists").start()

    def resolve(self, name: str) -> Resolved:
        """Find the model that requests call *name*; raises `UnknownModel`."""
        found = self._found(name) if len(name) <= LONGEST_NAME else None
        if found is None:
            raise UnknownModel(name, self._near(name), self._advice(name))
        return found

    @property
    def unused(self) -> dict[str, str]:
        """Configured providers that cannot be used, and what to do about it."""
        return dict(self._unused)

    async def models(self) -> Sequence[ModelInfo]:
        """List what can be asked for: our own, the configured, and what the providers offer."""
        listed = dict(self._infos)
        for name in (*self._models, *self._aliases, *sorted(self._documented)):
            resolved = self._found(name)
            if resolved is not None:
                listed[name] = msgspec.structs.replace(resolved.info, id=name)
        offers = await asyncio.gather(*(each.models() for each in self._catalogues.values()))
        for offered in offers:
            for info in offered:
                own_id = f"{info.provider}/{info.id}"
                listed.setdefault(own_id, msgspec.structs.replace(info, id=own_id))
        return list(listed.values())

    async def close(self) -> None:
        """Give back every connection."""
        await asyncio.gather(*(driver.close() for driver in self._providers.values()))

    def _add(
        self, name: str, provider: ProviderSettings, environ: Mapping[str, str], use: bool
    ) -> None:
        key = key_of(provider, environ) if use else None
        if provider.api_key_env is None or key is not None:
            self._providers[name] = OpenAI(name, provider, key)
            self._patterns[name] = provider.models
        elif use:
            self._unused[name] = f"set {provider.api_key_env} for the provider {name}"
        else:
            self._unused[name] = f"start the server with --providers to use the provider {name}"

    def _found(self, name: str, hops: int = 0) -> Resolved | None:
        base, _, options = name.partition("?")
        if base in self._loom:
            return self._offline(base, _options(options))
        if name in self._models:
            return self._configured(name, self._models[name])
        if name in self._aliases and hops < MOST_HOPS:
            return self._found(self._aliases[name], hops + 1)
        provider, _, model = name.partition("/")
        if model and provider in self._providers:
            return self._provided(provider, model)
        for provider, patterns in self._patterns.items():
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                return self._provided(provider, name)
        documented = self._documented.get(name)
        return self._offline(documented, {}) if documented else self._placeholder(base, options)

    def _placeholder(self, base: str, options: str) -> Resolved | None:
        for info in self.placeholders:
            if base in {info.id, f"{info.provider}/{info.id}"}:
                driver = self._saying[info.id]
                return Resolved(
                    driver=driver,
                    model=info.id,
                    info=info,
                    options=_options(options),
                    price=driver.price(info.id),
                )
        return None

    def _offline(self, name: str, options: dict[str, str]) -> Resolved:
        driver = self._loom[name]
        return Resolved(
            driver=driver,
            model=name,
            info=self._infos[name],
            options=options,
            price=driver.price(name),
        )

    def _provided(self, provider: str, model: str) -> Resolved:
        driver = self._providers[provider]
        known = self._catalogues[provider].known(model)
        capabilities = capabilities_of(model)
        info = known or ModelInfo(id=model, provider=provider, capabilities=capabilities)
        info = msgspec.structs.replace(info, id=f"{provider}/{model}")
        return Resolved(driver=driver, model=model, info=info, price=driver.price(model))

    def _configured(self, name: str, settings: ModelSettings) -> Resolved | None:
        model = settings.name or name.removeprefix(f"{settings.provider}/")
        if settings.provider in self._providers:
            found = self._provided(settings.provider, model)
        else:
            base, _, options = f"{settings.provider}/{model}".partition("?")
            if base not in self._loom:
                return None
            found = self._offline(base, _options(options))
        info = msgspec.structs.replace(
            found.info,
            id=name,
            context_length=settings.context_length or found.info.context_length,
            max_output_tokens=settings.max_output_tokens or found.info.max_output_tokens,
        )
        price = pricing.configured(settings.price) if settings.price else found.price
        return msgspec.structs.replace(found, info=info, price=price)

    def _near(self, name: str) -> list[str]:
        known = [*self._infos, *self._models, *self._aliases, *self._documented]
        for provider, catalogue in self._catalogues.items():
            known += [f"{provider}/{info.id}" for info in catalogue.last]
        near = get_close_matches(name[:LONGEST_NAME], known, n=4)
        return [one for one in near if one != name][:3]

    def _advice(self, name: str) -> str:
        for _ in range(MOST_HOPS):
            name = self._aliases.get(name, name)
        wanted = [self._models[name].provider] if name in self._models else []
        wanted.append(name.partition("/")[0])
        named = {known: it for known, (_, it) in WELL_KNOWN.items()} | self._named
        wanted += [known for known, it in named.items() if _lists(it, name)]
        for provider in wanted:
            if provider in self._unused:
                return f"To have it, {self._unused[provider]}."
        variables = ", ".join(variable for variable, _ in WELL_KNOWN.values())
        return (
            "To have it, name its provider in chatloom.toml"
            ' ([providers.NAME] base_url = "…", api_key_env = "…"),'
            f" or set one of {variables} and ask for PROVIDER/MODEL."
        )


def _documented() -> dict[str, str]:
    """Who answers to the names that the documents use."""
    answering: dict[str, str] = dict.fromkeys(DOCUMENTED, scribe.NAME)
    answering |= dict.fromkeys(DOCUMENTED_EMBEDDERS, embedder.NAME)
    return answering


def _check(settings: ServerSettings) -> None:
    if LOOM in settings.providers:
        raise SettingsError(f"providers.{LOOM}: the name {LOOM!r} belongs to the offline models")
    known = {LOOM, *settings.providers, *WELL_KNOWN}
    for name, model in settings.models.items():
        if model.provider not in known:
            raise SettingsError(f"models.{name}: there is no provider {model.provider!r}")


def _options(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split("&") if part)
    return {name: value for name, _, value in parts}


def _lists(provider: ProviderSettings, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in provider.models)
