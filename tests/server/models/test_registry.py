from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from chatloom.core.errors import SettingsError
from chatloom.server.models import catalogue
from chatloom.server.models.driver import ModelInfo, Price
from chatloom.server.models.registry import (
    DOCUMENTED,
    DOCUMENTED_EMBEDDERS,
    Registry,
    Resolved,
    UnknownModel,
)
from chatloom.server.settings import (
    ModelSettings,
    PriceSettings,
    ProviderSettings,
    ServerSettings,
)
from server.models.provider import KEY, Reply, answers, provider, refuses
from transports.scripted import Peer

ACME = ProviderSettings(
    base_url="http://127.0.0.1:9/v1", api_key_env="ACME_KEY", models=["acme-*", "gpt-4"]
)
LOCAL = ProviderSettings(base_url="http://127.0.0.1:9/v1")
ENVIRON = {"ACME_KEY": KEY}


def registry(
    environ: Mapping[str, str] = ENVIRON,
    *,
    dev: bool = False,
    use_providers: bool = True,
    **settings: Any,
) -> Registry:
    fields: dict[str, Any] = {"providers": {"acme": ACME, "local": LOCAL}, **settings}
    return Registry(ServerSettings(**fields), environ, dev=dev, use_providers=use_providers)


def answering(found: Resolved) -> tuple[str, str]:
    return found.info.provider, found.model


def unknown(registry: Registry, name: str) -> UnknownModel:
    with pytest.raises(UnknownModel) as raised:
        registry.resolve(name)
    return raised.value


@pytest.mark.parametrize("name", ["loom/echo", "loom/scribe", "loom/embed"])
def test_the_offline_models_are_always_there(name: str) -> None:
    found = registry().resolve(name)
    assert (found.info.id, found.options) == (name, {})
    assert found.price is not None


def test_options_stand_behind_the_name_of_an_offline_model() -> None:
    found = registry().resolve("loom/scribe?cut=40&idle=5&flag&x=a=b")
    assert found.options == {"cut": "40", "idle": "5", "flag": "", "x": "a=b"}
    assert found.info.id == "loom/scribe"


def test_elsewhere_a_question_mark_is_part_of_the_name() -> None:
    assert registry().resolve("acme/what?now=1").model == "what?now=1"
    unknown(registry(dev=True), "gpt-5?cut=1")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acme/big/model:free", ("acme", "big/model:free")),
        ("local/llama3", ("local", "llama3")),
        ("acme-large", ("acme", "acme-large")),
        ("gpt-4", ("acme", "gpt-4")),
    ],
)
def test_a_provider_answers_to_its_names(name: str, expected: tuple[str, str]) -> None:
    found = registry().resolve(name)
    assert answering(found) == expected
    assert found.info.id == "/".join(expected)


def test_a_configured_model_has_the_facts_that_were_configured() -> None:
    price = PriceSettings(prompt=0.1, completion=0.4, cached=0.025)
    fast = ModelSettings(
        provider="acme", name="acme-7b", context_length=8000, max_output_tokens=100, price=price
    )
    found = registry(models={"fast": fast}).resolve("fast")
    assert answering(found) == ("acme", "acme-7b")
    assert (found.info.id, found.info.context_length, found.info.max_output_tokens) == (
        "fast",
        8000,
        100,
    )
    assert found.price == Price(prompt=100_000, completion=400_000, cached=25_000)


def test_a_configured_model_may_be_an_offline_one() -> None:
    models = {"tester": ModelSettings(provider="loom", name="scribe?cut=3")}
    found = registry(models=models).resolve("tester")
    assert (found.info.provider, found.options) == ("loom", {"cut": "3"})


def test_aliases_lead_to_models_and_other_aliases() -> None:
    aliases = {"flaky": "loom/scribe?429=2", "best": "second", "second": "acme/large"}
    found = registry(aliases=aliases)
    assert found.resolve("flaky").options == {"429": "2"}
    assert answering(found.resolve("best")) == ("acme", "large")


def test_aliases_in_a_circle_lead_nowhere() -> None:
    unknown(registry(aliases={"a": "b", "b": "a"}), "a")


@pytest.mark.parametrize("name", DOCUMENTED)
def test_in_dev_the_scribe_answers_to_the_documented_names(name: str) -> None:
    assert registry(dev=True, use_providers=False).resolve(name).info.id == "loom/scribe"


@pytest.mark.parametrize("name", DOCUMENTED_EMBEDDERS)
def test_in_dev_the_embedder_answers_to_the_well_known_names(name: str) -> None:
    found = registry(dev=True, use_providers=False).resolve(name)
    assert (found.info.id, found.info.capabilities) == ("loom/embed", ["embeddings"])
    unknown(registry({}), name)


def test_a_providers_model_that_embeds_is_known_by_its_name() -> None:
    found = registry({"OPENAI_API_KEY": KEY})
    embeds = found.resolve("text-embedding-3-small")
    assert answering(embeds) == ("openai", "text-embedding-3-small")
    assert embeds.info.capabilities == ["embeddings"]
    assert embeds.price is not None
    assert found.resolve("local/nomic-embed-text").info.capabilities == ["embeddings"]
    assert "chat" in found.resolve("gpt-4o").info.capabilities


