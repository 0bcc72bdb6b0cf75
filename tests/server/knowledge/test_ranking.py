"""A score is a share: more of what was sought is never worth less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.knowledge.ranking import Question, weight


def score(
    query: list[str],
    weights: dict[str, float],
    *,
    title: list[str],
    tags: list[str],
    text: list[str],
) -> float:
    return Question(query, weights).score(title, tags, text)


WORDS = st.sampled_from(["loom", "weav", "thread", "shuttl", "warp", "weft"])
SOME = st.lists(WORDS, max_size=8)
QUERY = st.lists(WORDS, min_size=1, max_size=5)
WEIGHTS = st.fixed_dictionaries(
    {
        word: st.floats(0.1, 12)
        for word in ("loom", "weav", "thread", "shuttl", "warp", "weft", "new")
    }
)


@given(QUERY, WEIGHTS, SOME, SOME, SOME)
def test_it_is_from_0_to_1(
    query: list[str], weights: dict[str, float], title: list[str], tags: list[str], text: list[str]
) -> None:
    worth = score(query, weights, title=title, tags=tags, text=text)
    assert 0 <= worth <= 1
    has_any = set(query) & {*title, *tags, *text}
    assert (worth > 0) == bool(has_any)


@given(QUERY, WEIGHTS, SOME, SOME, SOME, WORDS)
def test_a_word_more_is_never_worth_less(
    query: list[str],
    weights: dict[str, float],
    title: list[str],
    tags: list[str],
    text: list[str],
    word: str,
) -> None:
    before = score(query, weights, title=title, tags=tags, text=text)
    more = score(query, weights, title=title, tags=tags, text=[*text, word])
    headed = score(query, weights, title=[*title, word], tags=tags, text=text)
    tagged = score(query, weights, title=title, tags=[*tags, word], text=text)
    assert min(more, headed, tagged) >= before - 1e-12
    if word in query and word not in {*title, *tags, *text}:
        assert min(more, headed, tagged) > before


@given(QUERY, WEIGHTS, SOME)
def test_words_that_nobody_sought_are_worth_nothing(
    query: list[str], weights: dict[str, float], text: list[str]
) -> None:
    plain = score(query, weights, title=[], tags=[], text=text)
    assert score(query, weights, title=["of"], tags=["of"], text=[*text, "of", "it"]) == plain


def test_the_title_is_worth_more_than_the_text() -> None:
    weights = {"loom": 1.0, "warp": 1.0}
    query = ["loom"]
    title = score(query, weights, title=["loom"], tags=[], text=[])
    text = score(query, weights, title=[], tags=[], text=["loom"])
    tag = score(query, weights, title=[], tags=["loom"], text=[])
    assert title > text > tag > 0
    assert score(query, weights, title=["loom"], tags=[], text=["loom"]) > title


def test_words_that_are_neighbours_are_worth_more() -> None:
    weights = {"loom": 1.0, "warp": 1.0}
    near = score(["loom", "warp"], weights, title=[], tags=[], text=["loom", "the", "warp"])
    far = score(["loom", "warp"], weights, title=[], tags=[], text=["warp", "the", "loom"])
    assert near > far


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_rarer_word_weighs_more(having: int, more: int) -> None:
    passages = having + more + 1
    assert weight(having, passages) >= weight(having + more, passages) > 0
