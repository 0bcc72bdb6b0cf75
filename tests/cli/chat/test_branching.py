"""Branches at the prompt: what is typed, and what the server's tree makes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatloom.cli.chat.talk import Talk
from cli.chat.desk import Desk
from support.live import Live

NewTalk = Callable[..., Talk]


@pytest.fixture
def desk(talk_with: NewTalk) -> Desk:
    """Where an echo answers."""
    return Desk(talk_with("loom/echo"))


def path(desk: Desk, name: str) -> list[str]:
    """What a branch says, as the server has it."""
    talk = desk.talk
    assert talk.conversation_id is not None
    (branch,) = [b for b in talk.client.branches(talk.conversation_id) if b.title == name]
    kept = talk.client.conversation(talk.conversation_id, branch.id)
    return [str(message.content) for message in kept.messages]


def said(*questions: str) -> list[str]:
    """What an echo makes of *questions*."""
    return [one for question in questions for one in (question, question)]


def names(desk: Desk) -> list[str]:
    assert desk.talk.conversation_id is not None
    return [branch.title for branch in desk.talk.client.branches(desk.talk.conversation_id)]


def test_a_fork_goes_on_where_it_was_begun(desk: Desk) -> None:
    told = desk.type("One", "/fork colder", "Two", "/switch main", "Three")
    assert "“colder” begins here; what you ask next is said on it." in told
    assert "You are on “main”. > One One" in told
    assert path(desk, "colder") == said("One", "Two")
    assert path(desk, "main") == said("One", "Three")
    assert names(desk) == ["main", "colder"]


def test_a_fork_can_do_without_a_name(desk: Desk) -> None:
    desk.type("One", "/fork", "Two", "/fork", "Three")
    assert names(desk) == ["main", "branch 2", "branch 3"]
    assert path(desk, "branch 3") == said("One", "Two", "Three")


NOTHING_YET = ["/fork", "/branches", "/switch main", "/merge", "/diff main", "/switch"]


@pytest.mark.parametrize("line", NOTHING_YET)
def test_without_a_conversation_there_are_no_branches(desk: Desk, line: str) -> None:
    assert desk.type(line) == "Nothing was said yet."


def test_branches_are_listed_and_the_current_one_is_marked(desk: Desk) -> None:
    told = desk.type("One", "/fork colder", "Two", "/branches")
    assert "  1 main 2 messages, $0 > 2 colder 4 messages (2 its own), $0".strip() in told
    assert "> 1 main" in desk.type("/switch 1", "/branches")


SWITCHED = {
    "by name": "colder still",
    "by number": "3",
    "by a part of the name": "STILL",
}


@pytest.mark.parametrize("name", SWITCHED.values(), ids=SWITCHED)
def test_a_branch_has_several_names(desk: Desk, name: str) -> None:
    desk.type("One", "/fork colder", "Two", "/fork colder still", "Three", "/switch main")
    assert "You are on “colder still”. > Three Three" in desk.type(f"/switch {name}")
    assert desk.session.status()[1] == "colder still"


def test_a_name_that_fits_several_branches_or_none_is_told(desk: Desk) -> None:
    desk.type("One", "/fork colder", "/fork coldest")
    told = desk.type("/switch cold", "/switch warm", "/switch 9")
    assert "cold could be any of these: 2 colder" in told
    assert "There is no branch warm; /branches lists those there are." in told
    assert "There is no branch 9;" in told
    assert desk.session.status()[1] == "coldest"


def test_a_merge_brings_in_what_the_parent_has_not(desk: Desk) -> None:
    desk.type("One", "/fork colder", "Two", "/switch main", "Three")
    told = desk.type("/merge colder", "Four")
    assert "“main” gains a merge that brings in 2 messages of “colder”." in told
    assert path(desk, "main")[4:] == ["Merged “colder”: 2 messages", "Four", "Four"]
    assert names(desk) == ["main", "colder"]


def test_a_merge_into_a_parent_that_stood_still_moves_it(desk: Desk) -> None:
    told = desk.type("One", "/fork colder", "Two", "/merge", "/switch main", "Three")
    assert "“main” takes over 2 messages of “colder”: it had not moved (fast-forward)." in told
    assert "/switch main goes on there." in told
    assert path(desk, "main") == said("One", "Two", "Three")
    assert names(desk) == ["main", "colder"]


def test_a_merge_that_makes_no_sense_says_why(desk: Desk) -> None:
    desk.type("One", "/fork colder")
    assert "the target has all that this branch says" in desk.type("/merge")
    assert "the main branch was forked from none" in desk.type("/switch main", "/merge")
    desk.type("/switch colder", "Two", "/switch main", "Three", "/merge colder")
    assert "merged into “main” before, and has gained nothing since" in desk.type("/merge colder")


def test_branches_are_compared(desk: Desk) -> None:
    desk.type("One", "/fork colder", "Two *and* more", "/switch main", "Three")
    told = desk.type("/diff colder")
    assert told.startswith("2 messages in common main 2 messages ·")
    assert "> Three Three colder 2 messages" in told
    assert told.endswith("> Two *and* more Two *and* more")
    assert "no more" in desk.type("/switch colder", "/fork new", "/diff")
    assert "name a branch to compare" in desk.type("/switch main", "/diff")


def test_a_long_branch_is_compared_in_part(desk: Desk) -> None:
    desk.type("One", "/fork long", *map(str, range(11)))
    assert desk.type("/diff").endswith("and 2 more main no more")


def test_what_is_asked_again_is_a_branch_that_can_be_named(desk: Desk) -> None:
    desk.type("One", "Two", "/retry")
    assert names(desk) == ["main", "branch 2"]
    assert desk.session.status()[1] == "branch 2"
    desk.type("Three", "/switch main", "Four")
    assert path(desk, "branch 2") == said("One", "Two", "Three")
    assert path(desk, "main") == said("One", "Two", "Four")


def test_a_branch_that_somebody_else_moves_is_left(desk: Desk, talk_with: NewTalk) -> None:
    desk.type("One", "/fork colder", "Two")
    other = Desk(talk_with("loom/echo"))
    assert desk.talk.conversation_id is not None
    other.talk.resume(desk.talk.conversation_id, desk.talk.branch_id)
    other.type("Theirs")
    told = desk.type("Mine", "/branches")
    assert path(desk, "colder") == said("One", "Two", "Theirs")
    assert "> 3 branch 3" in told


def test_what_a_merge_brings_in_is_what_the_model_is_told(desk: Desk, live: Live) -> None:
    """The talk names where it goes on: by its hash, a merge could not be told again."""
    desk.type("One", "/fork colder", "Two", "/switch main", "Three", "/merge colder", "Four")
    assert names(desk) == ["main", "colder"], "nothing has branched by itself"
    kept = desk.talk.client.conversation(desk.talk.conversation_id or "")
    assert [message.role for message in kept.messages[4:]] == ["system", "user", "assistant"]


def test_a_message_that_was_deleted_is_no_reason_to_branch(desk: Desk, live: Live) -> None:
    desk.type("One", "Two")
    kept = desk.talk.client.conversation(desk.talk.conversation_id or "")
    key = "test_a_message_that_was_deleted_is_no_reason_to_branch"
    live.call("DELETE", f"/api/v1/messages/{kept.messages[1].id}", key=key)
    desk.talk.resume(kept.id)
    desk.type("Three")
    assert names(desk) == ["main"]
    assert path(desk, "main")[2:] == said("Two", "Three")
