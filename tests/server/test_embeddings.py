"""Embeddings over HTTP: what they say, what they cost, what is kept of them."""

from __future__ import annotations

import asyncio
import base64
import struct
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from chatloom.server.models.driver import Delta, Finish, Usage, Vector
from chatloom.server.store.contract import Health
from chatloom.server.store.sqlite import SQLiteStore
from server.models.embedding import nearness
from support.house import a_house
from support.http import Answer
from support.live import Live

PATH = "/v1/embeddings"
MODEL = "loom/embed"
GOLDEN = list(struct.unpack("<3f", base64.b64decode("AAAAAOsmPj4wnQ4/")))

_numbers = count()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose books are looked through when all is done."""
    server = Live(tmp_path_factory.mktemp("embeddings") / "chatloom.db")
    yield server
    assert server.stop() == 0
    health = checked(server)
    assert (health.problems, health.open_turns) == ([], [])


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"embeddings-{next(_numbers)}"


@pytest.fixture
def named(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def checked(server: Live) -> Health:
    """What `chatloom doctor` finds."""

    async def check() -> Health:
        store = SQLiteStore(server.database)
        try:
            return await store.check()
        finally:
            await store.close()

    return asyncio.run(check())


def embed(live: Live, given: object, key: str, **fields: Any) -> Answer:
    headers = fields.pop("headers", None)
    body = {"model": MODEL, "input": given, **fields}
    return live.call("POST", PATH, body, key=key, headers=headers)


def vectors(answer: Answer) -> list[Any]:
    """The embeddings, each as it was told."""
    assert answer.status == 200, answer.body
    data = answer.json["data"]
    assert [one["index"] for one in data] == list(range(len(data)))
    return [one["embedding"] for one in data]


def turn_of(answer: Answer) -> str:
    return answer.headers["x-chatloom-turn"]


def charges(live: Live, answer: Answer) -> list[tuple[str, int]]:
    rows = live.rows("SELECT kind, amount FROM ledger WHERE turn_id = ?", turn_of(answer))
    return sorted((kind, abs(amount)) for kind, amount in rows)


def test_an_answer_has_all_that_openai_promises(live: Live, key: str) -> None:
    answer = embed(live, "The weaver throws the shuttle.", key, dimensions=8).json
    assert (answer["object"], answer["model"]) == ("list", MODEL)
    assert answer["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    (one,) = answer["data"]
    assert (one["object"], one["index"]) == ("embedding", 0)
    assert one["embedding"][:3] == GOLDEN


@pytest.mark.parametrize(
    ("given", "same", "tokens"),
    [
        ("two words", ["two words"], 2),
        ([1, 2, 3], [[1, 2, 3]], 3),
        (["one", "two words"], ["one", "two words"], 3),
        ([[1, 2], [3]], [[1, 2], [3]], 3),
        (" ", [" "], 1),
    ],
)
def test_every_form_of_input_is_embedded(
    live: Live, key: str, given: object, same: list[object], tokens: int
) -> None:
    answer = embed(live, given, key)
    assert len(vectors(answer)) == len(same)
    assert answer.body == embed(live, same, key).body
    assert answer.json["usage"]["total_tokens"] == tokens


def test_each_of_many_inputs_gets_the_vector_it_would_get_alone(live: Live, key: str) -> None:
    texts = [f"text number {number}" for number in range(2048)]
    told = vectors(embed(live, texts, key, dimensions=16))
    assert len(told) == 2048
    assert [told[1234]] == vectors(embed(live, texts[1234], key, dimensions=16))


def test_base64_says_the_same_as_floats(live: Live, key: str) -> None:
    floats = vectors(embed(live, ["one", "two"], key, encoding_format="float"))
    assert floats == vectors(embed(live, ["one", "two"], key))
    coded = vectors(embed(live, ["one", "two"], key, encoding_format="base64"))
    assert [list(struct.unpack("<256f", base64.b64decode(one))) for one in coded] == floats


def test_near_texts_are_nearer_than_far_ones(live: Live, key: str) -> None:
    texts = ["How do I weave a basket?", "Weaving baskets by hand", "Stock markets fell today"]
    own, near, far = vectors(embed(live, texts, key))
    assert nearness(own, near) > nearness(own, far) + 0.1


@pytest.mark.parametrize("model", ["text-embedding-3-small", "openai/text-embedding-3-small"])
def test_in_dev_the_embedder_answers_to_well_known_names(live: Live, key: str, model: str) -> None:
    answer = embed(live, "one", key, model=model)
    assert answer.json["model"] == MODEL
    assert answer.body == embed(live, "one", key).body


def test_models_say_that_they_embed(live: Live, key: str) -> None:
    listed = live.call("GET", "/v1/models", key=key).json["data"]
    embedding = {one["id"] for one in listed if one["capabilities"] == ["embeddings"]}
    assert embedding >= {MODEL, "text-embedding-3-large", "text-embedding-ada-002"}
    assert all("chat" in one["capabilities"] for one in listed if one["id"] not in embedding)


def test_it_belongs_to_no_conversation_and_costs_what_it_says(live: Live, key: str) -> None:
    before = live.counts()
    answer = embed(live, "two words", key, metadata={"user_id": "ada", "purpose": "test"})
    turn = live.call("GET", f"/v1/turns/{turn_of(answer)}", key=key).json
    assert (turn["conversation_id"], turn["message_id"], turn["text"]) == (None, None, "")
    assert (turn["protocol"], turn["outcome"], turn["served_model"]) == (
        "embeddings",
        "complete",
        MODEL,
    )
    assert turn["usage"] == {"prompt_tokens": 2, "completion_tokens": 0, "estimated": False}
    assert turn["cost"]["picodollars"] == 200_000
    assert ("settle", 200_000) in charges(live, answer)
    after = live.counts()
    assert after == {**before, **{name: after[name] for name in ("turn", "ledger", "replay")}} | {
        "balance": after["balance"]
    }
    spent = live.rows("SELECT spent FROM balance WHERE subject LIKE ?", "%/ada")
    assert spent == [(200_000,)]


BAD: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("no input", {"input": None}, 400, "input"),
    ("an empty text", {"input": ""}, 400, "input"),
    ("an empty list", {"input": []}, 400, "input"),
    ("an empty text in a list", {"input": ["one", ""]}, 400, "input"),
    ("a list of an empty list", {"input": [[]]}, 400, "input"),
    ("too many", {"input": ["x"] * 2049}, 400, "input"),
    ("a mixture", {"input": ["one", [1]]}, 400, "input"),
    ("texts and tokens", {"input": ["one", 1]}, 400, "input"),
    ("a number", {"input": 1}, 400, "input"),
    ("a fraction", {"input": [0.5]}, 400, "input[0]"),
    ("a negative token", {"input": [[-1]]}, 400, "input[0][0]"),
    ("no dimensions", {"dimensions": 0}, 400, "dimensions"),
    ("more dimensions than there are", {"dimensions": 4000}, 400, "dimensions"),
    ("an unknown format", {"encoding_format": "int8"}, 400, "encoding_format"),
    ("a stream", {"stream": True}, 400, "stream"),
    ("odd metadata", {"metadata": {"user_id": 1}}, 400, "metadata.user_id"),
    ("an unknown model", {"model": "nobody/knows"}, 404, "model"),
    ("a model that chats", {"model": "loom/scribe"}, 400, "model"),
    ("a fault that is none", {"model": "loom/embed?cut=x"}, 400, "model"),
    ("a text longer than it reads", {"input": "word " * 9000}, 400, "input"),
]


@pytest.mark.parametrize(
    ("fields", "status", "param"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input_is_refused_and_nothing_is_begun(
    live: Live, fields: dict[str, Any], status: int, param: str | None
) -> None:
    before = live.counts(), live.holdings()
    refused = embed(live, "one", "bad", **fields) if "input" not in fields else _sent(live, fields)
    assert (refused.status, refused.error.get("param")) == (status, param), refused.body
    assert (live.counts(), live.holdings()) == before


def _sent(live: Live, fields: dict[str, Any]) -> Answer:
    return live.call("POST", PATH, {"model": MODEL, **fields}, key="bad")


def test_a_model_that_embeds_does_not_chat(live: Live, key: str) -> None:
    before = live.counts()
    refused = live.complete("Hello!", key=key, model=MODEL)
    assert (refused.status, refused.error["param"]) == (400, "model")
    assert live.counts() == before


def test_a_repeat_is_told_the_same_and_charged_once(
    live: Live, key: str, named: dict[str, str]
) -> None:
    first, again = (embed(live, ["one", "two"], key, headers=named) for _ in range(2))
    assert first.body == again.body
    assert turn_of(first) == turn_of(again)
    assert again.headers["idempotent-replayed"] == "true"
    assert [kind for kind, _ in charges(live, first)] == ["reserve", "settle"]


def test_a_repeat_is_told_as_it_asks_itself(live: Live, key: str, named: dict[str, str]) -> None:
    floats = embed(live, "one", key, headers=named)
    coded = embed(live, "one", key, headers=named, encoding_format="base64")
    assert turn_of(floats) == turn_of(coded)
    assert coded.body == embed(live, "one", key, encoding_format="base64").body


@pytest.mark.parametrize("other", [{"dimensions": 8}, {"input": ["one", "two"]}, {"user": "ada"}])
def test_a_key_stands_for_one_request(
    live: Live, key: str, named: dict[str, str], other: dict[str, Any]
) -> None:
    embed(live, "one", key, headers=named)
    body = {"model": MODEL, "input": "one", **other}
    refused = live.call("POST", PATH, body, key=key, headers=named)
    assert (refused.status, refused.error["code"]) == (422, "idempotency_key_reused")


def test_a_turn_is_followed_in_one_event(live: Live, key: str) -> None:
    for told_as in ("float", "base64"):
        answer = embed(live, ["one", "two"], key, encoding_format=told_as)
        told = live.follow(turn_of(answer), key=key)
        assert (told.ended, told.data) == (True, [answer.body.decode()])
        last = int(told.blocks[0]["id"])
        assert live.follow(turn_of(answer), last, key=key).raw == b""
        assert live.follow(turn_of(answer), last + 1, key=key).status == 400


@pytest.mark.parametrize("model", ["loom/embed?cut=1", "loom/embed?429=1"])
def test_a_failure_costs_nothing_and_frees_the_key(
    live: Live, key: str, named: dict[str, str], model: str
) -> None:
    failed = embed(live, "one", key, model=model, headers=named)
    assert failed.status == (502 if "cut" in model else 429)
    assert "partial" not in failed.error
    assert [kind for kind, _ in charges(live, failed)] == ["release", "reserve"]
    again = embed(live, "one", key, model=model, headers=named)
    assert turn_of(again) != turn_of(failed)


@pytest.mark.anyio
async def test_what_a_provider_did_not_count_is_a_guess(tmp_path: Path) -> None:
    said: list[Delta] = [
        Vector("AACAPw=="),
        Finish("stop"),
        Vector("AAAAQA==", 1),
        Finish("stop", 1),
    ]
    async with a_house(tmp_path, said) as house:
        ask = replace(house.ask(), messages=[], inputs=["two words", [1, 2, 3]])
        turn = await house.settled(ask)
        stored = await house.stored(turn)
        assert stored.usage == Usage(5, 0, estimated=True)
        assert (stored.conversation_id, stored.message_id, stored.cost) == ("", None, 500)
        assert stored.reserved >= 500
        again = await house.turns.telling(house.account_id, turn.id)
        assert [choice.vector for _, choice in again.answer.ordered()] == ["AACAPw==", "AAAAQA=="]
        assert again.answer.text == ""
        assert (await house.store.check()).problems == []


@pytest.mark.anyio
async def test_an_answer_that_lacks_a_vector_is_not_whole(tmp_path: Path) -> None:
    async with a_house(tmp_path, [Vector("AACAPw=="), Finish("stop")]) as house:
        turn = await house.settled(replace(house.ask(), messages=[], inputs=["one", "two"]))
        assert (turn.outcome, turn.failed) == ("truncated", True)


def open_turn(server: Live) -> str:
    """The turn that runs, once it does."""
    for _ in range(500):
        if rows := server.rows("SELECT id FROM turn WHERE ended_at IS NULL"):
            return str(rows[0][0])
        time.sleep(0.01)
    raise AssertionError("no turn was begun")


def begun(server: Live, key: str) -> str:
    """Ask for embeddings that never come, and leave; the turn's id."""
    body = b'{"model": "loom/embed?stall=0", "input": "one"}'
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    server.send_and_leave(head.encode() + body)
    return open_turn(server)


