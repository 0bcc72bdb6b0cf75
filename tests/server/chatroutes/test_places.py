"""One talk on all wires: begun on one, gone on with on the others, at exact places of its tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from support.chatroutes import Member, Talk
from support.http import completion
from support.live import Live

KEY = "places"


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, KEY).begin()


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{live.url}/v1") as client:
        yield client


def complete(talk: Talk, content: object, **metadata: str) -> Any:
    answer = talk.member.server.complete(
        content, key=KEY, model="loom/echo", metadata={"conversation_id": talk.id, **metadata}
    )
    assert answer.status == 200, answer.body
    return answer.json


def said(content: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": content}]


def test_a_talk_begun_at_chatroutes_goes_on_over_openais_wire(talk: Talk) -> None:
    talk.say("One")
    told = complete(talk, "Two")
    assert told["system_fingerprint"] == talk.id
    last = talk.messages()[-1]
    assert told["metadata"] == {
        "conversation_id": talk.id,
        "branch_id": talk.main["id"],
        "message_id": last["id"],
        "parent_message_id": last["parentMessageId"],
    }
    assert talk.texts() == ["One", "One", "Two", "Two"]
    assert talk.messages()[0]["metadata"].keys() == talk.messages()[2]["metadata"].keys()
    assert last["metadata"]["protocol"] == "chatserver"
    assert talk.told["title"] == "A talk"


def test_a_talk_begun_over_openais_wire_is_forked_and_merged_at_chatroutes(live: Live) -> None:
    place = live.complete("One", key=KEY, model="loom/echo", user="ann").json["metadata"]
    talk = Talk(Member(live, KEY), place["conversation_id"])
    assert talk.main["id"] == place["branch_id"]
    assert [one["id"] for one in talk.messages()] == [
        place["parent_message_id"],
        place["message_id"],
    ]
    branch = talk.fork(place["message_id"], "Aside")
    talk.say("Aside", branch=branch)
    complete(talk, "Two")
    node = talk.merge(branch)["merge"]["messageId"]
    told = complete(talk, "Three")
    assert told["metadata"]["branch_id"] == talk.main["id"]
    assert talk.told["model"] == "loom/echo"
    path = f"/atoms/chat/sessions/{talk.id}?user_id=ann"
    session = live.call("GET", path, key=KEY).json
    assert [one["id"] for one in session["messages"]] == [one["id"] for one in talk.messages()]
    assert node in {one["id"] for one in session["messages"]}
    assert session["session"]["message_count"] == talk.told["messageCount"]


def test_a_talk_of_nobody_is_read_back_as_anybodys_session(live: Live, talk: Talk) -> None:
    talk.say("One")
    session = live.call("GET", f"/atoms/chat/sessions/{talk.id}?user_id=ann", key=KEY).json
    assert [one["content"] for one in session["messages"]] == ["One", "One"]
    assert session["session"]["title"] == "A talk"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_openai_package_goes_on_from_an_exact_place(
    client: openai.OpenAI, talk: Talk, streamed: bool
) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    place = {"conversation_id": talk.id, "branch_id": branch["id"]}
    places = [place, {"parent_message_id": ids[1].upper()}, {"parent_message_id": ids[2]}]
    told: list[Any] = []
    for metadata in places:
        if streamed:
            *_, last = client.chat.completions.create(
                model="loom/echo", messages=said("Here"), metadata=metadata, stream=True
            )
            told.append(last.to_dict()["metadata"])
        else:
            answer = client.chat.completions.create(
                model="loom/echo", messages=said("Here"), metadata=metadata
            )
            told.append(answer.to_dict()["metadata"])
    assert [one["conversation_id"] for one in told] == [talk.id] * 3
    assert told[0]["branch_id"] == branch["id"]
    assert len({one["branch_id"] for one in told}) == 3
    expected = [ids[:2], ids[:2], ids[:3]]
    for one, before in zip(told, expected, strict=True):
        path = [message["id"] for message in talk.messages({"id": one["branch_id"]})]
        assert path == [*before, one["parent_message_id"], one["message_id"]]
        branch = talk.branch({"id": one["branch_id"]})
        assert branch["headMessageId"] == one["message_id"]


def test_usage_in_a_chunk_of_its_own_has_the_place(client: openai.OpenAI, talk: Talk) -> None:
    chunks = list(
        client.chat.completions.create(
            model="loom/echo",
            messages=said("Here"),
            metadata={"conversation_id": talk.id},
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    placed = [one for one in chunks if "metadata" in (one.model_extra or {})]
    assert placed == chunks[-1:]
    assert chunks[-1].choices == []


def test_a_conversation_is_led_by_what_it_says_on_every_wire(live: Live) -> None:
    led, plain = (Member(live, KEY).begin(systemPrompt=one) for one in ("Be brief.", ""))
    more = {talk.send("One")["usage"]["promptTokens"] for talk in (led, plain)}
    both = {complete(talk, "Two")["usage"]["prompt_tokens"] for talk in (led, plain)}
    assert max(both) - min(both) == max(more) - min(more) > 0


def test_a_history_goes_to_its_place_in_the_tree(talk: Talk) -> None:
    talk.say("One", "Two")
    told = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "One"},
        {"role": "user", "content": "Zwei"},
    ]
    place = complete(talk, told)["metadata"]
    assert place["branch_id"] != talk.main["id"]
    assert talk.texts({"id": place["branch_id"]}) == ["One", "One", "Zwei", "Zwei"]
    assert talk.branch({"id": place["branch_id"]})["forkPointMessageId"] == talk.messages()[1]["id"]


def test_messages_of_any_form_are_told_as_text_with_their_parts(talk: Talk) -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]
    complete(talk, [{"role": "user", "content": parts}])
    question, _ = talk.messages()
    assert question["content"] == "Look"
    assert question["metadata"]["parts"] == parts


def test_tool_calls_are_told_in_the_metadata(live: Live) -> None:
    talk = Member(live, KEY).begin(model="loom/scribe")
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    body = completion('!call look {"at": 1}', tools=[tool], metadata={"conversation_id": talk.id})
    live.call("POST", "/v1/chat/completions", body, key=KEY)
    about = talk.messages()[-1]["metadata"]
    assert about["toolCalls"][0]["function"]["name"] == "look"
    assert about["finishReason"] == "tool_calls"
    talk.say("And now?")
    assert talk.messages()[-1]["role"] == "assistant"


def test_several_answers_are_branches(talk: Talk) -> None:
    body = completion("One", model="loom/echo", n=3, metadata={"conversation_id": talk.id})
    talk.member.server.call("POST", "/v1/chat/completions", body, key=KEY)
    assert [talk.texts(one) for one in talk.branches()] == [["One", "One"]] * 3
    assert talk.told["messageCount"] == 4
