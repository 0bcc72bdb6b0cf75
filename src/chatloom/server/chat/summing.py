"""What a model is asked for when it is to sum up what was said."""

from __future__ import annotations

from collections.abc import Sequence

from chatloom.server.chat.message import Message

_TASK = (
    "You are given a part of a conversation, each message with its number. Sum it up, so that"
    " the conversation can go on from your summary alone: what was asked, what was found out and"
    " decided, what is still open. Name the numbers of the messages that each statement is from."
)


def request_for_summary(messages: Sequence[Message]) -> list[Message]:
    """Ask for a summary of *messages*."""
    told = "\n\n".join(
        f"[{number}] {message.role}: {message.text}" for number, message in enumerate(messages, 1)
    )
    return [Message(role="system", content=_TASK), Message(role="user", content=told)]
