"""What was sought is shown where it stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.knowledge.marking import marked
from chatloom.server.knowledge.words import sought


def test_every_form_of_a_word_is_marked() -> None:
    text = "Weaving takes time. He weaves, she wove; Café and cafe."
    assert marked(text, sought("weave cafes")) == [
        "**Weaving** takes time. He **weaves**, she wove; **Café** and **cafe**."
    ]


def test_pieces_are_short_and_from_where_most_is() -> None:
    filler = "nothing of interest stands here at all " * 20
    text = f"{filler}loom {filler}warp and loom {filler}loom {filler}loom"
    pieces = marked(text, sought("loom warp"))
    assert len(pieces) == 3
    assert any("**warp** and **loom**" in piece for piece in pieces)
    assert all(len(piece) < 350 for piece in pieces)


def test_without_a_hit_there_is_no_piece() -> None:
    assert marked("Nothing.", sought("loom")) == []


@given(st.text(max_size=400), st.text(max_size=40))
def test_pieces_are_of_the_text(text: str, query: str) -> None:
    plain = "".join(text.split()).replace("*", "")
    for piece in marked(text, sought(query)):
        assert "".join(piece.split()).replace("*", "") in plain
