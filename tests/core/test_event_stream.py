"""The WHATWG rules, one by one.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatloom.core.errors import AnswerError
from chatloom.core.event_stream import HEARTBEAT, Event, EventStreamDecoder, encode_event


def decoded(*chunks: bytes, limit: int = 1000) -> list[Event]:
    decoder = EventStreamDecoder(limit)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def data(*chunks: bytes) -> list[bytes]:
    return [event.data for event in decoded(*chunks)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\n", [b"a"], id="one line"),
        pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="two events"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"], id="blank lines between"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="several lines"),
        pytest.param(b"data:a\n\n", [b"a"], id="no space after the colon"),
        pytest.param(b"data:  a \n\n", [b" a "], id="only the first space goes"),
        pytest.param(b"data:\ta\n\n", [b"\ta"], id="a tab is no space"),
        pytest.param(b"data: a: b\n\n", [b"a: b"], id="only the first colon counts"),
        pytest.param(b"data\n\n", [b""], id="a field without a colon"),
        pytest.param(b"data:\n\n", [b""], id="empty data"),
        pytest.param(b"data: \n\n", [b""], id="empty data behind a space"),
        pytest.param(b"data\ndata\n\n", [b"\n"], id="two empty lines of data"),
        pytest.param(b"data: a\ndata:\n\n", [b"a\n"], id="an empty last line of data"),
        pytest.param(b"data: a\n\ndata: b\n", [b"a"], id="an unfinished last block is dropped"),
        pytest.param(b"data: a\n\ndata: b", [b"a"], id="an unfinished last line is dropped"),
        pytest.param(b": hello\n\n", [], id="a comment alone"),
        pytest.param(b":\ndata: a\n: b\n\n", [b"a"], id="comments around data"),
        pytest.param(HEARTBEAT * 2 + b"data: a\n\n", [b"a"], id="heartbeats"),
        pytest.param(b"id: 1\n\nevent: x\n\nretry: 5\n\n", [], id="blocks without data"),
        pytest.param(b"datax: a\n data: b\nDATA: c\n\n", [], id="fields nobody knows"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="CR"),
        pytest.param(b"data: a\ndata: b\rdata: c\r\n\n", [b"a\nb\nc"], id="mixed line ends"),
        pytest.param(b"data: a\n\r\ndata: b\r\n\r", [b"a", b"b"], id="mixed blank lines"),
        pytest.param("\ufeffdata: a\n\n".encode(), [b"a"], id="a BOM"),
        pytest.param("\ufeff\ufeffdata: a\n\n".encode(), [], id="one BOM and no more"),
        pytest.param("data: \ufeffa\n\n".encode(), ["\ufeffa".encode()], id="a BOM within data"),
        pytest.param("data: é\n\n".encode(), ["é".encode()], id="UTF-8"),
        pytest.param(b"data: \xffa\n\n", ["\ufffda".encode()], id="a byte that is not UTF-8"),
        pytest.param(b"data: \xe2\x82\n\n", ["\ufffd".encode()], id="a character cut off"),
        pytest.param(b"data: \xff\ndata: a\n\n", ["\ufffd\na".encode()], id="in one line of two"),
    ],
)
def test_data_is_read_by_the_rules(stream: bytes, expected: list[bytes]) -> None:
    assert data(stream) == expected


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"\xef", b"\xbb", b"\xbfdata: a\n\n"], [b"a"], id="a BOM in three"),
        pytest.param([b"", b"\xef\xbb", b"\xbf", b"data: a\n\n"], [b"a"], id="a BOM alone"),
        pytest.param([b"\xef", b"data: a\n\ndata: b\n\n"], [b"b"], id="the start of a BOM only"),
        pytest.param([b"data: a\r", b"\n\r", b"\n"], [b"a"], id="CRLF in two"),
        pytest.param([b"data: a\r", b"", b"\ndata: b\r", b"\n\r\n"], [b"a\nb"], id="and nothing"),
        pytest.param([b"data: a\r", b"\r", b"data: b\n\n"], [b"a", b"b"], id="CR and CR"),
        pytest.param([b"data: a\r", b"data: b\r\r"], [b"a\nb"], id="CR and a line"),
        pytest.param([b"data: \xc3", b"\xa9\n\n"], ["é".encode()], id="a character in two"),
        pytest.param([b"da", b"ta", b": a", b"\n", b"\n"], [b"a"], id="a field in pieces"),
    ],
)
def test_reads_may_end_anywhere(chunks: list[bytes], expected: list[bytes]) -> None:
    assert data(*chunks) == expected


def test_a_carriage_return_alone_ends_an_event_at_once() -> None:
    assert EventStreamDecoder().feed(b"data: a\r\r") == [Event(b"a")]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", ["message"]),
        (b"event: x\ndata: a\n\n", ["x"]),
        (b"data: a\nevent: x\n\n", ["x"]),
        (b"event: x\nevent: y\ndata: a\n\n", ["y"]),
        (b"event: x\nevent\ndata: a\n\n", ["message"]),
        (b"event: x\ndata: a\n\ndata: b\n\n", ["x", "message"]),
        (b"event: x\n\ndata: b\n\n", ["message"]),
        (b"event: \xff\ndata: a\n\n", ["\ufffd"]),
    ],
)
def test_an_event_has_the_last_name_in_its_block(stream: bytes, expected: list[str]) -> None:
    assert [event.event for event in decoded(stream)] == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\n", [""], id="none"),
        pytest.param(b"id: 1\ndata: a\n\ndata: b\n\n", ["1", "1"], id="it persists"),
        pytest.param(b"data: a\nid: 1\n\n", ["1"], id="behind the data"),
        pytest.param(b"id: 1\n\ndata: a\n\n", ["1"], id="of a block without data"),
        pytest.param(b"id: 1\ndata: a\n\nid\ndata: b\n\n", ["1", ""], id="an empty one resets it"),
        pytest.param(b"id: 1\nid: 2\0\ndata: a\n\n", ["1"], id="one with NUL is ignored"),
        pytest.param(b"id: \xff\ndata: a\n\n", ["\ufffd"], id="not UTF-8"),
    ],
)
def test_an_event_carries_the_last_id_seen(stream: bytes, expected: list[str]) -> None:
    assert [event.id for event in decoded(stream)] == expected


def test_the_id_of_an_unfinished_block_does_not_count() -> None:
    decoder = EventStreamDecoder()
    decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1500", 1500),
        (b"0", 0),
        (b"", None),
        (b"+5", None),
        (b"-5", None),
        (b"1_0", None),
        (b"1.5", None),
        (b" 5", None),
        ("٣".encode(), None),
        (b"9" * 5000, None),
    ],
)
def test_retry_takes_digits_only(value: bytes, expected: int | None) -> None:
    decoder = EventStreamDecoder()
    decoder.feed(b"retry: " + value + b"\n\n")
    assert decoder.retry == expected


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"data: " + b"a" * 100], id="unfinished"),
        pytest.param([b"data: " + b"a" * 100 + b"\n\n"], id="in one read"),
        pytest.param([b"data: " + b"a" * 50, b"a" * 50 + b"\n\n"], id="in two reads"),
        pytest.param([b"data: a\n"] * 13, id="in many lines"),
        pytest.param([b": " + b"a" * 100], id="a comment"),
    ],
)
def test_an_event_past_the_limit_is_an_error(chunks: list[bytes]) -> None:
    with pytest.raises(AnswerError, match="more than 100 bytes"):
        decoded(*chunks, limit=100)


def test_many_events_may_be_larger_than_the_limit_together() -> None:
    assert len(EventStreamDecoder(limit=100).feed(b"data: a\n\n" * 1000)) == 1000


LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b"id: 7",
        b"event: x",
        b": c",
        b"",
        b"",
        b"\xff",
        b"data: \xc3",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
BOMS = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"])
PLAUSIBLE = st.lists(LINES | ENDS, max_size=30).map(b"".join)
STREAMS = st.tuples(BOMS, PLAUSIBLE | st.binary(max_size=60)).map(b"".join)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=12))
@example(stream=b"data: a\r\n\r\n", cuts=list(range(12)))
def test_any_split_of_the_bytes_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    assert decoded(*chunks) == decoded(stream)


LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(
    text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])),
    name=LINE,
    id_=LINE,
)
def test_what_is_encoded_is_decoded_the_same(text: str, name: str, id_: str) -> None:
    event = Event(text.encode(), name or "message", id_)
    assert decoded(encode_event(text.encode(), event=name, id=id_)) == [event]


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
def test_line_ends_within_data_become_line_feeds(end: bytes) -> None:
    assert data(encode_event(b"a" + end + b"b")) == [b"a\nb"]
