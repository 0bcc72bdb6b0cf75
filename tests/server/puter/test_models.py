"""The models on offer, and those that published tests ask."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import Puter, asking, lines, refusal
from support.keys import secret
from support.live import Live

NAMES, FACTS = "/puterai/chat/models", "/puterai/chat/models/details"


@pytest.fixture
def ann(live: Live) -> Puter:
    return Puter(live, new_id())


def test_the_models_are_told_to_everybody(live: Live) -> None:
    names = live.call("GET", NAMES).json["models"]
    facts = live.call("GET", FACTS).json["models"]
    assert [one["id"] for one in facts] == names
    assert {"loom/echo", "loom/scribe", "gpt-4", "claude-opus-4"} <= set(names)
    assert not {"loom/embed", "fake", "costly"} & set(names)
    scribe = next(one for one in facts if one["id"] == "loom/scribe")
    assert scribe["costs"] == {"tokens": 10**6, "prompt_tokens": 10.0, "completion_tokens": 40.0}
    assert {scribe["costs_currency"], scribe["input_cost_key"]} == {"usd-cents", "prompt_tokens"}
    assert scribe["puterId"] == "loom:loom/scribe"


def test_a_driver_lists_those_for_tests_too(ann: Puter, live: Live) -> None:
    models = ann.call("models")
    names = [one["id"] for one in models]
    assert names == [*live.call("GET", NAMES).json["models"], "fake", "costly"]
    assert {one["provider"] for one in models if one["id"] in {"fake", "costly"}} == {"fake-chat"}
    assert ann.call("list") == names
    before = live.counts()
    ann.call("models")
    assert live.counts() == before


def test_every_listed_model_can_be_asked_for_by_either_name(ann: Puter) -> None:
    for one in ann.call("models"):
        assert ann.send(asking("Hi", model=one["puterId"])).status == 200
        assert ann.send(asking("Hi", model=one["id"], max_tokens=1)).status == 200


def test_one_of_them_counts_nothing_but_one_token(ann: Puter) -> None:
    for args in ({}, {"provider": "fake-chat"}, {"max_tokens": 3}):
        result = ann.chat("x" * 400, model="fake", **args)
        (block,) = result["message"]["content"]
        assert block["text"].startswith("Lorem ipsum")
        assert (result["usage"]["input_tokens"], result["usage"]["output_tokens"]) == (0, 1)
        assert result["usage"]["usd_cents"] == 0


X = "x" * 400
COUNTS: list[tuple[list[object], int]] = [
    ([X], 100),
    ([X, {"content": X}], 200),
    ([{"content": [X, "abcde"]}], 102),
    ([{"content": [X, {"image_url": {"url": "https://example.org/a.png"}}]}], 100),
    ([{"content": [{"video_url": {"url": "https://example.org/a.mp4"}}, X]}], 100),
    ([""], 0),
]


@pytest.mark.parametrize(("messages", "count"), COUNTS, ids=lambda one: str(one)[:20])
def test_the_other_counts_four_characters_as_a_token(
    ann: Puter, messages: list[object], count: int
) -> None:
    usage = ann.chat(*messages, model="costly")["usage"]
    assert usage["input_tokens"] == count
    assert usage["output_tokens"] > 1


@pytest.mark.parametrize("most", [0, 1, 7])
def test_the_other_says_no_more_than_it_may(ann: Puter, most: int) -> None:
    result = ann.chat("Hello!", model="costly", max_tokens=most)
    assert result["usage"]["output_tokens"] == most
    assert result["message"]["stop_reason"] == "max_tokens"
    *texts, end = lines(ann.stream("Hello!", model="costly", max_tokens=most))
    assert len(texts) == end["usage"]["output_tokens"] == most


def test_elsewhere_than_in_dev_there_are_none_for_tests(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    ann = Puter(server, secret(server))
    before = server.dump()
    for model in ("fake", "costly", "fake-chat/fake", "fake-chat:fake"):
        answer = ann.send(asking("Hello!", model=model, provider="fake-chat"))
        assert refusal(answer) == (400, "bad_request")
        assert "Model not found" in answer.json["message"]
        assert "chatloom.toml" in answer.json["message"]
    assert ann.call("list") == server.call("GET", NAMES).json["models"]
    assert ann.send(asking("Hello!", model=None)).status == 400
    assert server.dump() == before


def test_interfaces_are_told_to_everybody(live: Live) -> None:
    drivers = live.call("GET", "/drivers/list-interfaces").json
    assert drivers == {"puter-chat-completion": {"drivers": ["ai-chat"], "default": "ai-chat"}}
    for method in ("GET", "POST"):
        told = live.call(method, "/lsmod").json
        implementors = {"ai-chat": {"isDefault": True}}
        assert told == {"interfaces": {"puter-chat-completion": {"implementors": implementors}}}
