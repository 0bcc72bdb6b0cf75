"""How a turn begins: what its model is told, and what is set aside for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.context import Context
from chatloom.server.chat.message import Message
from chatloom.server.chat.place import Place
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Input, Parameters, Prompt, Usage
from chatloom.server.models.registry import Resolved
from chatloom.server.store.contract import Opening

UNLIMITED_ANSWER = 4096
"""Tokens set aside for an answer whose length nobody limited."""
LONGEST_ANSWER = 1_000_000
"""Tokens beyond which nothing is set aside, whatever a request allows."""
MOST_OF_AN_IMAGE = 50_000
"""Tokens set aside for an image, which the dearest way of counting comes near."""
FRAME = 8
"""Tokens set aside for what a provider puts around a message, or an input."""


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a turn was asked besides its messages, as it is kept."""

    system_prompt: str | None = None
    parameters: Parameters = Parameters()
    extra: dict[str, JSON] = {}
    metadata: dict[str, JSON] = {}
    inputs: int = 0
    """How many were to be embedded."""
    context: Context = Context()


def prompt_of(ask: Ask, place: Place, resolved: Resolved) -> Prompt:
    """All that the model is told."""
    return Prompt(
        model=resolved.model,
        messages=_led([*place.before, *place.new], ask.system_prompt),
        parameters=ask.parameters,
        streamed=ask.streamed,
        extra=ask.extra,
        options=resolved.options,
        attempt_key=ask.attempt_key,
        inputs=ask.inputs,
    )


def prompt_again(opening: Opening, before: Sequence[Message], new: Sequence[Message]) -> Prompt:
    """What the model of a turn was told that was begun some time ago."""
    terms = read_terms(opening.request)
    return Prompt(
        model=opening.model,
        messages=_led([*before, *new], terms.system_prompt),
        parameters=terms.parameters,
        streamed=opening.streamed,
    )


def _led(messages: list[Message], system_prompt: str | None) -> list[Message]:
    lead = [Message(role="system", content=system_prompt)] if system_prompt else []
    return [*lead, *messages]


def opening_of(ask: Ask, place: Place, resolved: Resolved, prompt: Prompt) -> Opening:
    """What is stored before anything is dispatched."""
    most = Usage(most_tokens(prompt), _longest_answer(ask, resolved))
    metadata = {name: masked(value, name) for name, value in ask.metadata.items()}
    terms = Terms(
        ask.system_prompt, ask.parameters, ask.extra, metadata, len(ask.inputs), place.context
    )
    return Opening(
        turn_id=new_id(),
        account_id=ask.account_id,
        key_id=ask.key_id,
        end_user=ask.end_user,
        conversation_id=place.conversation_id,
        starts_conversation=place.starts_conversation,
        listed=ask.end_user is not None or ask.names_a_place,
        metadata=metadata_of(ask),
        branch_id=place.branch_id,
        parent_id=place.parent.id if place.parent else None,
        protocol=ask.protocol,
        model=ask.model,
        provider=resolved.info.provider,
        streamed=ask.streamed,
        request=_encode(terms),
        asked=_encode(place.new),
        priced_as=resolved.info.id,
        price=resolved.price,
        reserved=resolved.price.of(most) if resolved.price else 0,
        started_at=milliseconds(),
        told_as=ask.told_as,
        repetition=ask.repetition,
        unread=ask.unread,
        ancestors=ask.ancestors,
        organization=ask.organization,
        band=ask.band,
        request_id=ask.request_id,
        allowance=ask.allowance,
        apart=ask.apart,
    )


_SECRET = re.compile("headers|env|authorization|token|secret|password|credential|api.?key", re.I)


def masked(value: JSON, name: str = "") -> JSON:
    """What is kept of *value*: how to reach a tool server, and not what opens it."""
    if isinstance(value, dict):
        return {key: masked(one, f"{name} {key}") for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, name) for one in value]
    is_secret = name.startswith("mcp_servers") and _SECRET.search(name)
    return "[hidden]" if is_secret and value is not None else value


def _longest_answer(ask: Ask, resolved: Resolved) -> int:
    if ask.inputs:
        return 0  # nobody counts embeddings in tokens
    longest = ask.parameters.max_tokens or resolved.info.max_output_tokens or UNLIMITED_ANSWER
    return min(longest, LONGEST_ANSWER) * ask.parameters.n


_NOT_OF_A_CONVERSATION = frozenset(
    {"session_id", "conversation_id", "branch_id", "parent_message_id", "mcp_servers", "variables"}
)
"""What is said of one turn, or may hold what is nobody else's to read."""


def metadata_of(ask: Ask) -> dict[str, JSON]:
    """What is kept with the conversation that *ask* begins."""
    return {
        name: value for name, value in ask.metadata.items() if name not in _NOT_OF_A_CONVERSATION
    }


def most_tokens(prompt: Prompt) -> int:
    """As many tokens as a prompt can have, without counting: no token is less than a byte."""
    asked = prompt.parameters
    beside = [one for one in (asked.tools, asked.response_format, prompt.extra) if one]
    told = sum(map(_most_of, prompt.messages)) + sum(map(_most_of_input, prompt.inputs))
    return told + sum(len(_encode(one)) for one in beside)


def _most_of_input(given: Input) -> int:
    return FRAME + len(given.encode() if isinstance(given, str) else given)


def _most_of(message: Message) -> int:
    content = message.content
    if not isinstance(content, list):
        return FRAME + len(_encode(message))
    rest = msgspec.structs.replace(message, content=None)
    return FRAME + len(_encode(rest)) + sum(map(_most_of_part, content))


def _most_of_part(part: dict[str, JSON]) -> int:
    """Text by its bytes; an image, whatever its bytes, by its size at most; files by both."""
    size = len(_encode(part))
    if part.get("type") == "image_url":
        return MOST_OF_AN_IMAGE
    return size if isinstance(part.get("text"), str) else MOST_OF_AN_IMAGE + size // 4


_encode = msgspec.json.Encoder().encode
read_terms = msgspec.json.Decoder(Terms).decode
