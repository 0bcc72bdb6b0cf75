"""Cursors say where a list goes on, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.protocols.chatroutes.cursors import (
    BehindBranch,
    BehindHit,
    BehindMessage,
    InTree,
)
from chatloom.server.protocols.cursors import cursor_of, read_cursor
from chatloom.server.refusal import Refusal

NUMBERS = st.integers(0, 2**63 - 1)
PLACES = st.one_of(
    st.builds(BehindMessage, st.text()),
    st.builds(BehindBranch, st.text(), st.text()),
    st.builds(InTree, st.text(), st.none() | NUMBERS, st.none() | st.text()),
    st.builds(BehindHit, NUMBERS),
)
KINDS = (BehindMessage, BehindBranch, InTree, BehindHit)


def assert_refused(told: str, kind: type[msgspec.Struct]) -> None:
    with pytest.raises(Refusal) as refused:
        read_cursor(told, kind)
    assert (refused.value.code, refused.value.param) == ("unknown_cursor", "cursor")


@settings(max_examples=200, deadline=None)
@given(PLACES)
def test_a_cursor_is_read_by_the_list_that_gave_it_alone(place: msgspec.Struct) -> None:
    told = cursor_of(place)
    assert told.isascii()
    assert told.replace("-", "").replace("_", "").isalnum()
    for kind in KINDS:
        if isinstance(place, kind):
            assert read_cursor(told, kind) == place
        else:
            assert_refused(told, kind)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=40) | st.binary(max_size=40).map(lambda told: urlsafe_b64encode(told).decode())
)
def test_what_is_no_cursor_is_refused(told: str) -> None:
    for kind in KINDS:
        assert_refused(told, kind)


@pytest.mark.parametrize(
    "told",
    [
        b'["h",-1]',
        b'["h",9223372036854775808]',
        b'["h",1.5]',
        b'["h"]',
        b'["h",1,2]',
        b'["h", 1]',
        b"1",
    ],
)
def test_a_place_that_cannot_be_is_refused(told: bytes) -> None:
    assert_refused(urlsafe_b64encode(told).decode().rstrip("="), BehindHit)


def test_a_cursor_is_said_in_one_way_only() -> None:
    told = cursor_of(BehindHit(7))
    for other in (told + "=", told + "==", told + "\n", f" {told}", told.swapcase(), ""):
        assert_refused(other, BehindHit)
