"""A user's own HTTP client: `respx` mocks it as the document says, and it stays the user's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import httpx2
import pytest
import respx

from transports.scripted import Peer, serving
from zaguan import (
    APIError,
    AsyncZaguanClient,
    ChatRequest,
    InsufficientCreditsError,
    Message,
    StreamTruncatedError,
    ZaguanClient,
    ZaguanConnectionError,
    ZaguanTimeoutError,
)

URL = "http://localhost:8080"
REQUEST = ChatRequest(model="openai/gpt-4o", messages=[Message(role="user", content="hi")])
ANSWER: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "created": 7,
    "model": "openai/gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def events(*texts: str) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}} for text in texts]
    told: list[Any] = [{"choices": [choice]} for choice in choices]
    told.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in told)


def test_respx_mocks_a_plain_call() -> None:
    with httpx.Client() as own, respx.mock(base_url=URL) as mock:
        route = mock.post("/v1/chat/completions").mock(httpx.Response(200, json=ANSWER))
        client = ZaguanClient(URL, "key", http_client=own)
        response = client.chat(REQUEST, request_id="mine")
        assert (response.text, response.usage.total_tokens) == ("hi", 3)
        sent = route.calls.last.request
        assert sent.headers["authorization"] == "Bearer key"
        assert sent.headers["x-request-id"] == "mine"
        assert json.loads(sent.content) == REQUEST.dict(by_alias=True, exclude_none=True)


def test_respx_mocks_a_stream() -> None:
    with httpx.Client() as own, respx.mock(base_url=URL) as mock:
        body = events("once ", "upon") + b"data: [DONE]\n\n"
        mock.post("/v1/chat/completions").mock(httpx.Response(200, content=body))
        client = ZaguanClient(URL, "key", http_client=own)
        assert [chunk.text for chunk in client.chat_stream(REQUEST)] == ["once ", "upon", ""]


def test_respx_mocks_an_async_client() -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as own, respx.mock(base_url=URL) as mock:
            mock.get("/v1/models").mock(httpx.Response(200, json={"data": [{"id": "m"}]}))
            body = events("once ", "upon") + b"data: [DONE]\n\n"
            mock.post("/v1/chat/completions").mock(httpx.Response(200, content=body))
            client = AsyncZaguanClient(URL, "key", http_client=own)
            assert [model.id for model in await client.list_models()] == ["m"]
            assert (await client.chat_stream(REQUEST).collect()).text == "once upon"
            await client.close()
            assert not own.is_closed

    asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_respx_mocks_a_refusal(stream: bool) -> None:
    error = {"message": "pay", "type": "insufficient_credits", "credits_required": 5}
    with httpx.Client() as own, respx.mock(base_url=URL) as mock:
        answer = httpx.Response(402, json={"error": error}, headers={"X-Request-Id": "r1"})
        mock.post("/v1/chat/completions").mock(answer)
        client = ZaguanClient(URL, "key", http_client=own)
        with pytest.raises(InsufficientCreditsError, match="pay") as caught:
            client.chat_stream(REQUEST) if stream else client.chat(REQUEST)
        assert (caught.value.status_code, caught.value.request_id) == (402, "r1")
        assert caught.value.credits_required == 5


def test_respx_mocks_a_lost_connection() -> None:
    with httpx.Client() as own, respx.mock(base_url=URL) as mock:
        mock.get("/v1/models").mock(side_effect=httpx.ReadTimeout("slow"))
        mock.get("/health").mock(side_effect=httpx.ReadError("gone"))
        client = ZaguanClient(URL, "key", http_client=own, max_retries=0)
        with pytest.raises(ZaguanTimeoutError):
            client.list_models()
        with pytest.raises(ZaguanConnectionError):
            client.health_check()


def test_respx_mocks_a_stream_that_is_cut() -> None:
    with httpx.Client() as own, respx.mock(base_url=URL) as mock:
        mock.post("/v1/chat/completions").mock(httpx.Response(200, content=events("once ")))
        client = ZaguanClient(URL, "key", http_client=own)
        with pytest.raises(StreamTruncatedError) as caught:
            client.chat_stream(REQUEST).collect()
        assert caught.value.text == "once "


@pytest.mark.parametrize("kind", [httpx.Client, httpx2.Client])
def test_either_library_will_do_and_stays_its_owners(
    kind: type[httpx.Client | httpx2.Client],
) -> None:
    with serving(all_of_it) as server, kind() as own:
        with ZaguanClient(server.url, "key", http_client=own) as client:
            assert client.chat(REQUEST).text == "hi"
            assert client.chat_stream(REQUEST).collect().text == "once upon"
        assert not own.is_closed


@pytest.mark.parametrize("kind", [httpx.AsyncClient, httpx2.AsyncClient])
def test_either_async_library_will_do_and_stays_its_owners(
    kind: type[httpx.AsyncClient | httpx2.AsyncClient],
) -> None:
    async def main() -> None:
        with serving(all_of_it) as server:
            async with kind() as own:
                async with AsyncZaguanClient(server.url, "key", http_client=own) as client:
                    assert (await client.chat(REQUEST)).text == "hi"
                    assert (await client.chat_stream(REQUEST).collect()).text == "once upon"
                assert not own.is_closed

    asyncio.run(main())


def all_of_it(peer: Peer) -> None:
    while True:
        if json.loads(peer.asked().body)["stream"]:
            body = events("once ", "upon") + b"data: [DONE]\n\n"
            peer.answer(body, b"content-type: text/event-stream")
        else:
            peer.answer(json.dumps(ANSWER).encode(), b"content-type: application/json")


def test_over_its_own_transport_it_says_the_same() -> None:
    with serving(all_of_it) as server, ZaguanClient(server.url, "key") as client:
        assert client.chat(REQUEST).text == "hi"
        with client.chat_stream(REQUEST) as stream:
            assert next(stream).text == "once "
            assert stream.collect().text == "once upon"
        for asked in server.asked:
            assert asked.all("authorization") == ["Bearer key"]
            assert len(asked.all("x-request-id")) == 1


def test_a_refused_stream_is_an_error_of_ours() -> None:
    def refuse(peer: Peer) -> None:
        peer.asked()
        peer.answer(b"<html>no</html>", b"x-request-id: r1", status=b"503 Busy")

    with serving(refuse) as server:
        client = ZaguanClient(server.url, "key", max_retries=0)
        with client, pytest.raises(APIError) as caught:
            client.chat_stream(REQUEST)
        assert (caught.value.status_code, caught.value.request_id) == (503, "r1")
        assert str(caught.value) == "HTTP 503"


def test_the_time_out_is_for_silence() -> None:
    def silent(peer: Peer) -> None:
        peer.asked()
        peer.hold()

    with serving(silent) as server:
        client = ZaguanClient(server.url, "key", 0.1, max_retries=0)
        with client, pytest.raises(ZaguanTimeoutError):
            client.chat(REQUEST)


def test_a_lost_stream_is_gone_on_with() -> None:
    numbered = [
        b"id: %d\n%s\n\n" % (n, e)
        for n, e in enumerate(events("once ", "upon").split(b"\n\n")[:-1], 1)
    ]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-chatloom-turn: t1\r\n\r\n"

    def cut(peer: Peer) -> None:
        peer.asked()
        peer.say(head.replace(b"\r\n\r\n", b"\r\ncontent-length: 9999\r\n\r\n"), numbered[0])

    def rest(peer: Peer) -> None:
        peer.asked()
        peer.say(head, *numbered[1:], b"data: [DONE]\n\n")

    with serving(cut, rest) as server, ZaguanClient(server.url, "key") as client:
        assert client.chat_stream(REQUEST).collect().text == "once upon"
        first, second = server.asked
        assert (second.method, second.target) == ("GET", "/v1/turns/t1/events")
        assert second.all("last-event-id") == ["1"]
        assert first.all("x-request-id") == second.all("x-request-id")
