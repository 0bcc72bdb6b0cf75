"""What was said, and what the server makes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from io import StringIO
from typing import NoReturn

import pytest

from chatloom.cli.chat.answering import show
from chatloom.cli.chat.client import ChatClient
from chatloom.cli.chat.display.pages import PlainPage
from chatloom.cli.chat.listening import Listening
from chatloom.cli.chat.spending import dollars
from chatloom.cli.chat.talk import Saying, Talk
from chatloom.core.errors import ChatloomError, StatusError, TransportError
from chatloom.core.http import Request, Response
from chatloom.core.secret import Secret
from chatloom.server.models.driver import Text
from chatloom.transports.blocking import BlockingTransport
from faults.plan import at_random
from faults.proxy import proxied
from support.live import Live
from support.scripted import Body, Scripted

SLOW = "loom/scribe?delay=30&tokens=200"
PATIENCE = 30.0

NewTalk = Callable[..., Talk]


def heard(listening: Listening, *, words: int | None = None) -> str:
    """What an answer says, or its first *words*."""
    texts: list[str] = []
    until = time.monotonic() + PATIENCE
    while not listening.is_over and (words is None or len(texts) < words):
        assert time.monotonic() < until
        texts += [delta.text for delta in listening.take(0.1) if isinstance(delta, Text)]
    return "".join(texts)


def answered(talk: Talk, question: str) -> str:
    listening = talk.ask(question)
    text = heard(listening)
    assert listening.failure is None, listening.failure
    talk.keep(listening.turn_id, text)
    return text


def failure(talk: Talk, question: str) -> ChatloomError:
    listening = talk.ask(question)
    text = heard(listening)
    talk.keep(listening.turn_id, text, "failed")
    assert listening.failure is not None
    return listening.failure


def stopped(talk: Talk, question: str) -> str:
    listening = talk.ask(question)
    text = heard(listening, words=3)
    listening.leave()
    talk.keep(listening.turn_id, text, "stopped")
    return text


def stored(live: Live, talk: Talk) -> list[str]:
    """Every message of a conversation, as the server has it."""
    select = "SELECT body FROM message WHERE conversation_id = ?"
    return [str(body) for (body,) in live.rows(select, talk.conversation_id)]


def test_a_talk_is_one_conversation(talk_with: NewTalk) -> None:
    talk = talk_with(system="Be brief.")
    said = [("user", "What is a river?"), ("assistant", answered(talk, "What is a river?"))]
    said += [("user", "And a sea?"), ("assistant", answered(talk, "And a sea?"))]
    assert talk.conversation_id is not None
    kept = talk.client.conversation(talk.conversation_id)
    assert [(message.role, message.content) for message in kept.messages] == said
    assert [(saying.role, saying.content) for saying in talk.said] == said


def test_the_next_question_follows_what_was_seen_of_a_stopped_answer(
    talk_with: NewTalk, live: Live
) -> None:
    talk = talk_with(SLOW)
    seen = stopped(talk, "Tell me a story")
    assert talk.said[-1] == Saying("assistant", seen, SLOW, "stopped")
    talk.model = "loom/echo"
    answered(talk, "And then?")
    assert any(f'"{seen}"' in body for body in stored(live, talk))


class Silence(Body):
    """An answer of which nothing comes until somebody leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.left = threading.Event()

    async def read(self) -> bytes:
        assert self.left.wait(PATIENCE)
        raise TransportError("the connection is gone")

    async def close(self) -> None:
        await super().close()
        self.left.set()


def test_leaving_gives_the_connection_back_at_once() -> None:
    body = Silence()
    talk = Talk(ChatClient.at(Scripted(Response(200, arriving=body)), None), "any")
    listening = talk.ask("Hello!")
    assert listening.take(0.05) == []
    listening.leave()
    assert (listening.is_over, listening.failure, body.is_held) == (True, None, False)


