"""What may be added to a client: plugins, drivers, middleware, hooks, caches, meters, formats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from chatloom import SettingsError
from chatloom.core.http import JSON, Request, Response
from chatloom.core.outside import Outside
from chatloom.policies.cache import Cache
from chatloom.policies.hooks import Hooks
from chatloom.policies.meter import Call, Measured, Meter
from puter import Answer, Driver, Plugin, PuterAI, PuterAnswerError, installed_plugins
from support.puter import (
    USAGE,
    Either,
    Reply,
    Using,
    calling,
    echo,
    lines,
    refused,
    refused_by_200,
    said,
    service,
    text,
)


async def signed(request: Request, outside: Outside, /) -> Response:
    return await outside.send(request.with_header("x-signed", "by middleware"))


def ask_weather() -> str:
    """Tell the weather."""
    return "sunny"


WEATHER = Plugin(
    tools=[ask_weather],
    policies=[signed],
    models={"clouds": "weather"},
    drivers=[Driver("weather")],
)


def weather() -> Plugin:
    return WEATHER


def failing() -> Plugin:
    raise OSError("no sky")


PLACES = {"weather": "weather", "made": "WEATHER", "odd": "json", "failing": "failing"}


class Offer(EntryPoint):
    """An entry point of no package."""

    def load(self) -> object:
        return globals()[self.attr]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some packages that offer plugins."""
    there = EntryPoints(
        Offer(name, f"{__name__}:{place}", "puter.plugins") for name, place in PLACES.items()
    )

    def found(**asked: str) -> EntryPoints:
        return EntryPoints(one for one in there if one.name == asked.get("name", one.name))

    monkeypatch.setattr("importlib.metadata.entry_points", found)


@pytest.mark.parametrize("plugin", ["weather", "made", WEATHER])
@pytest.mark.usefixtures("installed")
def test_a_plugin_adds_tools_middleware_models_and_drivers(
    using: Using, plugin: str | Plugin
) -> None:
    with service(calling(("ask_weather", {})), said("It is sunny.")) as puter:
        client = puter.client(plugins=[plugin])
        assert using(client).chat("Weather?", "clouds") == "It is sunny."
        assert puter.bodies[0]["driver"] == "weather"
        assert puter.asked[-1].all("x-signed") == ["by middleware"]
    assert client.set_model("clouds")


@pytest.mark.usefixtures("installed")
def test_plugins_that_cannot_be_had_are_named() -> None:
    assert installed_plugins() == sorted(PLACES)
    with pytest.raises(SettingsError, match=r"no plugin 'nowhere'; installed are: failing, made"):
        PuterAI(plugins=["nowhere"])
    with pytest.raises(SettingsError, match="the plugin failing cannot be loaded: no sky"):
        PuterAI(plugins=["failing"])
    with pytest.raises(SettingsError, match="the plugin odd cannot be loaded"):
        PuterAI(plugins=["odd"])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("plugins", "weather"),
        ("drivers", Driver("d")),
        ("policies", signed),
        ("tools", ask_weather),
    ],
)
def test_what_is_to_be_a_list_is_one(name: str, given: object) -> None:
    options: dict[str, Any] = {name: given}
    with pytest.raises(SettingsError, match=f"{name} is a list, even of one"):
        PuterAI(**options)


