"""What a message says, apart from where it stands in a tree."""

from __future__ import annotations

import msgspec

from chatloom.core.http import JSON


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, in the words of the OpenAI chat API.

    `content` is text, or a list of parts (``{"type": "text", …}``,
    ``{"type": "image_url", …}`` …), or `None` beside tool calls. All is empty
    in what is left of a deleted message.
    """

    role: str = ""
    content: str | list[dict[str, JSON]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, JSON]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    extra: dict[str, JSON] | None = None
    """What else it says, for the provider alone: ``cache_control``, ``reasoning_content`` …"""

    @property
    def text(self) -> str:
        """Its text alone, parts joined by line ends."""
        if isinstance(self.content, str):
            return self.content
        parts = [part.get("text") for part in self.content or ()]
        return "\n".join(part for part in parts if isinstance(part, str))


def title_of(message: Message) -> str:
    """What a conversation that begins with *message* is called: its first line, 80 characters."""
    text = message.text.strip()
    return text.splitlines()[0][:80].rstrip() if text else ""
