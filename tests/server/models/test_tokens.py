from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models import tokens
from server.models.asking import prompt


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert tokens.count(text) == len(pieces)
    assert all(pieces)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ("a  b", ["a", " ", " b"]),
        ("one\n\ntwo ", ["one", "\n", "\n", "two", " "]),
        ("x" * 40, ["x" * 16, "x" * 16, "x" * 8]),
        ("", []),
    ],
)
def test_words_keep_their_leading_space_and_marks_stand_alone(text: str, pieces: list[str]) -> None:
    assert tokens.split(text) == pieces


def test_an_image_counts_a_fixed_number_of_tokens() -> None:
    text = Message("user", "Look here")
    image: dict[str, JSON] = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,A"},
    }
    shown = Message("user", [{"type": "text", "text": "Look here"}, image])
    assert tokens.count_message(shown) == tokens.count_message(text) + tokens.IMAGE_TOKENS


def test_tools_and_schemas_count_as_well() -> None:
    bare = tokens.count_prompt(prompt())
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert tokens.count_prompt(prompt(tools=tools)) > bare
    assert tokens.count_prompt(prompt(response_format=schema)) > bare
    assert tokens.count_prompt(prompt(temperature=0.3)) == bare
