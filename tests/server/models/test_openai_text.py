"""Text takes a short way through the reading of a provider's answer, and comes to the same."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatloom.server.chat.answer import Answer
from chatloom.server.models.driver import Delta, Text, ToolCall
from chatloom.server.models.openai.chunks import Transcript
from chatloom.server.models.openai.problems import Problems
from chatloom.server.models.openai.reading import Reading

TEXTS = st.sampled_from(["", "warp", "é\u2028", "\ud83d\ude00", "\n\ndata: {}", '"}'])
PARTS = st.sampled_from([None, [], [{"type": "text", "text": "a"}], {"a": 1}, 7])
CALLS = st.sampled_from([None, [], [{"index": 0, "function": {"name": "f", "arguments": "{"}}]])
SAID = st.fixed_dictionaries(
    {},
    optional={
        "content": TEXTS | PARTS,
        "role": st.just("assistant"),
        "reasoning_content": TEXTS,
        "reasoning": TEXTS,
        "refusal": TEXTS | st.none(),
        "tool_calls": CALLS,
        "function_call": st.sampled_from([None, {"name": "f", "arguments": "{}"}]),
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, None]),
        "delta": SAID | st.none(),
        "message": SAID,
        "finish_reason": st.sampled_from([None, "", "stop", "length", "abort"]),
        "logprobs": st.sampled_from([None, {"content": [{"token": "a"}]}, {"content": None}]),
    },
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from([None, "real"]),
        "choices": st.lists(CHOICES, max_size=2) | st.none(),
        "usage": st.sampled_from([None, {}, {"prompt_tokens": 1, "completion_tokens": 2}]),
        "error": st.sampled_from([None, {"message": "oh"}]),
        "message": st.just("busy"),
    },
)
PLAIN = st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"delta": SAID}), min_size=1, max_size=1)}
)
BEGUN = b'data: {"choices":[{"delta":{"content":"Well"}}]}\n\n'


def _event(chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk).encode()


LINES = st.sampled_from(
    [b"data: [DONE]", b": hello", b"data: {", b"data: {}\n}", b"data: \xff", b"event: error"]
)
BLOCKS = st.one_of(PLAIN.map(_event), PLAIN.map(_event), CHUNKS.map(_event), LINES)
BREAKS = st.sampled_from([b"\n\n"] * 6 + [b"\r\n\r\n", b"\n", b"\r\r"])


class Thorough(Transcript):
    """One that never takes the short way."""

    def texts(self, blocks: Sequence[bytes], start: int, deltas: list[Delta]) -> int:
        return start


def heard(transcript: Transcript, pieces: Sequence[bytes]) -> tuple[list[object], str | None]:
    reading = Reading(transcript, Problems("acme", None), streamed=True)
    deltas: list[Delta] = []
    for piece in (*pieces, b""):
        if not reading.over:
            deltas += reading.feed(piece)
    told: list[object] = [_without_chance(delta) for delta in (*deltas, *transcript.ending())]
    return told, str(reading.problem)


def _without_chance(delta: Delta) -> object:
    """A call's made-up id is another each time."""
    return (delta.index, delta.name, delta.arguments) if isinstance(delta, ToolCall) else delta


@given(st.lists(st.tuples(BLOCKS, BREAKS)), st.integers(1, 400))
@example([(b'data: {"choices":[{"delta":{"content":"a"}}]\n}', b"\n\n")], 400)
def test_the_short_way_hears_what_the_long_one_hears(
    blocks: list[tuple[bytes, bytes]], size: int
) -> None:
    stream = BEGUN + b"".join(block + end for block, end in blocks)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert heard(Transcript("model", 1), pieces) == heard(Thorough("model", 1), pieces)


USAGE = {"prompt_tokens": 1, "completion_tokens": 2}
TEXT_AND: list[dict[str, dict[str, object]]] = [
    {"chunk": {"usage": USAGE}},
    {"chunk": {"error": {"message": "oh"}}},
    {"choice": {"finish_reason": "stop"}},
    {"choice": {"finish_reason": ""}},
    {"choice": {"index": 1}},
    {"choice": {"logprobs": {"content": [1]}}},
    {"said": {"reasoning_content": "Hm"}},
    {"said": {"reasoning": "Hm"}},
    {"said": {"refusal": "no"}},
    {"said": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}},
    {"said": {"function_call": {"name": "f"}}},
    {"said": {"content": ["a"]}},
    {"said": {"content": ""}},
]


@pytest.mark.parametrize("also", TEXT_AND, ids=str)
def test_a_chunk_with_more_than_text_goes_the_long_way(also: dict[str, dict[str, object]]) -> None:
    said = {"content": "a", **also.get("said", {})}
    choice = {"delta": said, **also.get("choice", {})}
    chunk = {"choices": [choice], **also.get("chunk", {})}
    end = {"choices": [{"finish_reason": "stop"}]}
    pieces = [BEGUN, *(_event(one) + b"\n\n" for one in (chunk, end))]
    assert heard(Transcript("model", 1), pieces) == heard(Thorough("model", 1), pieces)


TEXT = st.builds(Text, st.text(max_size=3), st.integers(0, 2), st.sampled_from([None, [], [1]]))


@given(st.lists(TEXT))
def test_an_answer_keeps_every_text_of_each_choice(deltas: list[Text]) -> None:
    answer = Answer(deltas)
    assert answer.choices.keys() == {delta.choice for delta in deltas}
    for index, choice in answer.choices.items():
        mine = [delta for delta in deltas if delta.choice == index]
        assert choice.texts == [delta.text for delta in mine]
        assert choice.logprobs == [entry for delta in mine for entry in delta.logprobs or ()]
