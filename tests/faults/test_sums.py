"""Money adds up, by whoever it is counted, on either wire, whatever happens meanwhile.

Each talk is held twice, once on each wire, word for word: what was asked and
answered alike has cost the same, and each sum that the server tells is the sum of
its turns.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

import pytest

from faults.judging import check_books, rows, wait_until_settled
from faults.killing import Mortal, living
from faults.listening import listen
from faults.sizes import size
from support.commands import Shell
from support.http import Answer, Caller
from support.live import environment
from transports.scripted import free_port

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

TALKS = size(200, 1000)
"""Of five requests each, half of them on each wire."""
KILLED_AFTER = TALKS * 5 // 3
"""Requests that have been answered when the server is killed."""

Wire: TypeAlias = Literal["openai", "anthropic"]
Kind: TypeAlias = Literal["plain", "streamed", "cancelled", "cut", "malformed", "refused"]

MODELS: Mapping[Kind, str] = {
    "plain": "loom/scribe",
    "streamed": "loom/scribe?delay=1",
    "cancelled": "loom/scribe?delay=20&tokens=200",
    "cut": "loom/scribe?cut=7",
    "malformed": "loom/scribe?malformed=5",
    "refused": "loom/scribe?429=9",
}
OFTEN: Mapping[Kind, int] = {
    "plain": 10,
    "streamed": 6,
    "cancelled": 2,
    "cut": 1,
    "malformed": 1,
    "refused": 1,
}
KINDS: Sequence[Kind] = [kind for kind, times in OFTEN.items() for _ in range(times)]


@dataclass(frozen=True)
class Payer:
    """In whose name a talk is held."""

    key: str
    user: str | None
    organization: str | None


@dataclass
class Taken:
    """A request that was answered, in whatever way."""

    kind: Kind
    turn: str
    usage: tuple[int, int] | None = None
    """Prompt and completion tokens, as the client was told with a whole answer."""
    stored: Any = None
    """The turn, as it is told afterwards."""

    @property
    def cost(self) -> int:
        return self.stored["cost"]["picodollars"] if self.stored["cost"] else 0

    @property
    def likeness(self) -> tuple[object, ...]:
        """What is the same where the same was asked and answered."""
        usage = self.stored["usage"]
        return (self.kind, self.stored["outcome"], self.stored["text"], usage, self.cost)


@dataclass
class Talk:
    """One talk on one wire."""

    number: int
    wire: Wire
    payer: Payer
    taken: list[Taken] = field(default_factory=list[Taken])


class House:
    """A server that is killed once, and the keys of one account at it."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "sums.db"
        made = Shell(folder)("keys", "create", "root", "--json", "--db", str(self.database))
        self.root, self.account = made.json["secret"], made.json["account_id"]
        admin = ("keys", "create", "boss", "--scope", "admin", "--json", "--db")
        self.admin = Shell(folder)(*admin, str(self.database)).json["secret"]
        port = free_port()
        command = [sys.executable, "-W", "error", "-m", "chatloom", "serve"]
        command += ["--db", str(self.database), "--port", str(port)]
        self.server = Mortal(command, port, folder=folder, environ=environment(folder))
        self.caller = Caller(f"http://127.0.0.1:{port}")
        self.keys: dict[str, str] = {}
        self.answered = 0

    def make_keys(self) -> None:
        """Have the root key make two that descend from it, and one of these a third."""
        web = self._key(self.root, name="web", scopes=["chat", "keys"])
        inner = self._key(web["secret"], name="inner")
        batch = self._key(self.root, name="batch", models=["loom/*"])
        for made in (web, inner, batch):
            self.keys[made["secret"]] = made["id"]
        (root,) = rows(self.database, "SELECT id FROM api_key WHERE name = 'root'")
        self.keys[self.root] = root[0]

    def _key(self, by: str, **wanted: object) -> Any:
        made = self.caller.call("POST", "/v1/keys", wanted, key=by)
        assert made.status == 201, made.body
        return made.json

    def payer(self, number: int) -> Payer:
        """Somebody to hold a talk, by its number."""
        chance = Random(f"payer {number}")
        key = chance.choice(sorted(self.keys, key=self.keys.__getitem__))
        user = chance.choice([None, "ann", "bob", "cho"])
        return Payer(key, user, chance.choice([None, "north", "south"]))

    def read(self, path: str, key: str | None = None) -> Answer:
        return insisted(lambda: self.caller.call("GET", path, key=key or self.root))