def test_in_dev_a_configured_provider_answers_to_its_own_names() -> None:
    found = registry(dev=True)
    assert answering(found.resolve("gpt-4")) == ("acme", "gpt-4")
    assert answering(found.resolve("gpt-5")) == ("loom", "loom/scribe")


def test_elsewhere_a_documented_name_is_unknown() -> None:
    error = unknown(registry({}), "gpt-5")
    assert "OPENAI_API_KEY" in str(error)
    assert "chatloom.toml" in str(error)


def test_an_unknown_name_is_told_what_is_near() -> None:
    error = unknown(registry(), "loom/scrib")
    assert error.near[0] == "loom/scribe"
    assert "Did you mean 'loom/scribe'" in str(error)


def test_a_long_unknown_name_is_not_repeated_at_length() -> None:
    assert len(str(unknown(registry(), "x" * 100_000))) < 1000


def test_a_provider_without_its_key_says_which_variable_to_set() -> None:
    assert "set ACME_KEY" in str(unknown(registry({}), "acme/large"))
    models = {"fast": ModelSettings(provider="acme")}
    assert "set ACME_KEY" in str(unknown(registry({}, models=models), "fast"))


def test_providers_with_keys_are_left_alone_unless_wanted() -> None:
    environ = {**ENVIRON, "OPENAI_API_KEY": KEY}
    found = registry(environ, dev=True, use_providers=False)
    assert "--providers" in str(unknown(found, "acme/large"))
    assert answering(found.resolve("local/llama3")) == ("local", "llama3")
    assert answering(found.resolve("openai/gpt-4o")) == ("loom", "loom/scribe")


def test_providers_are_found_by_their_keys() -> None:
    found = registry({"OPENAI_API_KEY": KEY, "OLLAMA_HOST": "127.0.0.1:9"}, dev=True)
    assert answering(found.resolve("openai/gpt-4o")) == ("openai", "gpt-4o")
    assert answering(found.resolve("gpt-5")) == ("openai", "gpt-5")
    assert answering(found.resolve("ollama/qwen3")) == ("ollama", "qwen3")
    assert found.resolve("gpt-5").price is not None
    assert found.resolve("ollama/qwen3").price is None


@pytest.mark.parametrize(
    "settings",
    [
        {"providers": {"loom": LOCAL}},
        {"models": {"x": ModelSettings(provider="nobody")}},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"loom|nobody"):
        registry(**settings)


def listing(*replies: Reply, times: int = 1, **given: Any) -> tuple[list[ModelInfo], int]:
    """What a registry lists whose only provider answers so, and how often that was asked."""

    async def run() -> tuple[list[ModelInfo], int]:
        with provider(*replies) as acme:
            providers = {"acme": ProviderSettings(base_url=acme.server.url, max_retries=0)}
            found = registry({}, providers=providers, **given)
            listed: list[ModelInfo] = []
            for _ in range(times):
                listed = list(await found.models())
            await found.close()
            await acme.driver.close()
            return listed, len(acme.server.asked)

    return asyncio.run(run())


def test_models_are_listed_from_everywhere() -> None:
    listed, _ = listing(
        answers({"data": [{"id": "large", "created": 3}, {"id": "fast"}]}),
        dev=True,
        aliases={"nice": "acme/large"},
        models={"fast": ModelSettings(provider="acme")},
    )
    owners = {info.id: info.provider for info in listed}
    assert len(owners) == len(listed)
    offline = ("loom/echo", "loom/scribe", "loom/embed", *DOCUMENTED, *DOCUMENTED_EMBEDDERS)
    theirs = ("nice", "fast", "acme/large", "acme/fast")
    assert owners == dict.fromkeys(offline, "loom") | dict.fromkeys(theirs, "acme")


def test_a_providers_list_is_kept_for_a_while() -> None:
    listed, asked = listing(answers({"data": [{"id": "large"}]}), times=3)
    assert asked == 1
    assert "acme/large" in {info.id for info in listed}


def test_a_provider_that_fails_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "chatloom.models"):
        listed, asked = listing(refuses(401, f"bad key {KEY}"), times=2)
    assert [info.id for info in listed] == ["loom/echo", "loom/scribe", "loom/embed"]
    assert asked == 1
    assert "acme" in caplog.text
    assert KEY not in caplog.text


def test_a_provider_that_is_slow_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PATIENCE", 0.05)
    listed, _ = listing(Peer.hold)
    assert [info.id for info in listed] == ["loom/echo", "loom/scribe", "loom/embed"]


def test_what_a_provider_lists_is_known_when_it_is_asked_for() -> None:
    async def run() -> None:
        with provider(answers({"data": [{"id": "large", "context_length": 77}]})) as acme:
            providers = {"acme": ProviderSettings(base_url=acme.server.url)}
            found = registry({}, providers=providers)
            await found.models()
            assert found.resolve("acme/large").info.context_length == 77
            assert unknown(found, "acne/large").near == ["acme/large"]
            await found.close()
            await acme.driver.close()

    asyncio.run(run())


def test_facts_about_a_model_may_stand_under_its_own_name() -> None:
    models = {"acme/large": ModelSettings(provider="acme", name="large", context_length=9)}
    found = registry(models=models).resolve("acme/large")
    assert (answering(found), found.info.context_length) == (("acme", "large"), 9)
