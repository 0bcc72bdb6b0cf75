"""An answer in every dialect that is spoken, cut anywhere."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.errors import TransportError
from infinity_assistant import InfinityAssistantStreamTruncatedError
from infinity_assistant.streaming import ChatReading
from sdks.infinity_assistant.telling import (
    BESIDE,
    DONE,
    END,
    ONCE,
    PLAIN,
    UPON,
    event,
    metadata,
    streamed,
    text,
)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b": still here\n", ONCE, UPON, END], id="a heartbeat"),
        pytest.param([ONCE, event({"type": "future"}), UPON, END], id="a type nobody knows"),
        pytest.param([ONCE, event({"content": None}), UPON, END], id="null"),
        pytest.param([ONCE, event({**text("upon"), "error": None}), END], id="null for error"),
        pytest.param([ONCE.replace(b"data: ", b"data:"), UPON, END], id="no space"),
        pytest.param([ONCE + UPON[:20], UPON[20:] + END], id="cut anywhere"),
        pytest.param([(ONCE + UPON + END).replace(b"\n", b"\r\n")], id="another line end"),
        pytest.param([ONCE.replace(b', "con', b'\ndata: , "con'), UPON, END], id="two lines"),
        pytest.param([event({"content": "once "}), UPON, END], id="no type"),
        pytest.param([event({"type": "x", "content": "once "}), UPON, END], id="any type"),
        pytest.param([ONCE, UPON, b"data: [DONE] \n\n"], id="a blank behind the end"),
        pytest.param([ONCE, UPON, event(DONE)], id="an end that is JSON"),
        pytest.param([ONCE, UPON, END, ONCE], id="something behind the end"),
        pytest.param([b"\xef\xbb\xbf", ONCE, UPON, END], id="a byte order mark"),
        pytest.param([b"\n" * 100, ONCE, UPON, END], id="blanks before"),
    ],
)
def test_what_servers_really_send_is_understood(pieces: list[bytes]) -> None:
    stream = streamed(*pieces)
    assert list(stream) == [text("once "), text("upon"), DONE]


def test_a_frame_may_hold_text_and_metadata() -> None:
    stream = streamed(event({"content": "hi", "metadata": {"a": 1}}), END)
    assert list(stream) == [metadata(a=1), text("hi"), DONE]


def test_the_real_servers_named_events_are_understood() -> None:
    stream = streamed(
        event({"conversationId": "c1"}, "start"),
        event({"from": "a", "to": "b"}, "phase"),
        event({"stored": True, "content": "x"}, "memory"),
        event({"text": "once "}, "chunk"),
        event({"text": "upon"}, "chunk"),
        event({"conversationId": "c1", "metadata": {"tokensUsed": 2}}, "done"),
    )
    assert list(stream) == [
        metadata(conversationId="c1"),
        metadata(phase={"from": "a", "to": "b"}),
        metadata(memory={"stored": True, "content": "x"}),
        text("once "),
        text("upon"),
        metadata(conversationId="c1", tokensUsed=2),
        DONE,
    ]
    answer = stream.collect()
    assert (answer["response"], answer["conversationId"]) == ("once upon", "c1")
    assert answer["metadata"].get("tokensUsed") == 2


def test_the_public_documents_frames_are_understood() -> None:
    pieces = [{"type": "chunk", "content": "once "}, {"type": "chunk", "content": "upon"}]
    stream = streamed(*map(event, pieces), event({"type": "complete", "message_id": "m1"}))
    told = metadata(message_id="m1", messageId="m1")
    assert list(stream) == [text("once "), text("upon"), told, DONE]
    assert stream.collect()["messageId"] == "m1"


@pytest.mark.parametrize("cut", [1, 30, 1000])
def test_a_plain_answer_to_a_stream_request_is_a_stream_of_one_text(cut: int) -> None:
    body = b" \n" + json.dumps(PLAIN).encode()
    stream = streamed(body[:cut], body[cut:] or b"", content_type="application/json")
    assert list(stream) == [
        metadata(model="infinity-agent", tokensUsed=2, conversationId="c1"),
        text("once upon"),
        DONE,
    ]
    answer = stream.collect()
    assert (answer["response"], answer["conversationId"]) == ("once upon", "c1")
    told: Any = answer
    assert told["rateLimit"] == {"allowed": True}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b""], id="nothing"),
        pytest.param([b"  \n"], id="blanks"),
        pytest.param([b"<html>no</html>"], id="a page"),
        pytest.param([b'{"response": "once'], id="half an object"),
        pytest.param([b'{"response": "once', TransportError("lost")], id="lost"),
        pytest.param([b'{"respond": "once"}'], id="another object"),
        pytest.param([b"[1]"], id="a list"),
    ],
)
def test_a_plain_body_that_is_no_answer_is_none(pieces: list[bytes | Exception]) -> None:
    stream = streamed(*pieces)
    with pytest.raises(InfinityAssistantStreamTruncatedError):
        list(stream)


# Wherever it is cut

SDK = event(text("é\n")) + BESIDE + event({"content": "ü", "metadata": {"x": "€"}}) + END
NAMED = (
    event({"conversationId": "c"}, "start")
    + event({"text": "é"}, "chunk")
    + event({"text": "ü"}, "chunk")
    + event({"metadata": {"tokensUsed": 1}}, "done")
)
DOCS = event({"type": "chunk", "content": "é"}) + event({"type": "complete", "message_id": "m"})
FAILED = event(text("é")) + event({"type": "error", "error": "ü"})
AT_ONCE = json.dumps({**PLAIN, "response": "éü€"}, ensure_ascii=False).encode()


def heard(pieces: list[bytes]) -> tuple[list[Any], bool, str | None]:
    reading = ChatReading()
    told: list[Any] = []
    for piece in [*pieces, b""]:
        if not reading.complete and reading.failure is None:
            told += reading.feed(piece)
    return told, reading.complete, str(reading.failure) if reading.failure else None


@given(
    st.sampled_from([SDK, NAMED, DOCS, FAILED, AT_ONCE]),
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_what_is_heard_depends_on_no_border(whole: bytes, crlf: bool, cuts: list[int]) -> None:
    said = whole.replace(b"\n", b"\r\n") if crlf else whole
    borders = [0, *sorted(cuts), len(said)]
    pieces = [said[a:b] for a, b in pairwise(borders) if said[a:b]]
    assert heard(pieces) == heard([whole])


@given(st.lists(st.text(), max_size=5), st.integers(1, 20))
def test_any_text_arrives_as_it_was_said(texts: list[str], size: int) -> None:
    said = b"".join(event(text(one)) for one in texts) + END
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    told, complete, failure = heard(pieces)
    assert told == [*(text(one) for one in texts if one), DONE]
    assert (complete, failure) == (True, None)


@given(st.integers(0, len(SDK) - 1))
def test_a_stream_cut_anywhere_is_not_done(size: int) -> None:
    told, complete, _ = heard([SDK[:size]])
    assert (DONE in told, complete) == (False, False) or size > len(SDK) - 3


FRAMES: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["type", "content", "text", "metadata", "error", "success", "response", "x"]),
    st.sampled_from([None, True, 1, "", "x", "text", "done", "error", [], ["x"], {}, {"x": "y"}]),
)


@given(st.lists(st.tuples(FRAMES, st.sampled_from(["", "chunk", "done", "x"]))), st.booleans())
def test_any_frames_are_an_answer_or_a_failure(frames: list[Any], at_once: bool) -> None:
    said = [json.dumps(frame).encode() if at_once else event(frame, name) for frame, name in frames]
    told, complete, failure = heard(said)
    assert (DONE in told) == complete == (DONE in told[-1:])
    assert not (complete and failure)
