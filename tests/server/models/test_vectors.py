"""Embeddings as they are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.models.vectors import packed, unpacked

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(numbers=st.lists(FLOATS, min_size=1, max_size=20))
def test_what_is_packed_is_unpacked_the_same(numbers: list[float]) -> None:
    assert unpacked(packed(numbers)) == numbers


def test_the_lowest_byte_comes_first() -> None:
    assert packed([1.0, -2.0]) == "AACAPwAAAMA="


@pytest.mark.parametrize("numbers", [[], [math.nan], [math.inf], [1e300], [1.0, -math.inf]])
def test_what_is_no_vector_of_numbers_is_not_packed(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="number"):
        packed(numbers)


@pytest.mark.parametrize("text", ["", "AACA", "AACAPw", "A*CAPw==", "AADAfw==", "AACAfw=="])
def test_what_is_no_vector_of_numbers_is_not_unpacked(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|base64|padding"):
        unpacked(text)
