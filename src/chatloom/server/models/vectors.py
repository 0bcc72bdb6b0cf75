"""Embeddings as they are kept and sent: 32-bit floats, the lowest byte first, in base64."""

from __future__ import annotations

import math
import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence


def packed(numbers: Sequence[float]) -> str:
    """Pack *numbers*. Raises `ValueError` for none, and for what is no 32-bit float."""
    _check(numbers)
    try:
        return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    except OverflowError:
        raise ValueError("a number is too large for a 32-bit float") from None


def unpacked(text: str) -> list[float]:
    """The numbers in *text*. Raises `ValueError` for what is no embedding."""
    data = b64decode(text, validate=True)
    if len(data) % 4:
        raise ValueError("no whole number of 32-bit floats")
    numbers = list(struct.unpack(f"<{len(data) // 4}f", data))
    _check(numbers)
    return numbers


def _check(numbers: Sequence[float]) -> None:
    # Finite 32-bit floats never add up to an infinite 64-bit one.
    if not numbers or not math.isfinite(sum(numbers)):
        raise ValueError("not a list of finite numbers")