def test_leaving_before_the_head_has_come_sends_nothing_more() -> None:
    asked, left = threading.Event(), threading.Event()

    class Slow(Scripted):
        async def sleep(self, seconds: float) -> None:
            asked.set()
            assert left.wait(PATIENCE)

    outside = Slow(Response(429), Response(200))
    listening = Talk(ChatClient.at(outside, None), "any").ask("Hello!")
    assert asked.wait(PATIENCE)
    listening.leave()
    left.set()
    listening.join()
    assert len(outside.requests) == 1


def test_leaving_stops_the_answer_at_the_server(talk_with: NewTalk) -> None:
    talk = talk_with(SLOW)
    listening = talk.ask("Tell me a story")
    heard(listening, words=3)
    listening.leave()
    assert listening.turn_id is not None
    assert talk.client.turn(listening.turn_id).outcome == "cancelled"


def test_all_that_is_kept_of_a_stopped_answer_is_shown(talk_with: NewTalk) -> None:
    talk, stop, shown_there = talk_with(SLOW), threading.Event(), StringIO()
    listening = talk.ask("Tell me a story")
    threading.Timer(0.5, stop.set).start()
    shown = show(listening, PlainPage(shown_there), stop)
    assert listening.turn_id is not None
    kept = talk.client.turn(listening.turn_id).text
    assert (shown.text, shown_there.getvalue()) == (kept, f"{kept}\n")


def test_leaving_while_the_head_comes_stops_the_answer_too() -> None:
    asked, left = threading.Event(), threading.Event()

    class Slow(Scripted):
        async def send(self, request: Request) -> Response:
            answer = await super().send(request)
            asked.set()
            assert left.wait(PATIENCE)
            return answer

    outside = Slow(Response(200, {"x-chatloom-turn": "t1"}, arriving=Body()), Response(200))
    listening = Talk(ChatClient.at(outside, None), "any").ask("Hello!")
    assert asked.wait(PATIENCE)
    listening.leave()
    left.set()
    listening.join()
    assert str(outside.requests[1]) == "POST /v1/turns/t1/cancel"


def test_leaving_does_not_wait_for_a_server_that_is_gone() -> None:
    gone = threading.Event()

    class Gone(Scripted):
        async def send(self, request: Request) -> Response:
            if request.path.endswith("/cancel"):
                assert gone.wait(PATIENCE)
            return await super().send(request)

    outside = Gone(Response(200, {"x-chatloom-turn": "t1"}, arriving=Silence()), Response(200))
    listening = Talk(ChatClient.at(outside, None), "any").ask("Hello!")
    assert listening.take(0.05) == []
    listening.leave()
    assert not gone.is_set()
    gone.set()


def test_an_answer_outlives_its_connections(live: Live) -> None:
    plan = at_random(7, (2000, 9000))
    with proxied(live.host, live.port, plan) as proxy:
        client = ChatClient.at(BlockingTransport(proxy.url), Secret("outliving"))
        talk = Talk(client, "loom/scribe?tokens=200")
        listening = talk.ask("Tell me a story")
        text = heard(listening)
        assert (listening.failure, proxy.cuts > 3) == (None, True)
    assert listening.turn_id is not None
    turn = live.call("GET", f"/v1/turns/{listening.turn_id}", key="outliving").json
    assert (text, turn["outcome"]) == (turn["text"], "complete")


def test_an_answer_asked_for_again_stands_beside_the_first(talk_with: NewTalk) -> None:
    talk = talk_with()
    answered(talk, "What is a river?")
    first = answered(talk, "And a sea?")
    talk.model = "loom/echo"
    question = talk.take_back()
    assert question == "And a sea?"
    assert answered(talk, question) == "And a sea?" != first
    assert [saying.role for saying in talk.said] == ["user", "assistant"] * 2
    assert talk.conversation_id is not None
    assert len(talk.client.conversation(talk.conversation_id).branches) == 2


