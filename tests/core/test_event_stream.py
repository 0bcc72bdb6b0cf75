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
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"data: a\n\n", [b"a"], id="one line"),
        pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="two events"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"], id="blank lines between"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="several lines"),
        pytest.param(b"data:a\n\n", [b"a"], id="no space after the colon"),
        pytest.param(b"data:  a \n\n", [b" a "], id="only the first space goes"),
        pytest.param(b"data:\ta\n\n", [b"\ta"], id="a tab is no space"),
        pytest.param(b"data: a: b\n\n", [b"a: b"], id="only the first colon counts"),
        pytest.param(b"data : a\n\n", [], id="a space before the colon is of the name"),
        pytest.param(b"data: a\n \ndata: b\n\n", [b"a\nb"], id="a line of a space is not blank"),
        pytest.param(b"data: a\0b\n\n", [b"a\0b"], id="NUL in data"),
        pytest.param(b"data\n\n", [b""], id="a field without a colon"),
        pytest.param(b"data:\n\n", [b""], id="empty data"),
        pytest.param(b"data: \n\n", [b""], id="empty data behind a space"),
        pytest.param(b"data\ndata\n\n", [b"\n"], id="two empty lines of data"),
        pytest.param(b"data: a\ndata:\n\n", [b"a\n"], id="an empty last line of data"),
        pytest.param(b"data: a\n\ndata: b\n", [b"a"], id="an unfinished last block is dropped"),
        pytest.param(b"data: a\n\ndata: b", [b"a"], id="an unfinished last line is dropped"),
        pytest.param(b": hello\n\n", [], id="a comment alone"),
        pytest.param(b":\ndata: a\n: b\n\n", [b"a"], id="comments around data"),
        pytest.param(b":data: a\n\n", [], id="data commented out"),
        pytest.param(HEARTBEAT * 2 + b"data: a\n\n", [b"a"], id="heartbeats"),
        pytest.param(b"id: 1\n\nevent: x\n\nretry: 5\n\n", [], id="blocks without data"),
        pytest.param(b"datax: a\n data: b\nDATA: c\n\n", [], id="fields nobody knows"),
        pytest.param(b"dat\xff: a\n\n", [], id="a name that is not UTF-8"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="CR"),
        pytest.param(b"data: a\ndata: b\rdata: c\r\n\n", [b"a\nb\nc"], id="mixed line ends"),
        pytest.param(b"data: a\n\r\ndata: b\r\n\r", [b"a", b"b"], id="mixed blank lines"),
        pytest.param(b"data: a\x0bb\x0cc\n\n", [b"a\x0bb\x0cc"], id="VT and FF end no line"),
        pytest.param(
            "data: \x85\u2028\n\n".encode(), ["\x85\u2028".encode()], id="nor NEL nor U+2028"
        ),
        pytest.param("\ufeffdata: a\n\n".encode(), [b"a"], id="a BOM"),
        pytest.param("\ufeff\r\n\rdata: a\n\n".encode(), [b"a"], id="a BOM and blank lines"),
        pytest.param("data: a\n\n\ufeffdata: b\n\n".encode(), [b"a"], id="a BOM later on"),
        pytest.param("\ufeff\ufeffdata: a\n\n".encode(), [], id="one BOM and no more"),
        pytest.param("data: \ufeffa\n\n".encode(), ["\ufeffa".encode()], id="a BOM within data"),
        pytest.param("data: é\n\n".encode(), ["é".encode()], id="UTF-8"),
        pytest.param(b"data: \xffa\n\n", ["\ufffda".encode()], id="a byte that is not UTF-8"),
        pytest.param(b"data: \xe2\x82\n\n", ["\ufffd".encode()], id="a character cut off"),
        pytest.param(b"data: \xff\ndata: a\n\n", ["\ufffd\na".encode()], id="in one line of two"),
        pytest.param(b"data: \xc3\ndata: \xa9\n\n", ["\ufffd\n\ufffd".encode()], id="over two"),
        pytest.param(b"data: \xf0\x9f\x98a\n\n", ["\ufffda".encode()], id="three of four bytes"),
        pytest.param(b"data: \xc0\xaf\n\n", ["\ufffd".encode() * 2], id="an overlong form"),
        pytest.param(b"data: \xed\xa0\x80\n\n", ["\ufffd".encode() * 3], id="a surrogate"),
    ],
)
def test_data_is_read_by_the_rules(stream: bytes, expected: list[bytes]) -> None:
    assert data(stream) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (
            b"data: This is the first message.\n\ndata: This is the second message, it\n"
            b"data: has two lines.\n\ndata: This is the third message.\n\n",
            [
                Event(b"This is the first message."),
                Event(b"This is the second message, it\nhas two lines."),
                Event(b"This is the third message."),
            ],
        ),
        (
            b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"
            b"event: add\ndata: 113411\n\n",
            [Event(b"73857293", "add"), Event(b"2153", "remove"), Event(b"113411", "add")],
        ),
        (
            b"data: YHOO\ndata: +2\ndata: 10\n\n",
            [Event(b"YHOO\n+2\n10")],
        ),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
            b"data:  third event\n",
            [Event(b"first event", id="1"), Event(b"second event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event(b""), Event(b"\n")]),
        (b"data:test\n\ndata: test\n\n", [Event(b"test"), Event(b"test")]),
    ],
    ids=["messages", "names", "stocks", "four blocks", "empty data", "the space"],
)
def test_the_standards_own_examples(stream: bytes, expected: list[Event]) -> None:
    assert decoded(stream) == expected


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
        (b"event:x\ndata: a\n\n", ["x"]),
        (b"event:  x y \ndata: a\n\n", [" x y "]),
        (b"event:\ndata: a\n\n", ["message"]),
        (b"EVENT: x\ndata: a\n\n", ["message"]),
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
        pytest.param(b"id: 1\nid: 2\ndata: a\n\n", ["2"], id="the last of a block"),
        pytest.param(b"id:  1 \ndata: a\n\n", [" 1 "], id="only the first space goes"),
        pytest.param(b"id: 1\n\nid:\ndata: a\n\n", [""], id="an empty one, with a colon"),
        pytest.param(b"id: 1\nid: 2\0\ndata: a\n\n", ["1"], id="one with NUL is ignored"),
        pytest.param(b"id: \xff\ndata: a\n\n", ["\ufffd"], id="not UTF-8"),
    ],
)
def test_an_event_carries_the_last_id_seen(stream: bytes, expected: list[str]) -> None:
    assert [event.id for event in decoded(stream)] == expected


