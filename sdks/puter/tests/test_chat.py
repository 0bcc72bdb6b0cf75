"""Asking, and what is remembered of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from chatloom import SettingsError
from puter import (
    ChatMessage,
    Driver,
    PuterAI,
    PuterAnswerError,
    PuterAPIError,
    PuterStatusError,
)
from support.puter import Using, echo, lines, refused, said, service, text

QUESTION = {"role": "user", "content": "hi"}


def test_a_question_is_asked_as_documented(using: Using) -> None:
    with service(said("hello")) as puter:
        assert using(puter.client()).chat("hi", "gpt-4") == "hello"
        assert puter.bodies == [
            {
                "interface": "puter-chat-completion",
                "driver": "openai-completion",
                "method": "complete",
                "args": {
                    "messages": [QUESTION],
                    "model": "gpt-4",
                    "temperature": 0.7,
                    "max_tokens": 4096,
                },
            }
        ]


def test_arguments_change_what_is_asked_and_zero_is_kept(using: Using) -> None:
    with service(said("")) as puter:
        asked: dict[str, Any] = {"top_p": 0.5, "tool_choice": None, "extra_args": {"seed": 7}}
        assert using(puter.client()).chat("hi", temperature=0, max_tokens=0, **asked) == ""
        (body,) = puter.bodies
    told = {"model": "claude-opus-4", "temperature": 0, "max_tokens": 0, "top_p": 0.5, "seed": 7}
    assert body["args"] == {**told, "messages": [QUESTION]}


def test_the_history_is_told_and_grows_by_pairs(using: Using) -> None:
    with service(echo) as puter:
        client = puter.client()
        client.chat_history = [{"role": "system", "content": "Be brief."}]
        for word in ("one", "two"):
            using(client).chat(word)
        told = [(one["role"], one["content"]) for one in client.chat_history]
        assert told == [
            ("system", "Be brief."),
            *(("user", "one"), ("assistant", "one")),
            *(("user", "two"), ("assistant", "two")),
        ]
        assert puter.bodies[1]["args"]["messages"] == client.chat_history[:4]


def test_a_question_that_failed_is_not_remembered(using: Using) -> None:
    no = refused(b"400 Bad Request", "bad_request", "No.")
    with service(no, said("hello")) as puter:
        client = puter.client()
        with pytest.raises(PuterAPIError):
            using(client).chat("hi")
        assert client.chat_history == []
        using(client).chat("hi")
        assert puter.bodies[1]["args"]["messages"] == [QUESTION]


def test_both_modes_share_one_history() -> None:
    with service(echo) as puter:
        client = puter.client()
        client.chat("one")
        asyncio.run(client.async_chat("two"))
        assert [one["content"] for one in client.chat_history] == ["one", "one", "two", "two"]


def test_clearing_forgets(using: Using) -> None:
    with service(echo) as puter:
        client = puter.client()
        using(client).chat("one")
        client.clear_chat_history()
        assert client.chat_history == []
        using(client).chat("hi")
        assert puter.bodies[1]["args"]["messages"] == [QUESTION]


def test_what_is_answered_after_clearing_is_not_remembered() -> None:
    with service(lines(*text("a", "b"), {"type": "usage", "usage": {}})) as puter:
        client = puter.client()
        stream = client.chat("hi", stream=True)
        client.clear_chat_history()
        assert stream.collect() == "ab"
        assert client.chat_history == []


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"max_history_messages": 4}, ["bb", "bb", "cc", "cc"]),
        ({"max_history_messages": 3}, ["cc", "cc"]),
        ({"max_history_messages": 0}, []),
        ({"max_history_tokens": 4}, ["bb", "bb", "cc", "cc"]),
        ({"max_history_tokens": 1}, []),
        ({"max_history_messages": 2, "max_history_tokens": 100}, ["cc", "cc"]),
    ],
)
def test_a_history_is_trimmed_by_whole_pairs(
    using: Using, limits: dict[str, Any], kept: list[str]
) -> None:
    with service(echo) as puter:
        client = puter.client(**limits)
        for word in ("aa", "bb", "cc"):
            using(client).chat(word)
        assert [one["content"] for one in client.chat_history] == kept


def test_what_stands_before_the_first_question_is_not_trimmed(using: Using) -> None:
    system: ChatMessage = {"role": "system", "content": "Be brief."}
    with service(echo) as puter:
        client = puter.client(max_history_messages=3)
        client.chat_history = [system]
        for word in ("a", "b"):
            using(client).chat(word)
    assert [one["content"] for one in client.chat_history] == ["Be brief.", "b", "b"]


# Models


def test_models_are_asked_by_the_driver_of_the_registry(using: Using) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        client.available_models["mine"] = "my-driver"
        for model in ("claude-3.5-sonnet", "gemini-pro", "never-heard-of", "mine"):
            using(client).chat("hi", model)
        drivers = [body["driver"] for body in puter.bodies]
    assert drivers == ["claude", "google-completion", "openai-completion", "my-driver"]
    assert client._get_driver_for_model("never-heard-of") == "openai-completion"


@pytest.mark.parametrize("message", ["Model not found: this driver has none", "Not found"])
def test_other_things_that_are_not_there_are_no_missing_driver(using: Using, message: str) -> None:
    with service(refused(b"404 Not Found", "not_found", message)) as puter:
        with pytest.raises(PuterStatusError, match=message):
            using(puter.client()).chat("hi")
        assert len(puter.bodies) == 1


def test_a_class_of_ones_own_may_choose_drivers(using: Using) -> None:
    class Mine(PuterAI):
        def _get_driver_for_model(self, model_name: str) -> str:
            return f"for-{model_name}"

    with service(said("hi")) as puter:
        using(Mine(token="t", api_base=puter.url)).chat("hi", "x")
        assert puter.bodies[0]["driver"] == "for-x"


def test_a_model_is_chosen_for_all_further_calls(using: Using) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        assert client.current_model == "claude-opus-4"
        assert client.set_model("gpt-5-nano")
        assert not client.set_model("never-heard-of")
        using(client).chat("hi")
        client.current_model = "never-heard-of"
        using(client).chat("hi")
        models = [body["args"]["model"] for body in puter.bodies]
    assert models == ["gpt-5-nano", "never-heard-of"]


def test_the_service_is_asked_for_its_models(using: Using) -> None:
    told = {"models": [{"id": "gpt-4", "provider": "x"}, {"id": "new", "provider": "y"}, "bare"]}
    with service(told) as puter:
        client = puter.client()
        assert using(client).models() == ["gpt-4", "new", "bare"]
        assert puter.targets == ["GET /puterai/chat/models/details"]
    assert client.available_models["gpt-4"] == "openai-completion"
    assert client.available_models["new"] == "y"
    assert client.set_model("new")


@pytest.mark.parametrize(
    "answer", [None, refused(b"404 Not Found", "not_found", "No."), {"models": 5}, "text"]
)
def test_models_that_are_not_told_are_those_of_the_registry(using: Using, answer: object) -> None:
    with service(answer) as puter:
        client = puter.client()
        assert using(client).models() == list(client.available_models)
        assert {"gpt-4", "gpt-5", "claude-opus-4", "gemini-pro"} <= set(client.available_models)
        assert len(puter.asked) == 1


NEWER = refused(b"404 Not Found", "not_found", "Driver not found: 'claude'")


def test_a_service_that_has_no_such_driver_is_asked_for_the_provider(using: Using) -> None:
    with service(NEWER, said("one"), said("two"), said("three")) as puter:
        either = using(puter.client())
        assert [either.chat("hi"), either.chat("hi"), either.chat("hi", "gpt-4")] == [
            *("one", "two", "three")
        ]
        told = [(body["driver"], body["args"].get("provider")) for body in puter.bodies]
        keys = {one.all("idempotency-key")[0] for one in puter.asked[1:]}
    claude = ("ai-chat", "claude")
    assert told == [("claude", None), claude, claude, ("openai-completion", None)]
    assert len(keys) == 4


class Brief(Driver):
    def arguments(self, args: Mapping[str, object]) -> Mapping[str, object]:
        return {**args, "max_tokens": 3}


def test_a_driver_of_ones_own_asks_such_a_service_as_well(using: Using) -> None:
    with service(NEWER, said("one"), said("two")) as puter:
        either = using(puter.client(drivers=[Brief("claude")]))
        assert [either.chat("hi"), either.chat("hi")] == ["one", "two"]
        told = [(body["driver"], body["args"]["max_tokens"]) for body in puter.bodies]
    assert told == [("claude", 3), ("ai-chat", 3), ("ai-chat", 3)]


def test_a_stream_falls_back_likewise(using: Using) -> None:
    with service(NEWER, lines(*text("hi"), {"type": "usage", "usage": {}})) as puter:
        assert using(puter.client()).stream("hi") == ["hi"]
        assert [body["driver"] for body in puter.bodies] == ["claude", "ai-chat"]


def test_where_nothing_helps_the_services_word_is_told(using: Using) -> None:
    none = refused(b"404 Not Found", "not_found", "Model not found: 'x'")
    with service(none) as puter, pytest.raises(PuterStatusError, match="Model not found") as error:
        using(puter.client()).chat("hi")
    assert (error.value.status_code, len(puter.bodies)) == (404, 1)
    with service(NEWER) as puter, pytest.raises(PuterStatusError, match="Driver not found"):
        using(puter.client()).chat("hi")
    assert len(puter.bodies) == 2


# Pictures and other parts


def test_pictures_are_told_as_parts(using: Using) -> None:
    with service(said("a cat")) as puter:
        client = puter.client()
        using(client).chat("What is it?", images=["https://x.test/a.png"])
        (body,) = puter.bodies
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
    ]
    assert body["args"]["messages"] == [{"role": "user", "content": content}]
    assert body["args"]["vision"] is True
    assert client.chat_history[0]["content"] == content


def test_further_parts_are_told_as_they_are(using: Using) -> None:
    video = {"video_url": {"url": "https://x.test/a.mp4"}}
    with service(said("a film")) as puter:
        using(puter.client()).chat(content_parts=["What is it?", video, {"file": "x"}])
        content = puter.bodies[0]["args"]["messages"][0]["content"]
    assert content == [{"type": "text", "text": "What is it?"}, video, {"file": "x"}]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "there is nothing to ask"),
        ({"prompt": ""}, "there is nothing to ask"),
        ({"prompt": 5}, "prompt must be text, not int"),
        ({"prompt": "hi", "model": 5}, "model must be text, not int"),
        ({"prompt": "hi", "images": "https://x.test"}, "images is a list, even of one"),
        ({"prompt": "hi", "content_parts": "more"}, "content_parts is a list, even of one"),
        ({"prompt": "hi", "tools": len}, "tools is a list, even of one"),
        ({"prompt": "hi", "max_tool_rounds": -1}, "max_tool_rounds is a whole number"),
        ({"prompt": "\ud800"}, "no Unicode"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    using: Using, asked: dict[str, Any], message: str
) -> None:
    with service(said("hi")) as puter, pytest.raises(SettingsError, match=message):
        using(puter.client(token="t")).chat(**asked)
    assert puter.targets == []


def test_an_argument_that_nobody_knows_is_a_mistake() -> None:
    client: Any = PuterAI(token="t")
    with pytest.raises(TypeError, match="'temprature'; did you mean 'temperature'"):
        client.chat("hi", temprature=1)


# Answers


@pytest.mark.parametrize(
    "answer",
    [
        said("text"),
        said([{"type": "text", "text": "te"}, {"type": "image"}, "x", {"text": "t"}]),
        {"result": {"content": "text", "text": "other"}},
        {"success": True, "result": "text"},
        {"result": {"choices": [{"message": {"content": "text"}}], "text": "other"}},
        {"result": {"message": {"content": None}, "text": "text"}, "content": "other"},
        {"content": "text", "text": "other"},
        {"text": "text"},
    ],
)
def test_the_text_is_found_wherever_it_is(using: Using, answer: object) -> None:
    with service(answer) as puter:
        assert using(puter.client()).chat("hi") == "text"


@pytest.mark.parametrize(
    "answer", [{}, said(None), said([]), {"result": 5}, [], {"result": {"choices": [5]}}]
)
def test_an_answer_without_text_is_no_answer(using: Using, answer: object) -> None:
    with service(answer) as puter:
        client = puter.client()
        with pytest.raises(PuterAnswerError, match=r"POST /drivers/call.*holds no text"):
            using(client).chat("hi")
    assert client.chat_history == []
