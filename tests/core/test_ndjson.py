"""JSON texts, one a line.

https://github.com/ndjson/ndjson-spec, https://jsonlines.org
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatloom.core.errors import AnswerError
from chatloom.core.ndjson import LineDecoder, encode_line


def fed(decoder: LineDecoder, *chunks: bytes) -> list[bytes]:
    return [line for chunk in chunks for line in decoder.feed(chunk)]


def lines(*chunks: bytes, limit: int = 1000) -> list[bytes]:
    return fed(LineDecoder(limit), *chunks)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b'{"a":1}\n', [b'{"a":1}'], id="one line"),
        pytest.param(b"1\n2\n", [b"1", b"2"], id="two lines"),
        pytest.param(b"1\r\n2\r\n", [b"1", b"2"], id="CRLF"),
        pytest.param(b"1\n2\r\n3\n", [b"1", b"2", b"3"], id="both ends"),
        pytest.param(b"[1,\r2]\n", [b"[1,\r2]"], id="a CR alone ends nothing"),
        pytest.param(b"\n\r\n1\n\n\n2\n \t\n", [b"1", b"2"], id="blank lines"),
        pytest.param(b" 1\t\n", [b"1"], id="blanks around"),
        pytest.param(b"1\n2", [b"1"], id="an unfinished line waits"),
        pytest.param(b"\xef\xbb\xbf1\n", [b"1"], id="a BOM"),
        pytest.param(b"\xef\xbb\xbf\n1\n", [b"1"], id="a BOM on a blank line"),
        pytest.param(b"1\n\xef\xbb\xbf2\n", [b"1", "\ufeff2".encode()], id="a BOM later on stays"),
        pytest.param('"é"\n'.encode(), ['"é"'.encode()], id="UTF-8"),
        pytest.param(b'"\xff"\n', ['"\ufffd"'.encode()], id="a byte that is not UTF-8"),
        pytest.param('"\u2028\x85\x0b"\n'.encode(), ['"\u2028\x85\x0b"'.encode()], id="no ends"),
        pytest.param(b'{"a" 1}\n', [b'{"a" 1}'], id="not JSON, for another to say so"),
    ],
)
def test_lines_are_read_by_the_rules(stream: bytes, expected: list[bytes]) -> None:
    assert lines(stream) == expected


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"\xef", b"\xbb", b"\xbf1\n"], [b"1"], id="a BOM in three"),
        pytest.param([b"", b"\xef\xbb", b"\xbf", b"1\n"], [b"1"], id="a BOM alone"),
        pytest.param([b"\xef", b"1\n"], ["\ufffd1".encode()], id="the start of a BOM only"),
        pytest.param([b"1\r", b"\n2\n"], [b"1", b"2"], id="CRLF in two"),
        pytest.param([b"1", b"", b"2", b"\n"], [b"12"], id="a line in pieces"),
        pytest.param([b'"\xc3', b'\xa9"\n'], ['"é"'.encode()], id="a character in two"),
    ],
)
def test_reads_may_end_anywhere(chunks: list[bytes], expected: list[bytes]) -> None:
    assert lines(*chunks) == expected


@pytest.mark.parametrize("whole", [b"{}", b"[1]", b'"a"', b"true", b"null", b" {} ", b"{}\r"])
def test_a_last_line_may_lack_its_end(whole: bytes) -> None:
    decoder = LineDecoder()
    assert fed(decoder, b"1\n", whole) == [b"1"]
    assert decoder.end() == whole.strip()
    assert decoder.end() is None


@pytest.mark.parametrize("nothing", [b"", b"1\n", b"1\n\r\n  ", b"\xef\xbb\xbf"])
def test_there_may_be_no_last_line(nothing: bytes) -> None:
    decoder = LineDecoder()
    decoder.feed(nothing)
    assert decoder.end() is None


@pytest.mark.parametrize(
    "cut", [b'{"a":1', b"[1,", b'"a', b"tru", b"{} {", b"\xef\xbb", b"12", b"-1.5e3"]
)
def test_a_last_line_that_may_have_been_cut_is_an_error(cut: bytes) -> None:
    decoder = LineDecoder()
    decoder.feed(cut)
    with pytest.raises(AnswerError, match="the last line"):
        decoder.end()


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"1" * 101], id="unfinished"),
        pytest.param([b"1" * 101 + b"\n"], id="in one read"),
        pytest.param([b"1" * 51, b"1" * 50 + b"\n"], id="in two reads"),
        pytest.param([b"1\n" + b"1" * 101], id="behind another"),
        pytest.param([b" " * 101], id="blanks"),
    ],
)
def test_a_line_past_the_limit_is_an_error(chunks: list[bytes]) -> None:
    with pytest.raises(AnswerError, match="more than 100 bytes"):
        lines(*chunks, limit=100)


def test_a_line_may_be_as_long_as_the_limit() -> None:
    assert lines(b"1" * 60, b"1" * 40 + b"\n1", limit=100) == [b"1" * 100]


def test_many_lines_may_be_larger_than_the_limit_together() -> None:
    assert len(lines(b'{"a":1}\n' * 1000, limit=100)) == 1000


def test_a_line_may_come_in_very_many_reads() -> None:
    """Were all read again each time, this would take minutes."""
    decoder = LineDecoder()
    for _ in range(100_000):
        assert not decoder.feed(b"12345678901234567890")
    assert len(decoder.feed(b"\n")) == 1


PARTS = st.sampled_from([b"{}", b"12", b'"\xc3\xa9"', b"\xff", b" ", b"\n", b"\n", b"\r\n", b"\r"])
STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(PARTS, max_size=30).map(b"".join) | st.binary(max_size=60),
).map(b"".join)


def all_of(*chunks: bytes, limit: int = 1000) -> tuple[list[bytes], bytes | str | None]:
    decoder = LineDecoder(limit)
    try:
        return fed(decoder, *chunks), decoder.end()
    except AnswerError as error:
        return [], str(error)


@st.composite
def partitioned(draw: st.DrawFn) -> list[bytes]:
    stream = draw(STREAMS)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=len(stream) + 3))
    places = [0, *sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


@given(chunks=partitioned(), limit=st.sampled_from([3, 1000]))
@example(chunks=[b"1", b"\r", b"\n"], limit=1)
def test_any_split_of_the_bytes_gives_the_same_lines(chunks: list[bytes], limit: int) -> None:
    assert all_of(*chunks, limit=limit) == all_of(b"".join(chunks), limit=limit)


@given(stream=STREAMS)
def test_byte_by_byte_a_line_comes_with_its_line_feed(stream: bytes) -> None:
    decoder = LineDecoder()
    for at in range(len(stream)):
        came = decoder.feed(stream[at : at + 1])
        assert not came or stream[at : at + 1] == b"\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(values=st.lists(VALUES, max_size=5), spread=st.booleans())
def test_what_is_encoded_is_decoded_the_same(values: list[object], spread: bool) -> None:
    texts = [msgspec.json.encode(value) for value in values]
    if spread:
        texts = [msgspec.json.format(text) for text in texts]
    stream = b"".join(map(encode_line, texts))
    assert [msgspec.json.decode(line) for line in lines(stream, limit=10**6)] == values