def test_nothing_is_loaded_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(**_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("importlib.metadata.entry_points", forbidden)
    PuterAI(token="t", plugins=[WEATHER]).close()


class Poet(Driver):
    """A provider that is asked, and answers, in words of its own."""

    method = "rhyme"

    def arguments(self, args: Mapping[str, object]) -> Mapping[str, object]:
        messages: Any = args["messages"]
        return {"verse": messages[-1]["content"], "stream": args.get("stream")}

    def answer(self, told: JSON) -> Answer:
        if not isinstance(told, dict) or "rhyme" not in told:
            raise ValueError("no rhyme")
        return Answer(text=str(told["rhyme"]))


def test_a_driver_of_ones_own_asks_otherwise(using: Using) -> None:
    with service({"rhyme": "blue"}, said("prose")) as puter:
        client = puter.client(drivers=[Poet("poet")])
        client.available_models["muse"] = "poet"
        assert using(client).chat("Roses are red", "muse") == "blue"
        asked = puter.bodies[0]
        with pytest.raises(PuterAnswerError, match="no rhyme"):
            using(client).chat("Roses are red", "muse")
    assert (asked["driver"], asked["method"]) == ("poet", "rhyme")
    assert asked["args"] == {"verse": "Roses are red", "stream": None}


def test_middleware_may_sign_in_place_of_a_login(using: Using) -> None:
    with service(said("hi")) as puter:
        using(PuterAI(api_base=puter.url, policies=[signed])).chat("hi")
        assert puter.targets == ["POST /drivers/call"]
        assert puter.asked[0].all("x-signed") == ["by middleware"]


def test_hooks_are_told_what_happens(using: Using) -> None:
    told: list[object] = []
    hooks = Hooks(
        on_request=lambda request: told.append((str(request), request.attempt)),
        on_response=lambda request, response: told.append(response.status),
        on_retry=lambda request, delay, cause: told.append(delay),
        on_error=lambda error: told.append(type(error).__name__),
        on_chunk=lambda request, chunk: told.append(chunk),
    )
    limited = refused_by_200(429, "too_many_requests", "Slowly.")
    with service(limited, lines(*text("a"), USAGE), refused(b"400 No", "no", "No.")) as puter:
        either = using(puter.client(token="t", hooks=hooks))
        either.stream("hi")
        with pytest.raises(Exception, match="No"):
            either.chat("hi")
    call = "POST /drivers/call"
    assert told == [(call, 1), 429, 0, (call, 2), 200, "a", (call, 1), 400, "PuterStatusError"]


def test_falling_back_to_another_driver_is_no_error_to_hooks(using: Using) -> None:
    errors: list[object] = []
    with service(refused(b"404 No", "not_found", "Driver not found"), said("hi")) as puter:
        using(puter.client(hooks=Hooks(on_error=errors.append))).chat("hi")
    assert errors == []


def test_a_cache_answers_again_for_the_same_token_only(using: Using) -> None:
    cache = Cache(completions=True)

    def asked(**options: Any) -> str:
        client = puter.client(cache=cache, **options)
        return using(client).chat("hi", temperature=0)

    with service(said("one"), said("two"), said("three")) as puter:
        assert [asked(token="a"), asked(token="a"), asked(token="b")] == ["one", "one", "two"]
        assert using(puter.client(cache=cache, token="a")).chat("hi", temperature=1) == "three"


def test_a_cached_stream_comes_again_and_a_refusal_does_not(using: Using) -> None:
    cache = Cache(completions=True)
    with service(
        refused_by_200(400, "no", "No."), lines(*text("a", "b"), USAGE), said("other")
    ) as puter:
        with pytest.raises(Exception, match=r"No\."):
            using(puter.client(cache=cache, token="t")).chat("hi", temperature=0)
        for _ in range(2):
            client = puter.client(cache=cache, token="t")
            assert using(client).stream("hi", temperature=0) == ["a", "b"]
        assert len(puter.bodies) == 2


class Book:
    """An exporter that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Call, Measured]] = []

    def begin(self, call: Call, /) -> Callable[[Measured], object]:
        return lambda measured: self.told.append((call, measured))


def test_a_meter_knows_model_and_tokens(using: Using) -> None:
    book = Book()
    with service(said("hi"), lines(*text("a"), USAGE)) as puter:
        either = using(puter.client(token="t", meter=Meter(book)))
        either.chat("hi", "gpt-4")
        either.stream("hi", "gpt-4", temperature=0.5)
    for call, measured in book.told:
        assert (call.operation, call.provider, call.model) == ("chat", "puter", "gpt-4")
        assert (measured.tokens.input, measured.tokens.output) == (2, 3)
    assert book.told[1][0].parameters["temperature"] == 0.5


def test_usage_is_counted_for_each_client(using: Using) -> None:
    with service(refused(b"503 Busy", "busy", "Later."), said("hi"), refused(b"400 No", "n", "No."),
                 lines(*text("a"), USAGE)) as puter:  # fmt: skip
        client, other = puter.client(token="t"), puter.client(token="t")
        assert client.usage.success_rate == 1
        either = using(client)
        either.chat("hi", "gpt-4")
        with pytest.raises(Exception, match="No"):
            either.chat("hi", "gpt-5")
        either.stream("hi", "gpt-5")
        usage = client.usage
    assert (usage.requests, usage.failures, usage.attempts) == (3, 1, 4)
    assert (usage.input_tokens, usage.output_tokens) == (4, 6)
    assert usage.success_rate == pytest.approx(2 / 3)
    assert {name: one.requests for name, one in usage.models.items()} == {"gpt-4": 1, "gpt-5": 2}
    assert usage.models["gpt-5"].failures == 1
    assert other.usage.requests == 0


class Reversed:
    """JSON, read and written backwards."""

    content_type = "application/x-reversed"

    def encode(self, payload: object, /) -> bytes:
        return json.dumps(payload).encode()[::-1]

    def decode(self, body: bytes, /) -> Any:
        return json.loads(body[::-1])


def test_another_format_may_stand_for_json(using: Using) -> None:
    def backwards(asked: Any) -> Any:
        said_ = json.loads(asked.body[::-1])["args"]["messages"][0]["content"]
        answer = json.dumps(said(said_)).encode()[::-1]
        return Reply(answer, headers=(b"content-type: application/x-reversed",))

    with service(backwards, said("forwards")) as puter:
        client = puter.client(token="t", serializer=Reversed())
        assert using(client).chat("hi") == "hi"
        assert puter.asked[0].all("content-type") == ["application/x-reversed"]
        with pytest.raises(PuterAnswerError):
            using(client).chat("hi")


# The rate limit


def test_both_modes_have_one_ration_and_each_attempt_counts() -> None:
    busy = refused(b"503 Busy", "busy", "Later.")
    with service(busy, echo) as puter:
        client = puter.client(rate_limit_requests=4, rate_limit_period=1000, total_timeout=500)
        assert client.chat("one") == "one"  # a login, a call and its repetition
        assert asyncio.run(client.async_chat("two")) == "two"
        for is_async in (False, True):
            with pytest.raises(TimeoutError, match="for its turn, past its deadline"):
                Either(client, is_async).chat("three")
        assert len(puter.asked) == 4
        assert puter.client(rate_limit_requests=4).chat("another client") == "another client"
