"""What a caller asks, as the service is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Unpack, cast

import msgspec

from chatloom.core.errors import SettingsError
from puter.lists import listed
from puter.session import Session
from puter.tools import Tool, Toolbox, ToolErrors, ToolFunction
from puter.types import ChatArguments, ChatMessage, ContentPart, ImagePart, TextPart

__all__ = ["Asked", "Question", "question"]


class Asked(ChatArguments, total=False):
    """What a question takes beside its prompt and its model; `None` is the same as left out."""

    images: Sequence[str] | None
    """Addresses of pictures; ``data:`` addresses hold them themselves."""
    content_parts: Sequence[ContentPart] | None
    """Further parts of the question, as they are."""
    tools: Sequence[Tool | ToolFunction] | None
    """Python functions that the model may call."""
    max_tool_rounds: int | None
    """How often it may call some and be told what came of it; 8 times unless told otherwise."""
    tool_errors: ToolErrors | None
    """Whether the model is told when a tool raises, or it is raised."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question, ready to be asked."""

    message: ChatMessage
    driver: str
    args: Mapping[str, object]
    """All but the messages."""
    tools: Toolbox
    rounds: int

    @property
    def metadata(self) -> Mapping[str, object]:
        """What is told beside the question."""
        told = self.args.get("metadata")
        return cast("Mapping[str, object]", told) if isinstance(told, Mapping) else {}

    @property
    def is_placed(self) -> bool:
        """Whether it goes on with a conversation that the service keeps, and knows."""
        return any(self.metadata.get(name) for name in _PLACES)


_PLACES = ("conversation_id", "session_id", "parent_message_id")
_USUAL = {"temperature": 0.7, "max_tokens": 4096}
_ROUNDS = 8


def question(
    session: Session,
    driver_of: Callable[[str], str],
    prompt: str | None,
    model: str | None,
    **asked: Unpack[Asked],
) -> Question:
    """Make a question. Raises `SettingsError` for one that cannot be asked."""
    images = listed("images", asked.pop("images", None))
    content = _content(prompt, images, listed("content_parts", asked.pop("content_parts", None)))
    errors = asked.pop("tool_errors", None) or "tell"
    tools = Toolbox([*session.tools, *listed("tools", asked.pop("tools", None))], errors)
    rounds = asked.pop("max_tool_rounds", None)
    if rounds is not None and not (isinstance(cast("object", rounds), int) and rounds >= 0):
        raise SettingsError(f"max_tool_rounds is a whole number from 0, not {rounds!r:.80}")
    named = model or session.model
    if not isinstance(cast("object", named), str):
        raise SettingsError(f"model must be text, not {type(named).__name__}")
    further = asked.pop("extra_args", None) or {}
    told = {name: value for name, value in asked.items() if value is not None}
    args = {"model": named, **_USUAL, **told, **further}
    if not isinstance(content, str) and any(map(_is_seen, content)):
        args.setdefault("vision", True)
    if tools:
        args["tools"] = tools.told
    return Question(
        message={"role": "user", "content": content},
        driver=driver_of(named),
        args=args,
        tools=tools,
        rounds=_ROUNDS if rounds is None else rounds,
    )


def _is_seen(part: ContentPart) -> bool:
    return not isinstance(part, str) and ("image_url" in part or "video_url" in part)


def _content(
    prompt: str | None, images: Sequence[str], parts: Sequence[ContentPart]
) -> str | list[ContentPart]:
    """What the user says: a text alone, or parts."""
    if prompt is not None and not isinstance(cast("object", prompt), str):
        raise SettingsError(f"prompt must be text, not {type(prompt).__name__}")
    if not (images or parts):
        if not prompt:
            raise SettingsError("there is nothing to ask: give a prompt, images or content_parts")
        return prompt
    seen: list[ImagePart] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    told = [*([prompt] if prompt else []), *seen, *parts]
    return [_worded(one) if isinstance(one, str) else one for one in told]


def _worded(text: str) -> TextPart:
    return {"type": "text", "text": text}
