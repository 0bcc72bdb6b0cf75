"""Chat: what a model is told of the user and the mode, and that the answer says the truth of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chatloom.server.ids import new_id
from support.chatroutes import Member, answering
from support.infinity import CHAT, NAMED, Assistant
from support.keys import heir, new_key, secret
from support.live import Live
from transports.scripted import Server, serving


@pytest.fixture(scope="module")
def provider() -> Iterator[Server]:
    with serving(answering) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: Server) -> Iterator[Live]:
    config = f"""
        [providers.acme]
        base_url = "{provider.url}/v1"
        max_retries = 0
        """
    running = Live(tmp_path_factory.mktemp("infinity") / "own.db", "--providers", config=config)
    yield running
    assert running.stop() == 0


@pytest.fixture
def assistant(server: Live) -> Assistant:
    return Assistant(server, new_id())


def lead(provider: Server) -> str:
    """What led the context that the model was told last; nothing if nothing did."""
    first = sent(provider)["messages"][0]
    return str(first["content"]) if first["role"] == "system" else ""


def sent(provider: Server) -> Any:
    return json.loads(provider.asked[-1].body)


def test_an_answer_says_all_of_itself(assistant: Assistant) -> None:
    answer = assistant.chat("Hello!", mode="assist")
    about = answer["metadata"]
    assert answer["response"] == "Hello!"
    assert about["conversationId"] == answer["conversationId"]
    assert about["messageId"] == answer["messageId"]
    assert about["tokensUsed"] == sum(about["usage"].values()) > 0
    assert (about["model"], about["mode"], about["drivingMode"]) == ("loom/echo", "assist", False)
    assert (about["finishReason"], about["memoriesUsed"], about["knowledgeUsed"]) == (
        "stop",
        [],
        [],
    )
    assert about["processingTime"] >= 0


def test_a_plain_question_is_led_by_nothing(assistant: Assistant, provider: Server) -> None:
    assistant.chat("Hello!", model="acme/model", userTier="enterprise", unknownField=[1])
    assert sent(provider)["messages"] == [{"role": "user", "content": "Hello!"}]
    assert "max_tokens" not in sent(provider)


def test_the_model_is_told_all_that_is_said_of_the_user(
    assistant: Assistant, provider: Server
) -> None:
    assistant.chat(
        "Hello!",
        model="acme/model",
        mode="build",
        preferences={"tone": "dry", "language": "Latin", "units": {"length": "feet"}},
        userContext={"job": "baker"},
        essence={"value": "honesty"},
    )
    told = lead(provider)
    for words in ("build", "tone: dry", "language: Latin", '{"length":"feet"}'):
        assert words in told
    assert told.index("job: baker") < told.index("value: honesty")


@pytest.mark.parametrize("essence", ["a calm soul", {"value": "a calm soul"}])
def test_an_essence_comes_in_words_or_by_names(
    assistant: Assistant, provider: Server, essence: object
) -> None:
    assistant.chat("Hello!", model="acme/model", essence=essence)
    assert "a calm soul" in lead(provider)


def test_each_mode_is_told_in_words_of_its_own(assistant: Assistant, provider: Server) -> None:
    told: set[str] = set()
    for mode in ("search", "assist", "build", None):
        answer = assistant.chat("Hello!", model="acme/model", mode=mode)
        assert answer["metadata"]["mode"] == mode
        told.add(lead(provider))
    assert len(told) == 4


DRIVING: list[tuple[object, bool, bool]] = [
    (True, True, False),
    ({"enabled": True, "vehicle": "a van", "speed": 90}, True, True),
    ({"vehicle": "a van"}, True, True),
    ({"enabled": False, "vehicle": "a van"}, False, False),
    (False, False, False),
    (None, False, False),
]


@pytest.mark.parametrize(("told", "is_driving", "is_in_a_van"), DRIVING)
def test_whoever_drives_is_answered_in_few_spoken_words(
    assistant: Assistant, provider: Server, told: object, is_driving: bool, is_in_a_van: bool
) -> None:
    answer = assistant.chat("Hello!", model="acme/model", drivingMode=told)
    assert answer["metadata"]["drivingMode"] == is_driving
    assert (sent(provider).get("max_tokens") == 120) == is_driving
    assert ("driving" in lead(provider)) == is_driving
    assert ("a van" in lead(provider)) == is_in_a_van


def test_whoever_drives_hears_no_long_answer(assistant: Assistant) -> None:
    for is_driving in (True, False):
        told = assistant.chat("All of it!", model="loom/scribe?tokens=500", drivingMode=is_driving)
        assert (told["metadata"]["usage"]["completionTokens"] <= 120) == is_driving


def test_memories_are_told_where_they_bear_on_it_and_preferences_allow(
    assistant: Assistant, provider: Server
) -> None:
    assistant.remember("favourite colour", {"name": "ultramarine"})
    question = "What is my favourite colour?"
    used = assistant.chat(question, model="acme/model")
    assert "ultramarine" in lead(provider)
    assert used["metadata"]["memoriesUsed"] == ["favourite colour"]
    unused = assistant.chat(question, model="acme/model", preferences={"memory": False})
    assert lead(provider) == ""
    assert unused["metadata"]["memoriesUsed"] == []
    assert "ultramarine" not in json.dumps(sent(provider))


def test_memories_of_others_are_not_told(assistant: Assistant, provider: Server) -> None:
    assistant.remember("favourite colour", "ultramarine", userId="ann")
    question = "What is my favourite colour?"
    for user, told in (("ben", []), (None, []), ("ann", ["favourite colour"])):
        answer = assistant.chat(question, model="acme/model", userId=user)
        assert answer["metadata"]["memoriesUsed"] == told
        assert ("ultramarine" in lead(provider)) == bool(told)
    stranger = Assistant(assistant.server, new_id())
    answer = stranger.chat(question, model="acme/model", userId="ann")
    assert answer["metadata"]["memoriesUsed"] == []


def test_knowledge_is_told_where_it_is_searched(assistant: Assistant, provider: Server) -> None:
    id = assistant.know("Sourdough", "A sourdough starter wants rye flour and patience.")
    question = "What does a sourdough starter want?"
    found = assistant.chat(question, model="acme/model", mode="search")
    assert found["metadata"]["knowledgeUsed"] == [id]
    assert "rye flour" in lead(provider)
    plain = assistant.chat(question, model="acme/model")
    assert (plain["metadata"]["knowledgeUsed"], lead(provider)) == ([], "")


def test_a_conversations_own_prompt_holds_on_beside_the_mode(
    server: Live, provider: Server
) -> None:
    member = Member(server, new_id())
    talk = member.begin(model="acme/model", systemPrompt="Speak as a pirate.")
    Assistant(server, member.key).chat(
        "Hello!", model="acme/model", conversationId=talk.id, mode="assist"
    )
    assert lead(provider).startswith("Speak as a pirate.\n\nHelp the user")


def test_what_leads_a_question_does_not_enter_the_conversation(assistant: Assistant) -> None:
    assistant.remember("favourite colour", "ultramarine")
    first = assistant.chat("My favourite colour?", mode="assist", userContext={"job": "baker"})
    id = first["conversationId"]
    assert assistant.history(id) == [
        ("user", "My favourite colour?"),
        ("assistant", "My favourite colour?"),
    ]


@pytest.mark.parametrize("name", ["conversationId", "sessionId"])
@pytest.mark.parametrize("path", [CHAT, NAMED])
def test_a_conversation_goes_on(
    assistant: Assistant, provider: Server, name: str, path: str
) -> None:
    id = assistant.chat("One", model="acme/model")["conversationId"]
    assistant.stream("Two", path=path, model="acme/model", **{name: id.upper()})
    third = assistant.chat("Three", model="acme/model", **{name: id})
    assert third["conversationId"] == id
    assert [one["content"] for one in sent(provider)["messages"]][-1] == "Three"
    assert [text for _, text in assistant.history(id)][::2] == ["One", "Two", "Three"]


def test_an_end_user_is_named_within_the_account(assistant: Assistant) -> None:
    ann = assistant.chat("One", userId="ann")["conversationId"]
    assert assistant.chat("Two", userId="ann", conversationId=ann)["conversationId"] == ann
    body = {"message": "Mine?", "userId": "ben", "conversationId": ann, "model": "loom/echo"}
    assert assistant.refused("POST", CHAT, body) == (404, "NOT_FOUND")
    asked = f"{CHAT}?conversationId={ann}&userId=ben"
    assert assistant.refused("GET", asked) == (404, "NOT_FOUND")
    assert len(assistant.history(ann, userId="ann")) == len(assistant.history(ann)) == 4


def test_naming_a_user_never_widens_what_a_key_sees(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    root = new_key(server)
    bens = Assistant(server, heir(server, root["secret"], scopes=["chat"], user="ben")["secret"])
    whole = Assistant(server, root["secret"])
    ann, nobodys = whole.chat("One", userId="ann"), whole.chat("One")
    for talk in (ann, nobodys):
        id = talk["conversationId"]
        for user in (None, "ben"):
            body = {"message": "Mine?", "model": "loom/echo", "conversationId": id, "userId": user}
            assert bens.refused("POST", CHAT, body) == (404, "NOT_FOUND")
        assert bens.refused("GET", f"{CHAT}?conversationId={id}") == (404, "NOT_FOUND")
    body = {"message": "Mine?", "model": "loom/echo", "userId": "ann"}
    assert bens.refused("POST", CHAT, body) == (403, "FORBIDDEN")
    mine = bens.chat("One", userTier="enterprise")
    turn = mine["metadata"]["turnId"]
    assert server.rows("SELECT end_user FROM turn WHERE id = ?", turn) == [("ben",)]
    assert len(bens.history(mine["conversationId"])) == 2


def test_a_history_leaves_out_what_was_deleted(server: Live, assistant: Assistant) -> None:
    answer = assistant.chat("One")
    id = answer["conversationId"]
    assistant.chat("Two", conversationId=id)
    Member(server, assistant.key).data("DELETE", f"/messages/{answer['messageId']}")
    assert assistant.history(id) == [("user", "One"), ("user", "Two"), ("assistant", "Two")]
    Member(server, assistant.key).data("DELETE", f"/conversations/{id}")
    assert assistant.refused("GET", f"{CHAT}?conversationId={id}") == (404, "NOT_FOUND")


def test_a_provider_that_is_busy_says_when_to_come_back(assistant: Assistant) -> None:
    body = {"message": "Hello!", "model": "loom/scribe?429=1"}
    answer = assistant.call("POST", CHAT, body)
    assert (answer.status, answer.json["code"]) == (429, "RATE_LIMIT")
    assert answer.headers["retry-after"].isdigit()


def test_without_dev_a_model_that_nobody_configured_says_how_to(
    serve: Callable[..., Live],
) -> None:
    server = serve(dev=False)
    assistant = Assistant(server, secret(server))
    answer = assistant.call("POST", CHAT, {"message": "Hello!"})
    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")
    assert "chatloom.toml" in answer.json["message"]
