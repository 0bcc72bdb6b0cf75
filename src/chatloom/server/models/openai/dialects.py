"""How a request is written for a provider, and what its models turned out not to take.

A model that refuses a parameter it does not know says so with a 400. What can
be renamed or left out then is, for that model, from then on.
"""

from __future__ import annotations

import re

import msgspec

from chatloom.core.errors import StatusError
from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Prompt
from chatloom.server.models.openai import embeddings

MOST_REMEMBERED = 1_000

_LEAVABLE = (
    "stream_options",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "encoding_format",
)
"""What an answer is still an answer without."""
_RENAMED = {"max_tokens": "max_completion_tokens"}
_RECKONED = frozenset({"n", "best_of", "max_completion_tokens"})
"""What says how much may be answered: only as `Parameters` do is that money set aside."""
_OTHERS = frozenset({"models", "fallbacks", "route"})
"""What has a provider ask other models than the one that the key may use and the price is of."""
_NEVER_SAID = _RECKONED | _OTHERS
_NOT_TAKEN = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|not permitted|not allowed|unexpected|instead",
    re.IGNORECASE,
)


MOST_READ = 300
"""Characters of a message; what follows is more likely quoted than said."""


class Dialects:
    """Remembers, for each model, the parameters it refused."""

    def __init__(self) -> None:
        self._refused: dict[str, set[str]] = {}

    def write(self, prompt: Prompt) -> dict[str, object]:
        """Write *prompt* as its model takes it; what nobody asked for is left out."""
        extra = {name: value for name, value in prompt.extra.items() if name not in _NEVER_SAID}
        payload: dict[str, object] = {**extra, "model": prompt.model}
        payload |= embeddings.written(prompt) if prompt.inputs else _chat(prompt)
        for name in self._refused.get(prompt.model, ()):
            value = payload.pop(name, None)
            if value is not None and name in _RENAMED:
                payload[_RENAMED[name]] = value
        return payload

    def learn(self, model: str, sent: dict[str, object], error: StatusError) -> bool:
        """Remember what *error* says of what was *sent*; whether to write it anew and try again."""
        if error.status_code not in {400, 422}:
            return False
        for name in (*_RENAMED, *_LEAVABLE):
            if name in sent and _refuses(name, error):
                if len(self._refused) >= MOST_REMEMBERED:
                    self._refused.clear()
                self._refused.setdefault(model, set()).add(name)
                return True
        return False


def _chat(prompt: Prompt) -> dict[str, object]:
    payload: dict[str, object] = {"messages": [_written(message) for message in prompt.messages]}
    payload |= msgspec.to_builtins(prompt.parameters)
    if prompt.streamed:
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
    return payload


def _written(message: Message) -> Message | dict[str, JSON]:
    """A message as it came, with what is for the provider alone."""
    if not message.extra:
        return message
    fields: dict[str, JSON] = msgspec.to_builtins(message)
    return {**message.extra, **{name: it for name, it in fields.items() if name != "extra"}}


def param_of(error: StatusError) -> str | None:
    """The parameter that *error* is about, where it names one."""
    body = error.body
    inner: JSON = body.get("error") if isinstance(body, dict) else None
    param = inner.get("param") if isinstance(inner, dict) else None
    return param if isinstance(param, str) else None


def _refuses(name: str, error: StatusError) -> bool:
    told = f"{error.code or ''} {error.message}"
    about = param_of(error)
    # A message may quote what somebody wrote; it counts only where no parameter is named.
    named = about == name if about is not None else _mentions(error.message, name)
    return named and _NOT_TAKEN.search(told) is not None


def _mentions(message: str, name: str) -> bool:
    return re.search(rf"(?<!\w){name}(?!\w)", message[:MOST_READ]) is not None
