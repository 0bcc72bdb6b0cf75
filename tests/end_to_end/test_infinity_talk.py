"""One talk goes on between Infinity Assistant's SDK and the others, within one account."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openai import OpenAI

from chatloom.server.ids import new_id
from chatroutes import ChatRoutes
from chatserver_sdk import ChatServerClient
from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantAuthenticationError,
    InfinityAssistantClient,
    InfinityAssistantNotFoundError,
    InfinityAssistantRateLimitError,
    InfinityAssistantStreamInterruptedError,
    InfinityAssistantValidationError,
)
from puter import PuterAI
from support.infinity import Assistant
from support.keys import secret
from support.live import Live


@pytest.fixture
def key() -> str:
    return new_id()


def by_infinity(live: Live, key: str, talk: str | None, message: str) -> str:
    with InfinityAssistantClient(key, f"{live.url}/api") as client:
        answer = client.chat(message=message, conversation_id=talk)
        assert answer["response"]
        return answer["conversationId"]


def streamed_by_infinity(live: Live, key: str, talk: str | None, message: str) -> str:
    with InfinityAssistantClient(key, live.url) as client:
        chunks: list[Any] = list(client.chat_stream(message=message, sessionId=talk))
    assert [one["type"] for one in chunks][-2:] == ["metadata", "done"]
    assert {one["type"] for one in chunks[:-2]} == {"text"}
    return str(chunks[-2]["metadata"]["conversationId"])


def awaited_by_infinity(live: Live, key: str, talk: str | None, message: str) -> str:
    async def ask() -> str:
        async with AsyncInfinityAssistantClient(key, live.url) as client:
            stream = client.chat_stream(message=message, conversation_id=talk)
            return (await stream.collect())["conversationId"]

    return asyncio.run(ask())


def by_chatroutes(live: Live, key: str, talk: str | None, message: str) -> str:
    with ChatRoutes(key, live.url) as client:
        id = talk or client.conversations.create({"title": "A talk"})["id"]
        client.messages.send(id, {"content": message})
        return id


def by_chatserver(live: Live, key: str, talk: str | None, message: str) -> str:
    with ChatServerClient(key, live.url) as client:
        told = client.create_completion("loom/scribe", [message], session_id=talk)
        assert told.system_fingerprint is not None
        return told.system_fingerprint


def by_openai(live: Live, key: str, talk: str | None, message: str) -> str:
    with OpenAI(base_url=f"{live.url}/v1", api_key=key) as client:
        told = client.chat.completions.create(
            model="loom/scribe",
            messages=[{"role": "user", "content": message}],
            metadata={"conversation_id": talk} if talk else {"user_id": "ann"},
        )
        assert told.system_fingerprint is not None
        return told.system_fingerprint


def by_puter(live: Live, key: str, talk: str | None, message: str) -> str:
    with PuterAI(token=key, api_base=live.url) as client:
        client.chat(message, metadata={"conversation_id": talk})
        return str(client.metadata["conversation_id"])


def streamed_by_puter(live: Live, key: str, talk: str | None, message: str) -> str:
    async def ask() -> str:
        async with PuterAI(token=key, api_base=live.url) as client:
            stream = client.astream(message, metadata={"conversation_id": talk})
            assert await stream.collect()
            return str(stream.metadata["conversation_id"])

    return asyncio.run(ask())


WAYS = [
    by_infinity,
    streamed_by_infinity,
    awaited_by_infinity,
    by_chatroutes,
    by_chatserver,
    by_openai,
    by_puter,
    streamed_by_puter,
]


@pytest.mark.parametrize("begin", WAYS)
def test_a_talk_begun_anywhere_goes_on_everywhere(live: Live, key: str, begin: Any) -> None:
    talk = begin(live, key, None, "One?")
    for number, go_on in enumerate(WAYS):
        assert go_on(live, key, talk, f"Question {number}?") == talk
    told = Assistant(live, key).history(talk)
    assert [text for role, text in told if role == "user"] == [
        "One?",
        *(f"Question {number}?" for number in range(len(WAYS))),
    ]
    with ChatRoutes(key, live.url) as client:
        assert [(one["role"], one["content"]) for one in client.messages.list(talk)] == told


def test_a_strangers_talk_is_not_there(live: Live, key: str) -> None:
    talk = by_chatroutes(live, key, None, "Mine")
    with InfinityAssistantClient(new_id(), live.url) as client:
        with pytest.raises(InfinityAssistantNotFoundError):
            client.chat(message="Mine?", conversation_id=talk)
        with pytest.raises(InfinityAssistantNotFoundError):
            list(client.chat_stream(message="Mine?", conversation_id=talk))


def test_keys_come_and_go(live: Live, key: str) -> None:
    with InfinityAssistantClient(key, live.url) as client:
        made = client.create_api_key("phone")["apiKey"]
        (listed,) = client.list_api_keys()["apiKeys"]
        assert listed["id"] == made["id"]
        assert made["key"].startswith(listed["prefix"])
        with InfinityAssistantClient(made["key"], live.url) as phone:
            assert phone.chat(message="Hello!")["response"]
            client.delete_api_key(made["id"])
            with pytest.raises(InfinityAssistantAuthenticationError) as refused:
                phone.chat(message="Hello!")
        assert (refused.value.code, refused.value.status_code) == ("INVALID_API_KEY", 401)
        assert client.list_api_keys()["apiKeys"] == []
        with pytest.raises(InfinityAssistantNotFoundError):
            client.delete_api_key(made["id"])


def test_a_server_that_is_well_says_so_without_a_key(live: Live) -> None:
    with InfinityAssistantClient(base_url=live.url) as client:
        assert client.health()["status"] == "healthy"
        with pytest.raises(InfinityAssistantAuthenticationError) as refused:
            client.chat(message="Hello!")
    assert refused.value.code == "AUTH_REQUIRED"


def test_what_is_refused_is_raised(live: Live, key: str) -> None:
    with InfinityAssistantClient(key, live.url) as client:
        for wrong in ({"message": ""}, {"message": "m" * 5001}, {"mode": "destroy"}):
            asked: Any = {"message": "Hello!", **wrong}
            with pytest.raises(InfinityAssistantValidationError):
                client.chat(**asked)
            with pytest.raises(InfinityAssistantValidationError):
                list(client.chat_stream(**asked))


def test_a_stream_that_was_left_is_gone_on_with(live: Live, key: str) -> None:
    with InfinityAssistantClient(key, live.url) as client:
        stream = client.chat_stream(message="Tell me a story")
        heard: list[Any] = [next(stream) for _ in range(3)]
        token = stream.resume_token
        assert token is not None
        stream.close()
        rest: list[Any] = list(client.resume_chat(token))
        talk = rest[-2]["metadata"]["conversationId"]
    assert [one["type"] for one in rest[-2:]] == ["metadata", "done"]
    said = "".join(one["content"] for one in [*heard, *rest] if one["type"] == "text")
    assert Assistant(live, key).history(talk) == [("user", "Tell me a story"), ("assistant", said)]


def test_what_a_merge_brought_in_is_read_back(live: Live, key: str) -> None:
    talk = by_infinity(live, key, None, "One?")
    with ChatRoutes(key, live.url) as client:
        first = client.messages.list(talk)[-1]["id"]
        body: Any = {"forkPointMessageId": first, "title": "Aside"}
        branch = client.branches.fork(talk, body)["id"]
        client.branches.send_message(talk, branch, {"content": "Aside?"})
        client.branches.merge(talk, branch)
        told = [(one["role"], one["content"]) for one in client.messages.list(talk)]
    assert Assistant(live, key).history(talk) == told
    by_infinity(live, key, talk, "And?")


@pytest.fixture
def failing(serve: Any) -> Live:
    """A server whose ``infinity-agent`` breaks off."""
    running: Live = serve(
        config="""
        [models.infinity-agent]
        provider = "loom"
        name = "scribe?cut=5"
        """
    )
    return running


def test_a_stream_that_breaks_off_is_raised(failing: Live, key: str) -> None:
    with InfinityAssistantClient(key, failing.url, max_retries=0) as client:
        stream = client.chat_stream(message="Say something long.")
        with pytest.raises(InfinityAssistantStreamInterruptedError) as broken:
            list(stream)
    assert broken.value.text


def test_too_many_requests_say_when_to_come_back(serve: Any) -> None:
    server = serve(dev=False)
    key = secret(server, requests_per_minute=1, burst=1)
    with InfinityAssistantClient(key, server.url, max_retries=0) as client:
        client.list_api_keys()
        with pytest.raises(InfinityAssistantRateLimitError) as refused:
            client.list_api_keys()
    assert refused.value.code == "RATE_LIMIT"
    assert refused.value.retry_after is not None
