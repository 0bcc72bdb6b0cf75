"""Answers put together from their pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from zaguan import (
    ChatChunk,
    Message,
    StreamAccumulator,
    Usage,
    reconstruct_message_from_stream,
)


def chunk(*deltas: Any, index: int = 0, **more: Any) -> ChatChunk:
    choices = [{"index": index, "delta": delta} for delta in deltas]
    return ChatChunk.parse_obj({"id": "c1", "created": 7, "model": "m", "choices": choices} | more)


def ended(reason: str, index: int = 0) -> ChatChunk:
    return ChatChunk.parse_obj({"choices": [{"index": index, "finish_reason": reason}]})


def called(index: int | None, id_: str | None, name: str | None, arguments: str | None) -> Any:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": id_, "function": function}]}


def put_together(*chunks: ChatChunk) -> StreamAccumulator:
    accumulator = StreamAccumulator()
    for each in chunks:
        accumulator.add_chunk(each)
    return accumulator


def call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": id_, "type": "function", "function": function}


def calls_of(message: Message) -> Any:
    return message.dict()["tool_calls"]


def test_texts_are_joined() -> None:
    so_far = put_together(chunk({"role": "assistant"}), chunk({"content": "a"}, {"content": "b"}))
    assert so_far.get_content() == "ab"
    assert so_far.get_message() == Message(role="assistant", content="ab")
    assert so_far.get_finish_reason() is None


def test_tool_calls_are_merged_by_their_index() -> None:
    so_far = put_together(
        chunk(called(1, "c2", "g", None)),
        chunk(called(0, "c1", "f", '{"a"')),
        chunk(called(0, None, None, ": 1}")),
        chunk(called(1, "", "", "{}")),
        ended("tool_calls"),
    )
    message = so_far.get_message()
    assert message.content is None
    assert calls_of(message) == [call("c1", "f", '{"a": 1}'), call("c2", "g", "{}")]
    assert so_far.get_finish_reason() == "tool_calls"


def test_tool_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    message = reconstruct_message_from_stream(
        [
            chunk(called(None, "c1", "f", "{")),
            chunk(called(None, None, None, "}")),
            chunk(called(None, "c2", "g", "{}")),
        ]
    )
    assert calls_of(message) == [call("c1", "f", "{}"), call("c2", "g", "{}")]


def test_a_name_told_with_every_piece_is_one_name() -> None:
    pieces = [chunk(called(0, "c1", "f", part)) for part in ("{", "}")]
    assert calls_of(reconstruct_message_from_stream(pieces)) == [call("c1", "f", "{}")]


def test_choices_are_kept_apart() -> None:
    so_far = put_together(
        chunk({"content": "a"}),
        chunk({"content": "x"}, index=1),
        chunk({"content": "b"}),
        chunk(called(0, "c1", "f", "{}"), index=1),
        ended("stop"),
        ended("tool_calls", 1),
    )
    assert so_far.choice_indexes == [0, 1]
    assert (so_far.get_content(), so_far.get_content(1)) == ("ab", "x")
    assert calls_of(so_far.get_message(0)) is None
    assert calls_of(so_far.get_message(1)) == [call("c1", "f", "{}")]
    response = so_far.get_response()
    assert [choice.finish_reason for choice in response.choices] == ["stop", "tool_calls"]
    assert [choice.index for choice in response.choices] == [0, 1]


def test_a_choice_nobody_saw_is_empty() -> None:
    so_far = StreamAccumulator()
    assert (so_far.get_content(5), so_far.get_message(5).content) == ("", "")
    assert (so_far.choice_indexes, so_far.get_response().choices) == ([], [])


def test_functions_of_old_are_merged_too() -> None:
    pieces = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
    ]
    message = reconstruct_message_from_stream(pieces)
    assert message.function_call is not None
    assert (message.function_call.name, message.function_call.arguments) == ("f", "{}")
    assert message.content is None


def test_the_usage_told_last_counts() -> None:
    zero = {"prompt_tokens": 0, "completion_tokens": 0}
    so_far = put_together(
        chunk({"content": "a"}, usage=zero),
        chunk({"content": "b"}, usage={"prompt_tokens": 1, "completion_tokens": 1}),
        chunk(usage={"prompt_tokens": 1, "completion_tokens": 2}),
        chunk(),
    )
    assert so_far.usage == Usage(prompt_tokens=1, completion_tokens=2)
    assert so_far.get_response().usage.total_tokens == 3
    assert StreamAccumulator().get_response().usage == Usage()


def test_what_the_document_does_not_name_is_kept() -> None:
    so_far = put_together(
        chunk({"content": "a", "reasoning_content": "h", "flag": 1}, system_fingerprint="s"),
        chunk({"reasoning_content": "m", "flag": 2, "refusal": None, "name": 5}, text="x"),
    )
    assert so_far.get_message().model_extra == {"flag": 2}
    assert so_far.get_message().reasoning_content == "hm"
    assert so_far.get_response().model_extra == {"text": "x"}
    assert so_far.get_response().system_fingerprint == "s"
    assert so_far.get_response().text == "a"


def test_log_probabilities_are_gathered() -> None:
    def likely(*tokens: str) -> ChatChunk:
        choice = {"delta": {}, "logprobs": {"content": list(tokens), "refusal": None}}
        return ChatChunk.parse_obj({"choices": [choice]})

    (choice,) = put_together(likely("a"), ended("stop"), likely("b")).get_response().choices
    assert choice.logprobs == {"content": ["a", "b"], "refusal": None}


def test_reset_forgets_everything() -> None:
    so_far = put_together(chunk({"content": "a"}, usage={"prompt_tokens": 1}, x=1))
    so_far.reset()
    assert so_far.get_response() == StreamAccumulator().get_response()
    so_far.add_chunk(chunk({"content": "b"}))
    assert so_far.get_content() == "b"


def test_what_was_given_out_does_not_change() -> None:
    so_far = put_together(chunk({"content": "a"}, usage={"prompt_tokens": 1}))
    before = so_far.get_response()
    so_far.add_chunk(chunk({"content": "b"}, usage={"prompt_tokens": 2}))
    assert (before.text, before.usage.prompt_tokens) == ("a", 1)


TEXT = st.text(max_size=12)
CALLS = st.lists(st.builds(call, st.text(min_size=1), st.text(min_size=1), TEXT), max_size=3)


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    """Cut *text* anywhere."""
    places = draw(st.lists(st.integers(0, len(text)), max_size=4))
    ends = [0, *sorted(places), len(text)]
    return [text[begin:end] for begin, end in pairwise(ends)]


@st.composite
def told(draw: st.DrawFn, index: int) -> tuple[Message, list[ChatChunk]]:
    """A message, and one of the ways to tell it."""
    calls = draw(CALLS)
    content = draw(TEXT | st.none() if calls else TEXT)
    streams: list[list[Any]] = [[{"role": "assistant"}]]
    if content is not None:
        streams.append([{"content": piece} for piece in draw(cut(content))])
    for number, made in enumerate(calls):
        first, *rest = draw(cut(made["function"]["arguments"]))
        parts = [called(number, made["id"], made["function"]["name"], first)]
        streams.append(parts + [called(number, None, None, piece) for piece in rest])
    pieces = draw(woven(streams))
    message = Message.parse_obj(
        {"role": "assistant", "content": content, "tool_calls": calls or None}
    )
    return message, [chunk(piece, index=index) for piece in pieces]


@st.composite
def woven(draw: st.DrawFn, streams: list[list[Any]]) -> list[Any]:
    """Put several streams into one, each in its own order."""
    waiting = [list(stream) for stream in streams if stream]
    pieces: list[Any] = []
    while waiting:
        chosen = draw(st.sampled_from(waiting))
        pieces.append(chosen.pop(0))
        waiting = [stream for stream in waiting if stream]
    return pieces


@settings(deadline=None)
@given(st.data())
def test_any_split_of_a_message_gives_the_same_message(data: st.DataObject) -> None:
    message, chunks = data.draw(told(0))
    assert reconstruct_message_from_stream(chunks) == message


@settings(deadline=None)
@given(st.data())
def test_any_interleaving_of_choices_keeps_them_apart(data: st.DataObject) -> None:
    both = [data.draw(told(index)) for index in (0, 1)]
    chunks = data.draw(woven([chunks for _, chunks in both]))
    so_far = put_together(*chunks)
    assert [so_far.get_message(index) for index in (0, 1)] == [message for message, _ in both]
