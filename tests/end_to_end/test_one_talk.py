"""One talk, begun through one SDK, goes on through the others, and is read back whole."""

from __future__ import annotations

import asyncio

from anthropic import Anthropic
from openai import OpenAI

from chatserver_sdk import AsyncChatServerClient, ChatServerClient, ChatSessionDetailResponse
from puter import PuterAI
from support.live import Live
from zaguan import ChatRequest, Message, ZaguanClient

KEY, USER = "one-talk", "anna"


def begin(url: str) -> tuple[str, str]:
    """Begin it, streamed; its session, and the answer."""
    with ChatServerClient(KEY, url) as client:
        stream = client.create_completion("loom/scribe", ["How?"], stream=True, user=USER)
        text = stream.collect()
        session = stream.metadata["system_fingerprint"]
        assert session is not None
        return session, text


def by_openai(url: str, session: str, whole: list[tuple[str, str]]) -> list[str]:
    """Go on by its fingerprint, plain and streamed, then by repeating all of it."""
    here = {"session_id": session, "user_id": USER}
    with OpenAI(base_url=f"{url}/v1", api_key=KEY) as client:
        plain = client.chat.completions.create(
            model="loom/scribe", messages=[{"role": "user", "content": "Why?"}], metadata=here
        )
        assert plain.system_fingerprint == session
        texts = [plain.choices[0].message.content or ""]
        chunks = client.chat.completions.create(
            model="loom/scribe",
            messages=[{"role": "user", "content": "When?"}],
            metadata=here,
            stream=True,
        )
        texts.append("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
        said = [*whole, ("user", "Why?"), ("assistant", texts[0])]
        said += [("user", "When?"), ("assistant", texts[1]), ("user", "Where?")]
        history = client.chat.completions.create(
            model="loom/scribe",
            messages=[
                {"role": "user", "content": text}
                if role == "user"
                else {"role": "assistant", "content": text}
                for role, text in said
            ],
            user=USER,
        )
        assert history.system_fingerprint == session
        return [*texts, history.choices[0].message.content or ""]


def by_anthropic(url: str, session: str) -> str:
    """Go on with it on Anthropic's wire."""
    with Anthropic(base_url=url, api_key=KEY) as client:
        answer = client.messages.create(
            model="loom/scribe",
            max_tokens=200,
            messages=[{"role": "user", "content": "Who?"}],
            extra_body={"metadata": {"session_id": session, "user_id": USER}},
        )
        (block,) = answer.content
        assert block.type == "text"
        return block.text


def by_zaguan(url: str, session: str) -> str:
    """Go on with it through the Zaguan SDK, streamed."""
    request = ChatRequest(
        model="loom/scribe",
        messages=[Message(role="user", content="What else?")],
        metadata={"conversation_id": session, "user_id": USER},
    )
    with ZaguanClient(url, KEY) as client, client.chat_stream(request) as stream:
        return stream.collect().text


def by_puter(url: str, session: str) -> str:
    """Go on with it through the Puter SDK."""
    with PuterAI(token=KEY, api_base=url) as client:
        here = {"conversation_id": session, "user_id": USER}
        return client.chat("And then?", "loom/scribe", metadata=here)


async def read_awaited(url: str, session: str) -> ChatSessionDetailResponse:
    async with AsyncChatServerClient(KEY, url) as client:
        return await client.get_session(session, user_id=USER)


def test_a_talk_goes_on_through_every_sdk(live: Live) -> None:
    session, first = begin(live.url)
    texts = [first, *by_openai(live.url, session, [("user", "How?"), ("assistant", first)])]
    texts += [by_anthropic(live.url, session), by_zaguan(live.url, session)]
    texts.append(by_puter(live.url, session))
    asked = ["How?", "Why?", "When?", "Where?", "Who?", "What else?", "And then?"]
    with ChatServerClient(KEY, live.url) as client:
        detail = client.get_session(session, user_id=USER)
        (listed,) = client.iter_sessions(USER)
    assert all(texts)
    assert [message.content for message in detail.messages] == [
        text for pair in zip(asked, texts, strict=True) for text in pair
    ]
    assert listed.message_count == len(detail.messages) == 14
    assert listed.tokens_out == sum(message.tokens or 0 for message in detail.messages)
    assert detail == asyncio.run(read_awaited(live.url, session))
