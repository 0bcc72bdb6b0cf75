"""What is set aside for a turn is never less than it can cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.chat.opening import most_tokens
from chatloom.server.models.driver import Input, Parameters, Prompt
from chatloom.server.models.tokens import count_prompt

TEXTS = st.text(max_size=40)
OBJECTS: st.SearchStrategy[dict[str, JSON]] = st.dictionaries(TEXTS, TEXTS, max_size=3)


def part(kind: str, said: JSON) -> dict[str, JSON]:
    return {"type": kind, kind: said}


PARTS = st.one_of(
    TEXTS.map(lambda text: part("text", text)),
    TEXTS.map(lambda url: part("image_url", {"url": url})),
    TEXTS.map(lambda data: part("file", {"file_data": data})),
    TEXTS.map(lambda words: part("refusal", words)),
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(st.none(), TEXTS, st.lists(PARTS, max_size=3)),
    name=st.none() | TEXTS,
    tool_calls=st.none() | st.lists(OBJECTS, max_size=2),
    tool_call_id=st.none() | TEXTS,
    refusal=st.none() | TEXTS,
    extra=st.none() | OBJECTS,
)


@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=4),
    tools=st.lists(OBJECTS, max_size=2),
    schema=st.none() | OBJECTS,
)
def test_a_prompt_has_no_more_tokens_than_are_set_aside(
    messages: list[Message], tools: list[dict[str, JSON]], schema: dict[str, JSON] | None
) -> None:
    response_format: dict[str, JSON] | None = None if schema is None else {"json_schema": schema}
    parameters = Parameters(tools=tools, response_format=response_format)
    prompt = Prompt(model="m", messages=messages, parameters=parameters, streamed=False)
    assert most_tokens(prompt) >= count_prompt(prompt)


@given(inputs=st.lists(TEXTS | st.lists(st.integers(0), max_size=4), min_size=1, max_size=4))
def test_inputs_have_no_more_tokens_than_are_set_aside(inputs: list[Input]) -> None:
    prompt = Prompt(model="m", messages=[], parameters=Parameters(), streamed=False, inputs=inputs)
    assert most_tokens(prompt) >= count_prompt(prompt)


def test_fields_for_the_provider_alone_are_set_aside_for_too() -> None:
    def most(noted: dict[str, JSON] | None, extra: dict[str, JSON]) -> int:
        said = [Message("user", "Hi", extra=noted)]
        prompt = Prompt(
            model="m", messages=said, parameters=Parameters(), streamed=False, extra=extra
        )
        return most_tokens(prompt)

    assert most({"note": "n" * 1000}, {"documents": "d" * 1000}) >= most(None, {}) + 2000
