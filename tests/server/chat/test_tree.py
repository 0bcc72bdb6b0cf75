"""Hashes: equal talks are equal everywhere, and any change shows."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import canonical, grow, is_history, node_hash, path_hashes
from chatloom.server.store.contract import Node
from support.talks import messages

CALL: dict[str, JSON] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": "{}"},
}


def test_the_canonical_form_is_fixed() -> None:
    """Stored hashes depend on it: a change here is a new version of the form."""
    form = b'[1,"user",{"content":"Gr\xc3\xbc\xc3\x9fe","name":"Ann"},[]]'
    root = node_hash(Message("user", "Grüße", "Ann"))
    assert root == hashlib.sha256(form).digest()
    form = b'[1,"assistant",{"content":"Hi"},["%s"]]' % root.hex().encode()
    assert node_hash(Message("assistant", "Hi"), [root]) == hashlib.sha256(form).digest()
    assert root.hex() == "bd05b88e310cf8d4c98e846c58c52b1076b34170ed6263012e3cd1b99766113f"


def test_keys_are_sorted_at_every_depth() -> None:
    one = Message("user", [{"type": "text", "text": "a", "extra": {"b": 1, "a": 2}}])
    two = Message("user", [{"extra": {"a": 2, "b": 1}, "text": "a", "type": "text"}])
    assert canonical(one) == canonical(two)
    assert node_hash(one) == node_hash(two)


@given(talk=st.lists(messages(), min_size=1))
def test_equal_talks_have_equal_hashes_wherever_they_are(talk: list[Message]) -> None:
    here = grow(None, talk, conversation_id="here", turn_id="one", now=1, said_here=False)
    there = grow(None, talk, conversation_id="there", turn_id="two", now=2, said_here=True)
    assert [node.hash for node in here] == [node.hash for node in there] == path_hashes(talk)
    assert {node.id for node in here}.isdisjoint({node.id for node in there})


@given(talk=st.lists(messages(), min_size=1), at=st.integers(min_value=0), other=messages())
def test_a_change_shows_in_every_hash_behind_it(
    talk: list[Message], at: int, other: Message
) -> None:
    at %= len(talk)
    changed = [*talk[:at], other, *talk[at + 1 :]]
    same = [one == two for one, two in zip(path_hashes(talk), path_hashes(changed), strict=True)]
    kept = len(talk) if other == talk[at] else at
    assert same == [True] * kept + [False] * (len(talk) - kept)


DIFFERENT = [
    Message("user", "a"),
    Message("assistant", "a"),
    Message("user", "A"),
    Message("user", "a "),
    Message("user", "a\N{COMBINING ACUTE ACCENT}"),
    Message("user", "á"),
    Message("user", ""),
    Message("user", [{"type": "text", "text": "a"}]),
    Message("user", "a", "ann"),
    Message("assistant", None, tool_calls=[CALL]),
    Message("assistant", "", tool_calls=[CALL]),
    Message("assistant", None, tool_calls=[CALL, CALL]),
    Message("tool", "a", tool_call_id="call_1"),
    Message("tool", "a", tool_call_id="call_2"),
    Message("assistant", None, refusal="a"),
]


def test_different_messages_have_different_hashes() -> None:
    assert len({node_hash(message) for message in DIFFERENT}) == len(DIFFERENT)


def test_parents_count_and_so_does_their_order() -> None:
    message, one, two = Message("user", "a"), b"\1" * 32, b"\2" * 32
    parents = [(), (one,), (two,), (one, two), (two, one)]
    assert len({node_hash(message, some) for some in parents}) == len(parents)


def test_nodes_grow_one_behind_the_other() -> None:
    talk = [Message("user", "a"), Message("assistant", "b")]
    first = grow(None, talk, conversation_id="c", turn_id="t", now=1, said_here=False)
    later = grow(first[-1], talk, conversation_id="c", turn_id="t", now=1, said_here=False)
    chain = [*first, *later]
    assert [node.depth for node in chain] == [1, 2, 3, 4]
    assert [node.parent_id for node in chain] == [None, *(node.id for node in chain[:-1])]
    assert [node.hash for node in chain] == path_hashes([*talk, *talk])
    assert path_hashes(talk, first[-1].hash) == [node.hash for node in later]


def test_what_follows_an_answer_given_here_is_part_of_a_talk() -> None:
    def grown(parent: Node | None, said_here: bool) -> Node:
        new = [Message("assistant", "a")]
        return grow(parent, new, conversation_id="c", turn_id="t", now=1, said_here=said_here)[0]

    told = grown(None, False)
    said = grown(told, True)
    assert [told.answered, said.answered, grown(said, False).answered] == [False, True, True]


@pytest.mark.parametrize(
    ("roles", "history"),
    [
        ("user", False),
        ("system user", False),
        ("user user", False),
        ("user assistant", True),
        ("assistant user", True),
        ("system user assistant user", True),
    ],
)
def test_a_list_with_an_assistants_message_is_a_history(roles: str, history: bool) -> None:
    assert is_history([Message(role, "a") for role in roles.split()]) is history


def test_what_is_for_the_provider_alone_does_not_change_a_hash() -> None:
    call: dict[str, JSON] = {"id": "c", "type": "function", "function": {"name": "f"}}
    plain = Message(role="assistant", tool_calls=[call])
    told = Message(
        role="assistant", tool_calls=[{**call, "extra_content": {"s": 1}}], extra={"x": "y"}
    )
    assert node_hash(plain) == node_hash(told)
    assert canonical(plain) != canonical(told)
