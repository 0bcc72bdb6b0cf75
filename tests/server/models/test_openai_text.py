"""Text takes a short way through the reading of a provider's answer, and comes to the same."""

from __future__ import annotations

import json
from collections.abc import Sequence

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
PLAIN = CHUNKS.map(lambda chunk: {**chunk, "choices": [{"delta": {"content": "and"}}]})
LINES = st.sampled_from(
    [b"data: [DONE]", b": hello", b"data: {", b"data: \xff", b"id: 1", b"event: error", b""]
)
EVENTS = st.lists(
    st.one_of(PLAIN, CHUNKS).map(lambda it: b"data: " + json.dumps(it).encode()) | LINES
)
BREAKS = st.sampled_from([b"\n\n", b"\n\n", b"\r\n\r\n", b"\n", b"\r\r"])


class Thorough(Transcript):
    """One that never takes the short way."""

    def text_in(self, data: bytes) -> Text | None:
        return None


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


@given(st.lists(st.tuples(EVENTS.map(b"\n".join), BREAKS)), st.integers(1, 400))
@example([(b'data: {"choices":[{"delta":{"content":"a"}}]\n}', b"\n\n")], 400)
def test_the_short_way_hears_what_the_long_one_hears(
    blocks: list[tuple[bytes, bytes]], size: int
) -> None:
    stream = b"".join(block + end for block, end in blocks)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
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