def test_an_unfinished_block_sets_no_retry() -> None:
    """A browser would take it; nobody reconnects by a block cut off here."""
    decoder = EventStreamDecoder()
    decoder.feed(b"retry: 5\ndata: a\n")
    assert decoder.retry is None


def test_the_id_of_an_unfinished_block_does_not_count() -> None:
    decoder = EventStreamDecoder()
    decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1500", 1500),
        (b"0", 0),
        (b"007", 7),
        (b"1\nretry: 2", 2),
        (b"1\nretry: x", 1),
        (b"1\n\ndata: a", 1),
        (b"5 ", None),
        (b"0x5", None),
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


def test_an_event_may_come_in_very_many_reads() -> None:
    """Were all read again each time, this would take minutes."""
    decoder = EventStreamDecoder()
    for _ in range(100_000):
        assert not decoder.feed(b"data: of many lines\n")
    assert len(decoder.feed(b"\n")) == 1


PARTS = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b"id: 7",
        b"id: 7\0",
        b"id",
        b"event: x",
        b"event",
        b"retry: 5",
        b"retry: x",
        b": c",
        b"\xef\xbb\xbf",
        b"\xff",
        b"data: \xc3",
        b"\xa9",
    ]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\r", b"\r\n"])
BOMS = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"])
PLAUSIBLE = st.lists(PARTS | ENDS, max_size=30).map(b"".join)
STREAMS = st.tuples(BOMS, PLAUSIBLE | st.binary(max_size=60)).map(b"".join)


def by_the_standard(stream: bytes) -> list[Event]:
    """Read *stream* as the standard words it, one line after the other, all at once."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, _ = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[Event] = []
    data = name = id_ = last_id = ""
    for line in lines:
        if not line:
            last_id = id_
            if data:
                events.append(Event(data.removesuffix("\n").encode(), name or "message", last_id))
            data = name = ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            id_ = value
    return events


@given(stream=STREAMS)
def test_the_decoder_agrees_with_the_standards_own_words(stream: bytes) -> None:
    assert decoded(stream) == by_the_standard(stream)


@st.composite
def partitioned(draw: st.DrawFn) -> list[bytes]:
    stream = draw(STREAMS)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=len(stream) + 3))
    places = [0, *sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def seen(*chunks: bytes) -> tuple[list[Event], str, int | None]:
    """Everything a decoder knows in the end."""
    decoder = EventStreamDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry


@given(chunks=partitioned())
@example(chunks=[b"data: a", b"\r", b"\n", b"\r", b"\n"])
@example(chunks=[b"data: a\n", b"", b"\n"])
def test_any_split_of_the_bytes_gives_the_same_events(chunks: list[bytes]) -> None:
    assert seen(*chunks) == seen(b"".join(chunks))


@given(stream=STREAMS)
def test_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    assert seen(*(bytes([byte]) for byte in stream)) == seen(stream)


@given(stream=STREAMS)
def test_no_event_waits_for_bytes_behind_its_end(stream: bytes) -> None:
    for at in range(len(stream) + 1):
        assert decoded(stream[:at]) == by_the_standard(stream[:at])


SHORT = 60
"""Characters of which three fields surely fit into the events that `decoded` takes."""
LINE = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=SHORT
)


@given(
    text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=SHORT),
    name=LINE,
    id_=LINE,
)
def test_what_is_encoded_is_decoded_the_same(text: str, name: str, id_: str) -> None:
    event = Event(text.encode(), name or "message", id_)
    assert decoded(encode_event(text.encode(), event=name, id=id_)) == [event]


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
def test_line_ends_within_data_become_line_feeds(end: bytes) -> None:
    assert data(encode_event(b"a" + end + b"b")) == [b"a\nb"]
