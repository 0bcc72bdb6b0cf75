"""Coroutines that never wait."""

from __future__ import annotations

import asyncio

import pytest

from chatloom.core.inline import run_inline


async def answer() -> int:
    return 42


async def fail() -> None:
    raise KeyError("no")


def test_a_coroutine_runs_to_its_end_on_the_spot() -> None:
    assert run_inline(answer()) == 42


def test_its_exception_is_the_callers() -> None:
    with pytest.raises(KeyError, match="no"):
        run_inline(fail())


def test_a_coroutine_that_suspends_is_refused_and_cleaned_up() -> None:
    log: list[str] = []

    async def oversleep() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            log.append("cleaned up")

    with pytest.raises(RuntimeError, match="only an event loop can do"):
        run_inline(oversleep())
    assert log == ["cleaned up"]
