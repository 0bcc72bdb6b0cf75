"""However often a request is repeated, it is asked once, charged once, and answered the same."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import pytest

from faults import provider as known
from faults.judging import check_books, rows
from faults.listening import KEY, listen
from faults.provider import Provider, providing
from faults.sizes import size
from support.http import Answer, Events, completion
from support.live import Live

KEYS = size(5, 25)
TIMES = 40
MODEL, SECONDS = "40x10", 0.4


@pytest.fixture(scope="module")
def provider() -> Generator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Live]:
    database = tmp_path_factory.mktemp("repeats") / "own.db"
    server = Live(database, config=provider.config(model=MODEL))
    yield server
    server.stop()


@dataclass(frozen=True)
class Repeat:
    """One of many requests that are the same."""

    after: float
    """Seconds from the first."""
    streamed: bool
    usage: bool
    """Whether a stream is to tell usage apart, which makes no other request of it."""

    def send(self, server: Live, question: str) -> Answer | Events:
        time.sleep(self.after)
        path, headers = "/v1/chat/completions", {"Idempotency-Key": f"key of {question}"}
        if not self.streamed:
            body = completion(question, model="drip")
            return server.call("POST", path, body, key=KEY, headers=headers)
        options = {"stream_options": {"include_usage": True}} if self.usage else {}
        body = completion(question, model="drip", stream=True, **options)
        return listen(server.url, path, body, headers=headers)


def repeats(seed: str) -> list[Repeat]:
    """Some with the first one, some while it runs, some when it is over."""
    chance = Random(seed)
    moments = [0.0, chance.uniform(0, SECONDS), chance.uniform(2 * SECONDS, 3 * SECONDS)]
    return [
        Repeat(moments[at % 3], chance.random() < 0.6, chance.random() < 0.5) for at in range(TIMES)
    ]


@pytest.mark.parametrize("number", range(KEYS))
def test_repeats_are_dispatched_and_charged_once(
    server: Live, provider: Provider, number: int
) -> None:
    question = f"question {number}"
    sending = repeats(question)
    with ThreadPoolExecutor(TIMES) as threads:
        answers = [threads.submit(repeat.send, server, question) for repeat in sending]
        told = [answer.result() for answer in answers]
    assert [one.status for one in told] == [200] * TIMES
    assert {one.text for one in told} == {known.answer(question, MODEL)}
    assert provider.asked()[question] == 1
    (turn,) = {one.headers["x-chatloom-turn"] for one in told}
    assert {one.headers["idempotency-key"] for one in told} == {f"key of {question}"}
    began = [one for one in told if one.headers.get("idempotent-replayed") != "true"]
    assert len(began) == 1
    assert len({one.body for one in told if isinstance(one, Answer)}) == 1
    streams = [
        (sent.usage, one.raw)
        for sent, one in zip(sending, told, strict=True)
        if isinstance(one, Events)
    ]
    assert all(one.ended for one in told if isinstance(one, Events))
    assert len(set(streams)) == 2
    assert charges(server, turn) == ["reserve", "settle"]


def charges(server: Live, turn: str) -> list[str]:
    """The ledger's entries for a turn."""
    found = rows(server.database, "SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn)
    return [kind for (kind,) in found]


def test_all_of_it_is_one_turn_and_one_charge_each(server: Live) -> None:
    Repeat(0, False, False).send(server, "by itself")
    for number in range(KEYS):
        Repeat(0, False, False).send(server, f"question {number}")
    check_books(server.database)
    turns = rows(server.database, "SELECT count(*), sum(cost), min(cost), max(cost) FROM turn")
    ((count, total, least, most),) = turns
    spent = rows(server.database, "SELECT spent FROM balance WHERE scope = 'account'")
    assert (count, least, total) == (KEYS + 1, most, most * (KEYS + 1))
    assert spent == [(total,)]
