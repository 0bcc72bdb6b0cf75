"""What one event of a streamed answer says, in any of the dialects.

    the SDK's       {"type": "text", "content"}  {"metadata"}  {"type": "error", "error"}  [DONE]
    the server's    start  phase  memory …  chunk {"text"}  done {"metadata"}  error {"message"}
    the docs'       {"type": "chunk", "content"}  {"type": "complete", "message_id"}

The first and the last are told by a field ``type``, the server's by the event's name.
"""

from __future__ import annotations

import msgspec

from chatloom.core.complaint import Complaint
from chatloom.core.errors import StreamError
from chatloom.core.event_stream import Event
from chatloom.core.http import UNREADABLE, Response
from infinity_assistant.answers import Object, camelised, mapping, objects

_ENDS = frozenset({"done", "complete"})
_TEXTS = frozenset({"chunk", "text", "content", "message", "delta"})
_OWN = frozenset({"type", "content", "text", "metadata", "success", "error"})
"""What is no metadata of an answer, where a frame tells both."""


class Said(msgspec.Struct, frozen=True):
    """What an event says."""

    text: str = ""
    metadata: Object = {}
    is_end: bool = False
    failure: StreamError | None = None


def said(event: Event) -> Said:
    """Understand an event. Raises one of `chatloom.core.http.UNREADABLE`."""
    if event.data.strip() == b"[DONE]":
        return Said(is_end=True)
    try:
        frame = objects(event.data)
    except UNREADABLE:
        if event.event == "error":
            return Said(failure=complaint(event.data))
        raise
    is_named = event.event != "message"
    kind = event.event if is_named else str(frame.get("type"))
    if kind == "error" or (frame.get("error") and not is_named):
        return Said(failure=complaint(event.data))
    if kind in _ENDS:
        return Said(metadata=_beside(frame), is_end=True)
    if kind in {"start", "metadata"}:
        return Said(metadata=_beside(frame))
    if is_named and kind not in _TEXTS:
        return Said(metadata={event.event: frame})
    content = frame.get("content", frame.get("text"))
    return Said(
        text=content if isinstance(content, str) else "",
        metadata=_beside(frame) if mapping(frame.get("metadata")) else {},
    )


def _beside(frame: Object) -> Object:
    """All metadata that a frame tells, within ``metadata`` and beside it."""
    beside = {name: value for name, value in frame.items() if name not in _OWN}
    return camelised({**beside, **mapping(frame.get("metadata"))})


def complaint(data: bytes) -> StreamError:
    """Make an error of what a server says instead of an answer."""
    told = Complaint.of(Response(200, {}, data), 0.0)
    return StreamError(
        told.message or "the server said no more",
        code=told.code,
        retry_after=told.retry_after,
        body=told.body,
    )
