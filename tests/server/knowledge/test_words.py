"""Words are found in whatever form they come."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.knowledge.stemming import stem
from chatloom.server.knowledge.words import LONGEST_WORD, MOST_WORDS, forms, sought, words

SAME = [
    ("running", "Runs"),
    ("configuration", "configure"),
    ("Größe", "GROSSE"),
    ("café", "cafe"),
    ("cafe\u0301", "café"),
    ("İstanbul", "istanbul"),
    ("ﬁne", "fine"),
    ("naïve", "naive"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_they_are_the_same_word(one: str, other: str) -> None:
    assert forms(one) == forms(other) != []


def test_parts_of_names_are_words_too() -> None:
    assert {"getusernam", "get", "user", "name"} >= set(forms("getUserName"))
    assert forms("getUserName")[0] == forms("getusername")[0]
    assert set(forms("HTTPServer")) >= {"http", "server"}
    assert forms("snake_case") == ["snake", "case"]
    assert forms("python3")[:2] == ["python3", "python"]


def test_scripts_without_blanks_are_read_by_pairs() -> None:
    assert forms("東京タワー") == ["東京", "京タ", "タワ", "ワー"]
    assert set(sought("京タ")) <= set(forms("東京タワー"))


def test_a_query_leaves_out_what_says_nothing() -> None:
    assert sought("How do I configure the server?") == [stem("configure"), stem("server")]
    assert sought("to be or not to be") == ["to", "be", "or", "not", "to", "be"]
    assert sought("to be or not to be", even_plain=False) == []
    assert sought("?!… --") == []


def test_a_query_has_so_many_words() -> None:
    assert len(set(sought(" ".join(f"word{number}x" for number in range(100))))) == MOST_WORDS


@given(st.text())
def test_forms_are_letters_and_digits_alone(text: str) -> None:
    for word in words(text):
        assert all(
            form and form.isalnum() and len(form) <= 20 * LONGEST_WORD for form in word.forms
        )
        assert text[word.start : word.end]
    assert forms(text) == [form for word in words(text) for form in word.forms]


@given(st.text())
def test_what_is_sought_is_found_in_itself(text: str) -> None:
    assert set(sought(text)) <= set(forms(text))


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=30))
def test_a_stem_is_never_longer(word: str) -> None:
    assert len(stem(word)) <= len(word) + 1


_ODD = frozenset({"eed", "ies"})
"""Where SQLite's stemmer is not Porter's."""


def test_stems_are_those_of_sqlite() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text("utf-8")
    text += (Path(__file__).parents[3] / "docs" / "testing.md").read_text("utf-8") + _MORE
    known = sorted({one.lower() for one in text.split() if one.isascii() and one.isalpha()} - _ODD)
    assert len(known) > 500
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (w, tokenize = 'porter ascii')")
        connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab (t, instance)")
        rows = enumerate(known, 1)
        connection.executemany("INSERT INTO t (rowid, w) VALUES (?, ?)", rows)
        found = dict(connection.execute("SELECT doc, term FROM v"))
    assert {word: stem(word) for word in known} == {
        word: found[number] for number, word in enumerate(known, 1)
    }


_MORE = """
 caresses ponies ties cats feed agreed plastered bled motoring sing conflated troubled sized hopping
 tanned falling hissing fizzed failing filing happy sky relational conditional rational valenci
 hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization
 predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti
 sensibiliti triplicate
 formative formalize electriciti electrical hopeful goodness revival allowance inference airliner
 gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou
 communism activate angulariti homologous effective bowdlerize probate rate cease controll roll
"""
