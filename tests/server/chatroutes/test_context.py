"""What a model is really told, in each context mode, and that the answer's metadata says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.chatroutes import Member, Talk, answering
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
    running = Live(tmp_path_factory.mktemp("context") / "own.db", "--providers", config=config)
    yield running
    running.stop()


@pytest.fixture
def talk(server: Live) -> Talk:
    return Member(server).begin(model="acme/model")


def told(provider: Server) -> list[str]:
    """What the model was told last: ``U`` for the user's words, ``A`` for answers, ``S`` else."""
    messages = json.loads(provider.asked[-1].body)["messages"]
    return [f"{one['role'][0].upper()} {one['content']}" for one in messages]


def about(answer: Any) -> tuple[str, bool, int]:
    """What the answer's metadata says of its context."""
    known = answer["message"]["metadata"]
    assert known["prompt_tokens"] == answer["usage"]["promptTokens"] == 10
    return known["context_mode"], known["context_truncated"], known["context_message_count"]


FIRST = ["U One", "A answer 1", "U Two", "A answer 2"]


def test_full_is_the_whole_path(talk: Talk, provider: Server) -> None:
    _, _, three, _ = talk.say("One", "Two")
    branch = talk.fork(three, "Aside")
    answer = talk.send("Three", branch)
    assert told(provider) == [*FIRST[:3], "U Three"]
    assert about(answer) == ("FULL", False, 3)
    assert about(talk.send("Four", branch)) == ("FULL", False, 5)
    assert about(talk.send("Five")) == ("FULL", False, 4)
    assert told(provider) == [*FIRST, "U Five"]


def test_minimal_is_the_fork_and_the_branch(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[3], contextMode="MINIMAL")
    answer = talk.send("Three", branch)
    assert told(provider) == [*FIRST[2:], "U Three"]
    assert about(answer) == ("MINIMAL", True, 2)
    answer = talk.send("Four", branch)
    assert told(provider) == [*FIRST[2:], "U Three", "A answer 2", "U Four"]
    assert about(answer) == ("MINIMAL", True, 4)
    question = talk.fork(ids[2], contextMode="MINIMAL")
    talk.send("Instead", question)
    assert told(provider) == ["U Two", "U Instead"]


def test_minimal_at_the_beginning_cuts_nothing(talk: Talk) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], contextMode="MINIMAL")
    assert about(talk.send("Zwei", branch)) == ("MINIMAL", False, 2)


def test_a_mode_can_be_changed(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[3])
    talk.change(branch, contextMode="MINIMAL")
    talk.send("Three", branch)
    assert told(provider) == [*FIRST[2:], "U Three"]
    talk.change(branch, contextMode="FULL")
    talk.send("Four", branch)
    assert told(provider)[:4] == FIRST


def test_partial_is_the_last_checkpoint_and_what_follows(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two", "Three")
    body = {"branchId": talk.main["id"], "anchorMessageId": ids[3]}
    made = talk.member.data("POST", f"{talk.path}/checkpoints", body)["checkpoint"]
    assert told(provider)[-1].startswith("U [1] user: One\n\n[2] assistant: answer 1")
    assert made["summary"] == "answer 1"
    branch = talk.fork(ids[5], contextMode="PARTIAL")
    answer = talk.send("Four", branch)
    summary = "S Summary of the conversation so far:\n\nanswer 1"
    assert told(provider) == [summary, "U Three", "A answer 3", "U Four"]
    assert about(answer) == ("PARTIAL", True, 3)
    assert answer["message"]["metadata"]["checkpoint_used"] == made["id"]
    talk.member.data("DELETE", f"/checkpoints/{made['id']}")
    answer = talk.send("Five", branch)
    assert told(provider)[:6] == [*FIRST, "U Three", "A answer 3"]
    assert about(answer) == ("PARTIAL", False, 8)
    assert answer["message"]["metadata"]["checkpoint_used"] is None


def test_a_checkpoint_elsewhere_does_not_stand_for_a_path(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    body = {"branchId": talk.main["id"], "anchorMessageId": ids[3]}
    talk.member.data("POST", f"{talk.path}/checkpoints", body)
    branch = talk.fork(ids[1], contextMode="PARTIAL")
    answer = talk.send("Zwei", branch)
    assert told(provider) == [*FIRST[:2], "U Zwei"]
    assert about(answer) == ("PARTIAL", False, 2)


def test_partial_without_a_checkpoint_is_the_last_part(talk: Talk, provider: Server) -> None:
    long = "word " * 2500
    ids = talk.say(long, long, "Three")
    branch = talk.fork(ids[5], contextMode="PARTIAL")
    answer = talk.send("Four", branch)
    assert told(provider) == [f"U {long}", "A answer 2", "U Three", "A answer 3", "U Four"]
    assert about(answer) == ("PARTIAL", True, 4)
    talk.say(long * 2, branch=branch)
    assert about(talk.send("Six", branch)) == ("PARTIAL", True, 2)
    assert told(provider)[0] == f"U {long * 2}"


def test_what_leads_the_conversation_is_told_in_every_mode(server: Live, provider: Server) -> None:
    talk = Member(server).begin(model="acme/model", systemPrompt="Be brief.")
    ids = talk.say("One", "Two", "Three")
    for mode in ("FULL", "PARTIAL", "MINIMAL"):
        branch = talk.fork(ids[3], contextMode=mode)
        talk.send("Drei", branch)
        assert told(provider)[0] == "S Be brief."
        assert told(provider)[-1] == "U Drei"


def test_deleted_words_are_told_no_more(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    talk.member.data("DELETE", f"/messages/{ids[1]}")
    answer = talk.send("Three")
    assert told(provider) == ["U One", *FIRST[2:], "U Three"]
    assert answer["message"]["metadata"]["context_message_count"] == 3


def test_a_merge_is_told_as_what_it_brings_in(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    talk.say("Zwei", "Drei", branch=branch)
    picked = talk.messages(branch)[2]["id"]
    talk.merge(branch, strategy="pick", messageIds=[picked])
    answer = talk.send("Three")
    assert told(provider) == [*FIRST, "U Zwei", "A answer 2", "U Three"]
    assert about(answer) == ("FULL", False, 6)


def test_a_summary_is_told_as_such_and_once(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    own = talk.say("Zwei", branch=branch)
    talk.merge(branch, strategy="summarize")
    assert told(provider)[-1] == "U [1] user: Zwei\n\n[2] assistant: answer 2"
    talk.send("Three")
    summary = f"S Summary of “Aside”:\n\nanswer 1\n\nSources: {', '.join(own)}"
    assert told(provider) == [*FIRST, summary, "U Three"]


def test_what_was_said_otherwise_is_what_is_told(talk: Talk, provider: Server) -> None:
    ids = talk.say("One", "Two")
    talk.member.data("PATCH", f"/messages/{ids[3]}", {"content": "I take it back."})
    talk.send("Three")
    assert told(provider) == [*FIRST[:3], "A I take it back.", "U Three"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_every_wire_tells_what_the_branch_tells(talk: Talk, provider: Server, path: str) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[3], contextMode="MINIMAL")
    place = {"conversation_id": talk.id, "branch_id": branch["id"]}
    body = {
        "model": "acme/model",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Three"}],
        "metadata": place,
    }
    answer = talk.member.server.call("POST", path, body, key=talk.member.key)
    assert answer.status == 200
    assert told(provider) == [*FIRST[2:], "U Three"]
    known = talk.messages(branch)[-1]["metadata"]
    assert (known["context_mode"], known["context_truncated"]) == ("MINIMAL", True)
