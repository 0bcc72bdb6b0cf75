"""Bodies cut into blocks at every place there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.transports.failures import Garbled
from chatloom.transports.framing import Chunked, Sized, UntilClosed

WIRE = b'3\r\nabc\r\n00A;x="y"\r\n0123456789\r\n1 ;z\r\n.\r\n0\r\nx-late: 1\r\n\r\n'


@pytest.mark.parametrize("cut", range(len(WIRE) + 1))
def test_chunks_may_be_cut_anywhere(cut: int) -> None:
    framing = Chunked()
    assert framing.feed(WIRE[:cut]) + framing.feed(WIRE[cut:]) == b"abc0123456789."
    assert (framing.whole, framing.excess) == (True, False)


@given(st.lists(st.binary(min_size=1), max_size=6), st.data())
def test_chunks_may_be_cut_often(bodies: list[bytes], data: st.DataObject) -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(body), body) for body in bodies]
    wire = b"".join(chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)))))
    ends = zip([0, *cuts], [*cuts, len(wire)], strict=True)
    framing = Chunked()
    read = b"".join([framing.feed(wire[begin:end]) for begin, end in ends])
    assert (read, framing.whole, framing.excess) == (b"".join(bodies), True, False)


def test_chunks_may_come_byte_by_byte() -> None:
    framing = Chunked()
    body = b"".join(framing.feed(WIRE[at : at + 1]) for at in range(len(WIRE)))
    assert (body, framing.whole) == (b"abc0123456789.", True)


@pytest.mark.parametrize("cut", range(len(WIRE)))
def test_chunks_that_stop_short_are_an_error(cut: int) -> None:
    framing = Chunked()
    framing.feed(WIRE[:cut])
    with pytest.raises(Garbled):
        framing.end()


@pytest.mark.parametrize(
    "size",
    [
        *(b"", b" ", b"+1", b"-1", b"1_0", b"g", b"1 1", b"0x1", b"\xc2\xb2", b"1" * 17),
        *(b";x=1", b"1\n;x", b"1;x\ny", b"1;x\ry", b"1" * 70_000),
    ],
)
def test_a_size_that_is_none_is_an_error(size: bytes) -> None:
    with pytest.raises(Garbled):
        Chunked().feed(size + b"\r\n.\r\n")


def test_a_chunk_longer_than_its_size_is_an_error() -> None:
    with pytest.raises(Garbled):
        Chunked().feed(b"1\r\nab\r\n0\r\n\r\n")


def test_a_size_line_without_an_end_is_an_error() -> None:
    with pytest.raises(Garbled):
        Chunked().feed(b"1;" + b"x" * 70_000)


def test_what_comes_after_the_end_is_noticed() -> None:
    chunked, sized = Chunked(), Sized(2)
    assert chunked.feed(b"0\r\n\r\nmore" * 10_000) == b""
    assert sized.feed(b"himore") == b"hi"
    assert (chunked.excess, sized.excess) == (True, True)


def test_a_body_until_the_end_ends_there() -> None:
    framing = UntilClosed()
    assert (framing.feed(b"all"), framing.whole) == (b"all", False)
    framing.end()
    assert framing.whole
