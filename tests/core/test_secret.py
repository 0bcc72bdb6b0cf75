"""A secret is seen only where it is asked for."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import msgspec
import pytest

from chatloom.core.secret import Secret

KEY = Secret("canary")


def test_only_reveal_shows_it() -> None:
    assert KEY.reveal() == "canary"


@pytest.mark.parametrize(
    "shown", [str(KEY), repr(KEY), f"{KEY}", f"{KEY!r:>9}", repr([KEY]), repr(dir(KEY))]
)
def test_nothing_else_does(shown: str) -> None:
    assert "canary" not in shown


@pytest.mark.parametrize(
    "keep", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, hash, vars]
)
def test_it_is_not_kept_elsewhere(keep: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        keep(KEY)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("value", "is_there"), [("canary", True), ("", False)])
def test_an_empty_secret_is_none(value: str, is_there: bool) -> None:
    assert bool(Secret(value)) is is_there


@pytest.mark.parametrize(
    ("other", "is_equal"),
    [(Secret("canary"), True), (Secret("Canary"), False), (Secret(""), False), ("canary", False)],
)
def test_secrets_are_compared_by_value(other: object, is_equal: bool) -> None:
    assert (other == KEY) is is_equal


def test_secrets_beyond_ascii_can_be_compared() -> None:
    assert Secret("é") == Secret("é")