def test_a_turn_can_be_cancelled(live: Live, key: str) -> None:
    turn = begun(live, key)
    told = live.call("POST", f"/v1/turns/{turn}/cancel", key=key).json
    assert (told["outcome"], told["usage"], told["cost"]["picodollars"]) == ("cancelled", None, 0)
    assert live.follow(turn, key=key).status == 503


def test_a_turn_that_a_crash_left_open_is_released(serve: Callable[..., Live]) -> None:
    before = serve()
    turn = begun(before, "crash")
    before.kill()
    after = serve(database=before.database)
    told = after.call("GET", f"/v1/turns/{turn}", key="crash").json
    assert (told["outcome"], told["usage"]) == ("truncated", None)
    assert vectors(embed(after, "one", "crash"))
    after.stop()
    health = checked(after)
    assert (health.problems, health.open_turns) == ([], [])


def test_a_budget_holds_for_embeddings(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    made = server.call("POST", "/admin/keys", {"name": "embedder"}, key=server.admin_key).json
    budget = {"concern": "account", "subject": made["account_id"], "usd": "0.000002"}
    assert server.call("PUT", "/admin/budgets", budget, key=server.admin_key).status == 200
    key = str(made["secret"])
    assert embed(server, "one", key).status == 200
    refused = embed(server, "word " * 1000, key)
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")
    assert embed(server, "one", key, model="text-embedding-3-small").status == 404
