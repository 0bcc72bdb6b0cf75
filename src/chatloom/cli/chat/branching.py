"""Branches at the prompt: begun, listed, changed, merged, compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatloom.cli.chat.spending import dollars
from chatloom.wire.chatroutes import Branch, DiffSide, MergeInfo, Message

if TYPE_CHECKING:
    from chatloom.cli.chat.session import Session

_MOST = 40
"""Branches of a list."""
_COMPARED = 20
"""Messages of a branch that are shown beside another one."""
_WORDS = 300
"""Characters of each."""


def fork(session: Session, name: str) -> None:
    """Begin a branch at the last message, and go on there."""
    talk = session.talk
    if talk.conversation_id is None:
        session.complain("Nothing was said yet.")
    elif talk.head is None:
        session.complain("The server keeps another answer than you saw; ask something first.")
    else:
        name = name or f"branch {len(_branches(session)) + 1}"
        made = talk.client.fork(talk.conversation_id, talk.head, name)
        talk.move_to(made.id, made.title)
        session.note(f"“{made.title}” begins here; what you ask next is said on it.")


def show(session: Session, _: str) -> None:
    """List the branches, and which of them the talk is on."""
    if found := _branches(session):
        _list(session, found)
    else:
        session.complain("Nothing was said yet.")


def switch(session: Session, name: str) -> None:
    """Go on on another branch, and show what was said last on it."""
    branch = _named(session, name) if name else None
    if not name:
        show(session, "")
    if branch is not None:
        _go_on(session, branch)
        session.note(f"You are on “{branch.title}”.\n")
        session.show_last()


def merge(session: Session, name: str) -> None:
    """Merge a branch into the one it was forked from, and say what that did."""
    talk = session.talk
    source = _named(session, name)
    if source is None:
        return
    done = talk.client.merge(source.conversation_id, source.id)
    assert isinstance(done.merge, MergeInfo), "a merge tells what it did"
    session.note(_told(source.title, done.branch.title, done.merge))
    if talk.branch_id == done.branch.id:
        _go_on(session, done.branch)
    else:
        session.note(f"/switch {done.branch.title} goes on there.")


def _told(source: str, target: str, merged: MergeInfo) -> str:
    if merged.repeated:
        return f"“{source}” was merged into “{target}” before, and has gained nothing since."
    count = _counted(len(merged.message_ids), "message")
    if merged.fast_forward:
        return f"“{target}” takes over {count} of “{source}”: it had not moved (fast-forward)."
    return f"“{target}” gains a merge that brings in {count} of “{source}”."


def diff(session: Session, name: str) -> None:
    """Show what the branch and another have beyond the last message they share."""
    branch = _named(session, "")
    other = _named(session, name) if name and branch is not None else None
    if branch is None or (name and other is None):
        return
    if other is None and branch.parent_branch_id is None:
        session.complain(f"“{branch.title}” was forked from none; name a branch to compare.")
        return
    against = other.id if other is not None else None
    found = session.talk.client.compare(branch.conversation_id, branch.id, against, _COMPARED)
    session.note(f"{_counted(found.shared_message_count, 'message')} in common")
    for side in (found.branch, found.against):
        _show_side(session, side)


def _show_side(session: Session, side: DiffSide) -> None:
    tokens = _counted(side.tokens_in + side.tokens_out, "token")
    figures = [_counted(side.message_count, "message"), tokens, dollars(side.cost.picodollars)]
    session.note("")
    session.head(side.branch.title, " · ".join(figures if side.message_count else ["no more"]))
    for message in side.messages:
        session.quote(_MARKS.get(message.role, "*"), _first_words(message))
    if side.has_more:
        session.note(f"and {side.message_count - len(side.messages)} more")


_MARKS = {"user": ">", "assistant": " "}


def _first_words(message: Message) -> str:
    text = " ".join(message.content.split()) or "(no text)"
    return text if len(text) <= _WORDS else text[: _WORDS - 1] + "…"


def _branches(session: Session) -> list[Branch]:
    """The branches of the conversation; none before it has begun. Raises `ChatloomError`."""
    talk = session.talk
    found = [] if talk.conversation_id is None else talk.client.branches(talk.conversation_id)
    talk.locate(found)
    return found


def _named(session: Session, name: str) -> Branch | None:
    """The branch that *name* means, "" being the one the talk is on; says why, if there is none."""
    branches = _branches(session)
    if not branches:
        session.complain("Nothing was said yet.")
        return None
    if not name:
        found = [one for one in branches if one.id == session.talk.branch_id]
        if not found:
            session.complain("Nobody knows which branch this is; /switch to one.")
    else:
        found = _matching(branches, name)
        if not found:
            session.complain(f"There is no branch {name[:80]}; /branches lists those there are.")
        elif len(found) > 1:
            session.complain(f"{name} could be any of these:")
            _list(session, branches, found)
    return found[0] if len(found) == 1 else None


def _matching(branches: Sequence[Branch], name: str) -> list[Branch]:
    """The branches that *name* means: so called, of this number, or with it in their names."""
    if exactly := [one for one in branches if one.title == name]:
        return exactly
    if name.isdecimal() and 0 < int(name) <= len(branches):
        return [branches[int(name) - 1]]
    return [one for one in branches if name.lower() in one.title.lower()]


def _go_on(session: Session, branch: Branch) -> None:
    session.talk.resume(branch.conversation_id, branch.id)


def _list(session: Session, branches: Sequence[Branch], some: Sequence[Branch] = ()) -> None:
    """Show *branches*, or only *some* of them, by the numbers they have."""
    ours = session.talk.branch_id
    numbered = [(n, one) for n, one in enumerate(branches, 1) if not some or one in some]
    shown = numbered[:_MOST]
    if all(one.id != ours for _, one in shown):
        shown += [(n, one) for n, one in numbered[_MOST:] if one.id == ours]
    width = max(len(one.title) for _, one in shown)
    digits = len(str(shown[-1][0]))
    for number, one in shown:
        mark = ">" if one.id == ours else " "
        facts = ", ".join(_facts(one))
        session.tell(f"{mark} {number:{digits}}  {one.title:{min(width, 40)}}  {facts}")
    if len(numbered) > len(shown):
        session.note(f"and {len(numbered) - len(shown)} more; /switch takes any name or number")


def _facts(branch: Branch) -> list[str]:
    facts = [_counted(branch.message_count, "message")]
    if branch.own_message_count < branch.message_count:
        facts[0] += f" ({branch.own_message_count:,} its own)"
    facts.append(dollars(branch.cost.picodollars))
    if branch.merged_at is not None:
        facts.append("merged")
    if not branch.is_active:
        facts.append("inactive")
    return facts


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