def test_a_first_question_asked_again_begins_anew(talk_with: NewTalk) -> None:
    talk = talk_with()
    first = answered(talk, "What is a river?")
    before = talk.conversation_id
    question = talk.take_back()
    assert question is not None
    assert answered(talk, question) == first
    assert talk.conversation_id not in {None, before}


def test_a_question_that_failed_was_not_said_and_can_be_asked_again(talk_with: NewTalk) -> None:
    talk = talk_with()
    answered(talk, "What is a river?")
    talk.model = "loom/scribe?429=100"
    assert isinstance(failure(talk, "And a sea?"), StatusError)
    assert len(talk.said) == 2
    assert talk.take_back() == "And a sea?"
    talk.model = "loom/echo"
    assert answered(talk, "And a sea?") == "And a sea?"


def test_an_answer_that_breaks_off_is_kept_as_far_as_it_came(talk_with: NewTalk) -> None:
    talk = talk_with("loom/scribe?cut=5")
    assert isinstance(failure(talk, "What is a river?"), ChatloomError)
    assert [saying.ending for saying in talk.said] == [None, "failed"]
    talk.model = "loom/echo"
    answered(talk, "Go on")
    assert len(talk.said) == 4


def test_beginning_again_leaves_the_conversation(talk_with: NewTalk) -> None:
    talk = talk_with(system="Be brief.")
    answered(talk, "What is a river?")
    before = talk.conversation_id
    talk.begin_again()
    answered(talk, "What is a river?")
    assert (len(talk.said), talk.system) == (2, "Be brief.")
    assert talk.conversation_id != before


def test_a_conversation_is_resumed(talk_with: NewTalk) -> None:
    talk = talk_with()
    answered(talk, "What is a river?")
    assert talk.conversation_id is not None
    later = talk_with()
    later.resume(talk.conversation_id)
    assert later.question == "What is a river?"
    answered(later, "And a sea?")
    kept = talk.client.conversation(talk.conversation_id)
    assert [message.content for message in kept.messages] == [one.content for one in later.said]
    with pytest.raises(StatusError, match="conversation"):
        later.resume("nothing")


def test_tokens_and_money_are_those_of_the_ledger(talk_with: NewTalk, live: Live) -> None:
    talk = talk_with()
    answered(talk, "What is a river?")
    answered(talk, "And a sea?")
    select = (
        "SELECT sum(amount), sum(prompt_tokens + completion_tokens) FROM ledger "
        "JOIN turn ON turn.id = turn_id WHERE conversation_id = ? AND kind = 'settle'"
    )
    ((money, tokens),) = live.rows(select, talk.conversation_id)
    assert (talk.spent.picodollars, talk.spent.tokens) == (money, tokens)
    assert talk.spent.cost.startswith("$0.0000")


def test_what_a_stopped_answer_took_is_learnt_once_it_is_settled(talk_with: NewTalk) -> None:
    talk = talk_with("loom/scribe?delay=20&tokens=30")
    stopped(talk, "Tell me a story")
    until = time.monotonic() + PATIENCE
    while not talk.spent.tokens and time.monotonic() < until:
        talk.settle()
    assert talk.spent.tokens


@pytest.mark.parametrize(
    ("picodollars", "told"),
    [
        (0, "$0"),
        (23_400_000, "$0.000023"),
        (1, "$0.0000000000010"),
        (9_960_000_000, "$0.0100"),
        (12_345_000_000_000, "$12.35"),
        (1_234_500_000_000_000, "$1,234.50"),
    ],
)
def test_money_is_told_for_people(picodollars: int, told: str) -> None:
    assert dollars(picodollars) == told


def test_a_fault_in_reading_is_not_taken_for_an_end() -> None:
    def broken(*_: object) -> NoReturn:
        raise ZeroDivisionError

    listening = Listening(broken, broken)
    with pytest.raises(ZeroDivisionError):
        heard(listening)
