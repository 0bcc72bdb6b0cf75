"""Ids: UUIDv7, in order, and never twice, whoever asks."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatloom.server.ids import is_id, new_id


def test_an_id_is_a_uuid_of_version_7_and_of_now() -> None:
    told = uuid.UUID(new_id())
    assert (told.version, told.variant) == (7, uuid.RFC_4122)
    assert abs((told.int >> 80) / 1000 - time.time()) < 60


def test_later_ids_sort_later() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = [pool.submit(lambda: [new_id() for _ in range(5_000)]) for _ in range(8)]
        ids = [id for batch in batches for id in batch.result()]
    assert len(set(ids)) == len(ids) == 40_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_draws_chance_of_its_own() -> None:
    new_id()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert theirs[18:] != new_id()[18:]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("01a1f960-ef47-7595-899d-61f905024d69", True),
        ("01A1F960-EF47-7595-899D-61F905024D69", False),
        ("01a1f960ef477595899d61f905024d69", False),
        ("01a1f960-ef47-7595-899d-61f905024d69\n", False),
        ("../../etc/passwd", False),
        ("", False),
    ],
)
def test_what_looks_like_an_id(text: str, known: bool) -> None:
    assert is_id(text) is known
    assert is_id(new_id())
