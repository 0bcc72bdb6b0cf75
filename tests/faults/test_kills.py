"""A server that is killed while it streams loses nothing that it has said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import pytest

from faults.judging import check_books, check_told, rows
from faults.killing import Mortal, lives, living
from faults.listening import Listener, Told, awaiting, blocking, by_hand, insisting, plainly
from faults.provider import Provider, providing
from faults.sizes import size
from support.http import Caller
from support.live import environment
from transports.scripted import free_port

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

TIMES = size(5, 200)
REPEATS = 10
MODELS = ["drip/150x5", "loom/scribe?delay=5&tokens=150", "drip/400x1", "loom/scribe?tokens=20"]
LISTENERS: Sequence[Listener] = [blocking, by_hand, awaiting, insisting, plainly]


@pytest.fixture
def provider() -> Generator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def server(provider: Provider, tmp_path: Path) -> Mortal:
    """`chatloom serve`, as a shell would start it."""
    (tmp_path / "server.toml").write_text(provider.config())
    port = free_port()
    command = [sys.executable, "-W", "error", "-m", "chatloom", "serve", "--dev"]
    command += ["--db", "killed.db", "--config", "server.toml", "--port", str(port)]
    return Mortal(command, port, folder=tmp_path, environ=environment(tmp_path))


def clients(url: str, life: int) -> list[Callable[[], Told]]:
    """Listeners of every kind to models of every kind, each with a question of its own."""
    return [
        partial(listener, url, f"{life}.{at}.{listener.__name__}", model)
        for listener in LISTENERS
        for at, model in enumerate(MODELS)
    ]


TWICE = "SELECT body FROM message WHERE role = 'user' GROUP BY body HAVING count(*) > 1"


def test_nobody_has_other_words_than_the_store_after_a_kill(server: Mortal, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}"
    told: list[Told] = []
    with living(server):
        for life in lives(server, partial(clients, url), times=TIMES, seed=4, moments=(0.0, 1.0)):
            check_books(tmp_path / "killed.db")
            for one in life.heard:
                check_told(Caller(url), one, resumed=".by_hand" not in one.question)
            told += life.heard
    assert rows(tmp_path / "killed.db", TWICE) == []  # where it was repeated, nothing was said
    assert {one.error is None for one in told if one.text} == {True, False}
    assert sum(one.error is not None and one.text != "" for one in told) > TIMES * 2


def test_repeats_have_the_same_words_across_a_kill(server: Mortal, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}"

    def clients(life: int) -> list[Callable[[], Told]]:
        return [partial(insisting, url, f"question {life}", MODELS[0])] * REPEATS

    with living(server):
        for life in lives(server, clients, times=TIMES // 2, seed=9, moments=(0.1, 0.6)):
            check_books(tmp_path / "killed.db")
            assert len(set(life.heard)) == 1
            check_told(Caller(url), life.heard[0], resumed=True)
    assert rows(tmp_path / "killed.db", TWICE) == []
