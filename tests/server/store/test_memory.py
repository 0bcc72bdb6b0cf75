"""What is remembered of a user is theirs alone, and gone when its time is over."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.store import memory
from chatloom.server.store.memory import MemoryFull
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite import memory as kept
from support.books import Books

pytestmark = pytest.mark.anyio

VALUES: list[Any] = [
    None,
    False,
    0,
    -1.5,
    2**70,
    "",
    "Ünïcode \0 \U0001f600",
    [],
    {},
    [1, [2, {"a": None}]],
    {"": {"b": [True]}},
]


async def remember(
    own: Books, key: str, value: Any = "x", user: str | None = None, *, now: int = 10, **more: Any
) -> None:
    await own.store.remember(own.account_id, user, key, value, now=now, **more)


async def keys(own: Books, user: str | None = None, *, now: int = 20, **more: Any) -> list[str]:
    page: dict[str, Any] = {"limit": 100, **more}
    return [one.key for one in await own.store.memories(own.account_id, user, now=now, **page)]


async def about(own: Books, text: str, user: str | None = None, **more: Any) -> list[str]:
    asked: dict[str, Any] = {"limit": 10, "now": 20, **more}
    found = await own.store.relevant_memories(own.account_id, user, text, **asked)
    return [one.key for one in found]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_any_value_comes_back(own: Books, value: Any) -> None:
    await remember(own, "key", value)
    found = await own.store.recall(own.account_id, None, "key", now=20)
    assert found is not None
    assert (found.value, type(found.value)) == (value, type(value))
    assert found.size == len(msgspec.json.encode(value))
    assert (await own.store.check()).problems == []


async def test_what_is_remembered_again_keeps_its_beginning(own: Books) -> None:
    await remember(own, "key", "old", now=10, expires_at=90)
    await remember(own, "key", "new", now=15)
    found = await own.store.recall(own.account_id, None, "key", now=95)
    assert found is not None
    assert (found.value, found.created_at, found.updated_at, found.expires_at) == (
        "new",
        10,
        15,
        None,
    )
    assert (await about(own, "old"), await about(own, "new")) == ([], ["key"])


async def test_what_has_expired_is_gone_for_everybody(own: Books) -> None:
    await remember(own, "key", "loom", expires_at=50)
    for now, is_there in ((49, True), (50, False), (51, False)):
        found = await own.store.recall(own.account_id, None, "key", now=now)
        assert (found is not None) == is_there
        assert (await keys(own, now=now) == ["key"]) == is_there
        assert (await about(own, "loom", now=now) == ["key"]) == is_there
    assert not await own.store.forget(own.account_id, None, "key", now=50)
    await remember(own, "key", "again", now=60)
    found = await own.store.recall(own.account_id, None, "key", now=61)
    assert found is not None
    assert found.created_at == 60


async def test_what_has_expired_leaves_the_file(own: Books) -> None:
    for number in range(600):
        await remember(own, f"{number}", expires_at=50 if number else None)
    assert await own.store.forget_expired_memories(49) == 0
    assert await own.store.forget_expired_memories(50) == 599
    assert await keys(own) == ["0"]
    assert (await own.store.check()).problems == []


async def test_what_is_forgotten_is_gone(own: Books) -> None:
    await remember(own, "key", "loom")
    assert await own.store.forget(own.account_id, None, "key", now=20)
    assert not await own.store.forget(own.account_id, None, "key", now=20)
    assert (await keys(own), await about(own, "loom key")) == ([], [])
    assert (await own.store.check()).problems == []


async def test_nobody_sees_what_is_anothers(own: Books, foreign: Books) -> None:
    everybody = [(own, None), (own, "ann"), (own, "ben"), (foreign, None), (foreign, "ann")]
    for number, (books, user) in enumerate(everybody):
        await remember(books, "loom", number, user)
    for number, (books, user) in enumerate(everybody):
        found = await books.store.recall(books.account_id, user, "loom", now=20)
        assert found is not None
        assert found.value == number
        assert await keys(books, user) == await about(books, "loom", user) == ["loom"]
    assert await own.store.forget(own.account_id, "ann", "loom", now=20)
    assert [await keys(*one) for one in everybody].count([]) == 1


async def test_a_user_has_so_many_and_so_much(own: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (memory.MOST_MEMORIES, memory.MOST_BYTES) == (1_000, 4 * 1024 * 1024)
    monkeypatch.setattr(kept, "MOST_MEMORIES", 3)
    for key in ("a", "b", "c"):
        await remember(own, key)
    await remember(own, "c", "another", expires_at=30)
    with pytest.raises(MemoryFull):
        await remember(own, "d")
    await remember(own, "d", user="ann")
    await remember(own, "d", now=30)
    monkeypatch.setattr(kept, "MOST_BYTES", 9)
    with pytest.raises(MemoryFull):
        await remember(own, "a", "12345678", now=31)
    assert await keys(own, now=31) == ["a", "b", "d"]
    assert (await own.store.check()).problems == []


async def test_lists_are_by_key_and_prefix(own: Books) -> None:
    named = ["a", "b", "b.1", "b.2", "b%", "bé", "c", "\U0010ffff", "\U0010ffffx", "B", "b\0z"]
    for key in named:
        await remember(own, key)
    assert await keys(own) == sorted(named)
    for prefix in ("b", "b.", "\U0010ffff", "b%", "z", "b\0", ""):
        wanted = sorted(key for key in named if key.startswith(prefix))
        assert await keys(own, prefix=prefix) == wanted
        first = await keys(own, prefix=prefix, limit=2)
        rest = await keys(own, prefix=prefix, after=first[-1]) if first else []
        assert first + rest == wanted


async def test_what_bears_on_a_text_is_found(own: Books) -> None:
    await remember(own, "favoriteColor", "blue")
    await remember(own, "pets", [{"kind": "dog", "names": ["Rex"]}])
    await remember(own, "city", "Zürich", now=11)
    await remember(own, "home_town", "born in Zurich")
    assert await about(own, "What is my favourite colour, or favorite color?") == ["favoriteColor"]
    assert await about(own, "Who is REX?") == ["pets"]
    assert await about(own, "Which dogs do I have?") == ["pets"]
    assert await about(own, "Is Zurich nice?") == ["city", "home_town"]
    assert await about(own, "Was I born in Zurich?") == ["home_town", "city"]
    assert await about(own, "What is in it?") == []
    assert await about(own, "Is Zurich nice?", limit=1) == ["city"]


async def test_what_does_not_fit_makes_way_for_what_does(own: Books) -> None:
    await remember(own, "long", "loom warp " + "x" * 500)
    await remember(own, "short", "loom")
    assert await about(own, "loom warp") == ["long", "short"]
    assert await about(own, "loom warp", budget=100) == ["short"]
    assert await about(own, "loom warp", budget=10) == []


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)


@given(st.text(min_size=1, max_size=60), JSONS, st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_key_value_and_text_are_harmless(key: str, value: Any, text: str) -> None:
    async def kept_and_found() -> None:
        store = SQLiteStore(None)
        await store.account("a", "test", dev=False, now=1)
        await store.remember("a", text or None, key, value, now=10)
        found = await store.recall("a", text or None, key, now=20)
        assert found is not None
        assert found.value == value
        await store.relevant_memories("a", text or None, text, limit=9, now=20)
        (listed,) = await store.memories("a", text or None, prefix=key[:1], limit=9, now=20)
        assert listed.key == key
        assert (await store.check()).problems == []
        await store.close()

    asyncio.run(kept_and_found())


@given(st.integers(1, 50), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_a_time_to_live_is_that_long(ttl: int, later: int) -> None:
    async def asked() -> None:
        store = SQLiteStore(None)
        await store.account("a", "test", dev=False, now=1)
        await store.remember("a", None, "k", 1, now=100, expires_at=100 + ttl)
        found = await store.recall("a", None, "k", now=100 + later)
        assert (found is not None) == (later < ttl)
        await store.close()

    asyncio.run(asked())