def insisted(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer, as often as it takes a killed server to come back."""
    for _ in range(400):
        try:
            answer = ask()
        except (OSError, HTTPException):
            pass
        else:
            if answer.headers.get("x-should-retry") != "true" or answer.status == 429:
                return answer
        time.sleep(0.05)
    raise AssertionError("no answer came")


PATHS: Mapping[Wire, str] = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


def hold(house: House, number: int, wire: Wire) -> Talk:
    """Hold a talk of five requests, each of which goes on where the one before ended."""
    chance = Random(f"talk {number}")
    talk = Talk(number, wire, house.payer(number))
    conversation: str | None = None
    for step in range(5):
        kind = chance.choice(KINDS)
        metadata = {
            "user_id": talk.payer.user,
            "organization_id": talk.payer.organization,
            "conversation_id": conversation,
        }
        body: dict[str, object] = {
            "model": MODELS[kind],
            "max_tokens": chance.randint(20, 400),
            "messages": [{"role": "user", "content": f"What of {number}, and of {step}?"}],
            "metadata": {name: value for name, value in metadata.items() if value is not None},
        }
        taken = take(house, talk, kind, body, f"{wire}.{number}.{step}")
        house.answered += 1
        if taken is None:
            continue
        talk.taken.append(taken)
        told = house.read(f"/v1/turns/{taken.turn}").json["conversation_id"]
        if house.read(f"/v1/conversations/{told}").status == 200:
            conversation = told
    return talk


def take(house: House, talk: Talk, kind: Kind, body: dict[str, object], name: str) -> Taken | None:
    """Ask once; `None` where no turn was begun."""
    headers, key = {"idempotency-key": name}, talk.payer.key
    if kind in {"streamed", "cancelled"}:
        return stream(house, talk, kind, {**body, "stream": True}, headers)
    path = PATHS[talk.wire]
    answer = insisted(lambda: house.caller.call("POST", path, body, key=key, headers=headers))
    turn = answer.headers.get("x-chatloom-turn")
    if answer.status == 429 and turn is None:
        return None
    assert turn is not None, answer.body
    usage = told_usage(answer.json) if answer.status == 200 else None
    return Taken(kind, turn, usage)


def stream(
    house: House, talk: Talk, kind: Kind, body: dict[str, object], headers: Mapping[str, str]
) -> Taken:
    """Listen to a streamed answer, and cancel it where that is the *kind*."""
    key = talk.payer.key
    for _ in range(400):
        if kind == "cancelled":
            turn = begun(house, talk, body, headers)
            if turn is not None:
                cancel(house, turn, key)
                return Taken(kind, turn)
        else:
            events = listen(house.caller.url, PATHS[talk.wire], body, key=key, headers=headers)
            turn = events.headers.get("x-chatloom-turn")
            if turn is not None:
                told = [json.loads(data) for data in events.data if data != "[DONE]"]
                usages = [told_usage(one) for one in told if one.get("usage")]
                whole = events.ended and events.status == 200
                return Taken(kind, turn, usages[-1] if whole and usages else None)
        time.sleep(0.05)
    raise AssertionError("no answer came")


def cancel(house: House, turn: str, key: str) -> None:
    answer = insisted(lambda: house.caller.call("POST", f"/v1/turns/{turn}/cancel", key=key))
    assert answer.status == 200, answer.body


def begun(
    house: House, talk: Talk, body: dict[str, object], headers: Mapping[str, str]
) -> str | None:
    """Begin a streamed answer, hear its first words, and leave."""
    try:
        with house.caller.post(
            PATHS[talk.wire], body, key=talk.payer.key, headers=headers
        ) as response:
            response.read1(100)
            return response.headers.get("x-chatloom-turn")
    except (OSError, HTTPException):
        return None


def told_usage(answer: Mapping[str, Any]) -> tuple[int, int]:
    """Prompt and completion tokens, on either wire."""
    usage: Mapping[str, int] = answer["usage"]
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage["completion_tokens"]
    return usage["input_tokens"] + usage["cache_read_input_tokens"], usage["output_tokens"]


def all_talks(house: House) -> list[Talk]:
    """Hold all talks, a few at once, and kill the server in the middle of them."""
    with ThreadPoolExecutor(12) as threads:
        running = [
            threads.submit(hold, house, number, wire)
            for number in range(TALKS // 2)
            for wire in PATHS
        ]
        while house.answered < KILLED_AFTER:
            time.sleep(0.01)
        house.server.kill()
        house.server.start()
        return [talk.result() for talk in running]


def test_sums_are_those_of_their_turns_on_either_wire(tmp_path: Path) -> None:
    house = House(tmp_path)
    with living(house.server):
        house.make_keys()
        talks = all_talks(house)
        wait_until_settled(house.database)
        for talk in talks:
            for taken in talk.taken:
                taken.stored = house.read(f"/v1/turns/{taken.turn}").json
        check_books(house.database)
        check_usage(talks)
        check_wires(talks)
        check_sums(house, talks)


def check_usage(talks: Sequence[Talk]) -> None:
    """What clients were told of whole answers is what is stored."""
    told = [one for talk in talks for one in talk.taken if one.usage is not None]
    assert len(told) > TALKS * 5 // 2
    for one in told:
        stored = one.stored["usage"]
        assert one.usage == (stored["prompt_tokens"], stored["completion_tokens"]), one


def check_wires(talks: Sequence[Talk]) -> None:
    """As long as both talks went the same way, each turn of one cost what the other's did."""
    compared = 0
    sums: dict[Wire, Counter[object]] = {"openai": Counter(), "anthropic": Counter()}
    pairs = zip(talks[::2], talks[1::2], strict=True)
    for one, other in pairs:
        for taken, twin in zip(one.taken, other.taken, strict=False):
            if taken.kind == "cancelled" or taken.likeness[:3] != twin.likeness[:3]:
                break  # by the kill, or by chance; from here on they are two talks
            assert taken.likeness == twin.likeness
            compared += 1
            for wire, each in zip(PATHS, (taken, twin), strict=True):
                for whose in (one.payer.key, one.payer.user, one.payer.organization, one.number):
                    sums[wire][whose] += each.cost
    assert compared > TALKS
    assert sums["openai"] == sums["anthropic"]


def check_sums(house: House, talks: Sequence[Talk]) -> None:
    """Every sum that the server tells is the sum of what it tells of each turn."""
    sums: Counter[tuple[str, str]] = Counter()
    for talk in talks:
        for one in talk.taken:
            sums["key", house.keys[talk.payer.key]] += one.cost
            sums["user", str(talk.payer.user)] += one.cost
            sums["organization", str(talk.payer.organization)] += one.cost
            sums["conversation", one.stored["conversation_id"]] += one.cost
            sums["account", house.account] += one.cost
    for path, kind in (("users", "user"), ("organizations", "organization")):
        for one in house.read(f"/admin/{path}", house.admin).json["data"]:
            assert one["spent"]["picodollars"] == sums[kind, one["name"]], one
    per_key = "SELECT key_id, sum(amount) FROM ledger WHERE kind = 'settle' GROUP BY 1"
    assert dict(rows(house.database, per_key)) == {
        id: sums["key", id] for id in house.keys.values()
    }
    for kind, id in sums:
        if kind == "conversation" and sums[kind, id]:
            told = house.read(f"/v1/conversations/{id}").json
            assert told["cost"]["picodollars"] == sums[kind, id], told
    stats = house.read("/v1/credits/stats?period=all_time").json
    assert round(stats["total_cost"] * 1e12) == sums["account", house.account]
    assert sum(one["cost_usd"] != "" for one in history(house)) == stats["total_requests"]
    debited = sum(one["credits_debited"] for one in history(house))
    assert debited == stats["total_credits_used"] == sums["account", house.account] // 10**9


def history(house: House) -> list[Any]:
    """All charges of the account, page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        page = house.read(f"/v1/credits/history?limit=200{cursor}").json
        found += page["entries"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
