"""Random messages, from so few words that talks meet."""

from __future__ import annotations

from hypothesis import strategies as st

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message of any kind."""
    role = draw(st.sampled_from(["system", "user", "assistant", "tool"]))
    text = draw(st.sampled_from(["", "a", "b", "Grüße"]))
    part: dict[str, JSON] = {"type": "text", "text": text}
    content = [part] if draw(st.booleans()) else text
    return Message(role, content, draw(st.sampled_from([None, "ann"])))
