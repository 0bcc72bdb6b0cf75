"""What leads the context of Infinity Assistant's chat: the mode, the user, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chatloom.core.http import JSON
from chatloom.server.call import convert
from chatloom.server.refusal import invalid
from chatloom.wire import infinity as wire

_MODES: Mapping[wire.Mode, str] = {
    "search": "Answer from what is known below, and say where it says so. Where it says nothing,"
    " say that.",
    "assist": "Help the user with what they ask, step by step where that helps.",
    "build": "Help the user to build what they ask for: plan, then give complete, working parts.",
}
_DRIVING = (
    "The user is driving and hears the answer. Answer in one to three short spoken sentences,"
    " without lists, code, tables, links or markup; the most important thing first."
)
SPOKEN_TOKENS = 120
"""Tokens of an answer that somebody hears while driving."""


class Manner(msgspec.Struct, frozen=True):
    """How an answer is wanted."""

    mode: wire.Mode | None
    is_driving: bool
    uses_memory: bool
    prompt: str | None
    """What the model is told of it."""


def manner_of(asked: wire.ChatRequest) -> Manner:
    """How the answer to *asked* is wanted. Raises `Refusal`."""
    told = dict(asked.preferences or {})
    preferences = convert(told, wire.Preferences, within="preferences")
    driving, facts = _driving(asked.driving_mode)
    lines = [
        _MODES[asked.mode] if asked.mode is not None else None,
        _facts("The user prefers", {name: told[name] for name in told if name != "memory"}),
        _facts("About the user", asked.user_context or {}),
        _essence(asked.essence or {}),
        _DRIVING if driving else None,
        _facts("The drive", facts) if driving else None,
    ]
    prompt = "\n\n".join(line for line in lines if line) or None
    if prompt is not None and len(prompt) > _LONGEST:
        raise invalid(
            f"userContext, preferences, essence and drivingMode have more than {_LONGEST}"
            " characters together",
            param="userContext",
        )
    return Manner(asked.mode, driving, preferences.memory, prompt)


def _driving(told: bool | dict[str, JSON] | None) -> tuple[bool, dict[str, JSON]]:
    if not isinstance(told, dict):
        return bool(told), {}
    enabled = convert(told, wire.Driving, within="drivingMode").enabled
    return enabled, {name: value for name, value in told.items() if name != "enabled"}


def _essence(told: dict[str, JSON] | str) -> str | None:
    what = "What matters to the user"
    return f"{what}: {told}" if isinstance(told, str) else _facts(what, told)


def _facts(what: str, facts: Mapping[str, JSON]) -> str | None:
    if not facts:
        return None
    lines = "\n".join(f"- {name}: {_text(value)}" for name, value in facts.items())
    return f"{what}:\n{lines}"


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def found_of(
    memories: Sequence[tuple[str, JSON]], passages: Sequence[tuple[str, str]]
) -> str | None:
    """What a model is told of what was found: memories by their keys, passages by their titles."""
    remembered = "\n".join(f"- {key}: {_text(value)}" for key, value in memories)
    known = "\n\n".join(f"[{title}]\n{text}" for title, text in passages)
    parts = [
        f"Remembered of the user:\n{remembered}" if remembered else None,
        f"Known:\n\n{known}" if known else None,
    ]
    return "\n\n".join(part for part in parts if part) or None


_LONGEST = 20_000
"""Characters about the user and their wishes."""
