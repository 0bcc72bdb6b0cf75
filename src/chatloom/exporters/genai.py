"""The names of OpenTelemetry's GenAI conventions, all of them here.

Pinned to semantic conventions 1.41.1, the last release that defines them: from
1.42 on they are deprecated there, and move to a repository of their own
(open-telemetry/semantic-conventions-genai), which renames metrics and has
released nothing yet. Their status is "Development": a later version may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from chatloom.core.http import JSON
from chatloom.policies.meter import Call, Measured

VERSION: Final = "1.41.1"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - tokens of text
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

CLIENT_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
CLIENT_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - tokens of text

ERROR_TYPE: Final = "error.type"
HTTP_REQUEST_RESEND_COUNT: Final = "http.request.resend_count"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

OUTCOME: Final = "chatloom.outcome"
"""Our own: ``complete``, ``error`` or ``left``."""

SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
"""Bounds of the buckets for durations, as the conventions advise."""
TOKENS: Final = tuple(4**power for power in range(14))
"""The same for tokens."""

Value: TypeAlias = str | int | float | Sequence[str]
Attributes: TypeAlias = dict[str, Value]


def span_name(call: Call) -> str:
    """Name the span of *call*."""
    return f"{call.operation} {call.model}" if call.model else call.operation


def asked(call: Call) -> Attributes:
    """Say what is asked; its messages too, where they were told."""
    attributes = _where(call)
    attributes[REQUEST_STREAM] = call.streamed
    attributes |= _parameters(call.parameters)
    if call.messages is not None:
        attributes[INPUT_MESSAGES] = _json(_messages(call.messages))
    return attributes


def answered(measured: Measured) -> Attributes:
    """Say how it ended; with the answer's messages, where they were told."""
    tokens = measured.tokens
    told: Mapping[str, Value | None] = {
        OUTCOME: measured.outcome,
        ERROR_TYPE: measured.error_type,
        HTTP_RESPONSE_STATUS_CODE: measured.status,
        HTTP_REQUEST_RESEND_COUNT: measured.attempts - 1 if measured.attempts > 1 else None,
        RESPONSE_ID: measured.answer_id,
        RESPONSE_MODEL: measured.model,
        RESPONSE_FINISH_REASONS: measured.finish_reasons or None,
        RESPONSE_TIME_TO_FIRST_CHUNK: measured.first_piece,
        USAGE_INPUT_TOKENS: tokens.input,
        USAGE_OUTPUT_TOKENS: tokens.output,
        USAGE_CACHE_READ_INPUT_TOKENS: tokens.cached,
        USAGE_REASONING_OUTPUT_TOKENS: tokens.reasoning,
    }
    attributes: Attributes = {name: value for name, value in told.items() if value is not None}
    if measured.answers:
        attributes[OUTPUT_MESSAGES] = _json(_answers(measured))
    return attributes


def dimensions(call: Call, measured: Measured) -> Attributes:
    """Say what a metric is divided by."""
    attributes = _where(call)
    if measured.model is not None:
        attributes[RESPONSE_MODEL] = measured.model
    if measured.error_type is not None:
        attributes[ERROR_TYPE] = measured.error_type
    return attributes


def _where(call: Call) -> Attributes:
    attributes: Attributes = {OPERATION_NAME: call.operation, PROVIDER_NAME: call.provider}
    if call.model is not None:
        attributes[REQUEST_MODEL] = call.model
    if call.address is not None:
        attributes[SERVER_ADDRESS] = call.address
        if call.port is not None:
            attributes[SERVER_PORT] = call.port
    return attributes


_FRACTIONS = {
    "frequency_penalty": REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": REQUEST_PRESENCE_PENALTY,
    "temperature": REQUEST_TEMPERATURE,
    "top_k": REQUEST_TOP_K,
    "top_p": REQUEST_TOP_P,
}

_WHOLE = {
    "max_tokens": REQUEST_MAX_TOKENS,
    "max_completion_tokens": REQUEST_MAX_TOKENS,
    "n": REQUEST_CHOICE_COUNT,
    "seed": REQUEST_SEED,
}


def _parameters(given: Mapping[str, JSON]) -> Attributes:
    attributes: Attributes = {}
    for name, value in given.items():
        if name in _FRACTIONS and isinstance(value, int | float):
            attributes[_FRACTIONS[name]] = float(value)
        elif name in _WHOLE and isinstance(value, int) and (name, value) != ("n", 1):
            attributes[_WHOLE[name]] = value
        elif name == "stop":
            stops = value if isinstance(value, list) else [value]
            attributes[REQUEST_STOP_SEQUENCES] = [str(stop) for stop in stops]
    return attributes


def _json(value: JSON) -> str:
    return msgspec.json.encode(value).decode()


def _answers(measured: Measured) -> list[JSON]:
    messages: list[JSON] = []
    for index, answer in enumerate(measured.answers):
        reasons = measured.finish_reasons
        reason = reasons[index] if index < len(reasons) else measured.outcome
        messages.append({**_message(answer), "finish_reason": reason})
    return messages


def _messages(said: JSON) -> list[JSON]:
    """Put what a request says into the conventions' shape: messages of parts."""
    return [_message(message) for message in (said if isinstance(said, list) else [said])]


def _message(message: JSON) -> dict[str, JSON]:
    if not isinstance(message, dict):
        return {"role": "user", "parts": _parts(message)}
    content = message.get("content")
    if "tool_call_id" in message:
        answer: JSON = {
            "type": "tool_call_response",
            "id": message["tool_call_id"],
            "response": content,
        }
        return {"role": "tool", "parts": [answer]}
    calls = message.get("tool_calls")
    parts = _parts(content) + [_call(call) for call in (calls if isinstance(calls, list) else [])]
    return {"role": message.get("role", "user"), "parts": parts}


def _parts(content: JSON) -> list[JSON]:
    if content is None:
        return []
    parts = content if isinstance(content, list) else [content]
    return [_part(part) for part in parts]


def _part(part: JSON) -> JSON:
    if not isinstance(part, dict):
        return {"type": "text", "content": str(part)}
    if part.get("type") == "text":
        return {"type": "text", "content": part.get("text")}
    return part  # the conventions let any other type be what it is


def _call(call: JSON) -> JSON:
    if not isinstance(call, dict):
        return {"type": "tool_call", "name": str(call)}
    function = call.get("function")
    named = function if isinstance(function, dict) else call
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": named.get("name"),
        "arguments": named.get("arguments"),
    }
