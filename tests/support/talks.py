"""Random messages, from so few words that talks meet."""

from __future__ import annotations

from hypothesis import strategies as st

from chatloom.server.chat.message import Message


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message of any kind."""
    role = draw(st.sampled_from(["system", "user", "assistant", "tool"]))
    text = draw(st.sampled_from(["", "a", "b", "Grüße"]))
    content = draw(st.sampled_from([text, [{"type": "text", "text": text}]]))
    name = draw(st.sampled_from([None, "ann"]))
    return Message(role, content, name)
