"""Where a text lets a talk branch: found by its form, and with a model's help."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chatloom import __version__
from support.http import Answer
from support.keys import new_key, secret
from support.live import Live

PATH = "/api/v1/autobranch/suggest-branches"
TEXT = """We build a shop. Here are some options:

1. **Flask**: small and plain
2. Django - batteries included
3. FastAPI

Should it be PostgreSQL or MySQL? If you need speed, cache; otherwise keep it simple."""


def suggest(
    server: Live, fields: Mapping[str, object], key: str = "any-key", repeated: str | None = None
) -> Answer:
    """Ask for suggestions; *repeated* is the request's idempotency key."""
    headers = None if repeated is None else {"Idempotency-Key": repeated}
    return server.call("POST", PATH, fields, key=key, headers=headers)


def asked(**fields: object) -> dict[str, object]:
    """A request for what a model finds, too."""
    return {"text": TEXT, "hybridDetection": True, **fields}


def told(server: Live, text: str, **fields: object) -> Any:
    answer = suggest(server, {"text": text, **fields})
    assert answer.status == 200, answer.body
    return answer.json


def hybrid(answer: object, *before: str) -> str:
    """A text that an echoing model repeats, so that its *answer* stands in the text itself."""
    return "\n".join([*before, json.dumps(answer)])


def said(quote: str, **fields: object) -> dict[str, object]:
    return {"quote": quote, "title": "A title", "confidence": 0.99, **fields}


def test_suggestions_are_told_at_the_top_and_under_data(live: Live) -> None:
    answer = told(live, TEXT)
    assert set(answer) == {"success", "data", "suggestions", "metadata"}
    assert answer["data"] == {name: answer[name] for name in ("suggestions", "metadata")}
    assert answer["metadata"] == {
        "detectionMethod": "pattern",
        "totalBranchPointsFound": 5,
        "modelUsed": None,
    }
    assert [one["title"] for one in answer["suggestions"]] == ["Flask", "Django", "FastAPI"]


def test_each_says_where_it_stands_and_why(live: Live) -> None:
    for one in told(live, TEXT, suggestionsCount=10, threshold=0)["suggestions"]:
        place = one["branchPoint"]
        assert TEXT[place["start"] : place["end"]] == one["triggerText"]
        assert set(one) == {
            *("id", "title", "description", "triggerText", "branchPoint", "confidence"),
            *("reasoning", "estimatedDivergence"),
        }
        assert one["title"]
        assert one["description"]
        assert one["reasoning"]
        assert 0 <= one["confidence"] <= 1
        assert one["estimatedDivergence"] in {"low", "medium", "high"}


@pytest.mark.parametrize(("count", "threshold"), [(1, 0.7), (2, 0.84), (10, 0.84), (10, 1.0)])
def test_as_many_as_wanted_and_as_sure(live: Live, count: int, threshold: float) -> None:
    answer = told(live, TEXT, suggestionsCount=count, threshold=threshold)
    found = answer["suggestions"]
    total = {0.7: 5, 0.84: 4, 1.0: 0}[threshold]
    assert answer["metadata"]["totalBranchPointsFound"] == total
    assert len(found) == min(count, total)
    assert all(one["confidence"] >= threshold for one in found)
    assert len({one["id"] for one in found}) == len(found)


def test_offsets_count_characters(live: Live) -> None:
    text = "🎉 Grüße! Tee oder Kaffee? 🎈 Oder Saft?"
    for one in told(live, text, threshold=0)["suggestions"]:
        place = one["branchPoint"]
        assert text[place["start"] : place["end"]] == one["triggerText"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"suggestionsCount": 0}, "suggestionsCount"),
        ({"suggestionsCount": 11}, "suggestionsCount"),
        ({"suggestionsCount": 2.5}, "suggestionsCount"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"threshold": "0.5"}, "threshold"),
        ({"hybridDetection": "yes"}, "hybridDetection"),
        ({"hybridDetection": True, "llmModel": ""}, "llmModel"),
        ({"hybridDetection": True, "llmModel": 7}, "llmModel"),
    ],
)
def test_a_senseless_request_is_refused(live: Live, fields: dict[str, object], param: str) -> None:
    before = live.counts()
    answer = suggest(live, {"text": "Tea or coffee?", **fields})
    assert (answer.status, answer.json["details"]["param"]) == (400, param)
    assert live.counts() == before


def test_patterns_cost_nothing(live: Live) -> None:
    before = live.counts()
    suggest(live, {"text": TEXT, "llmModel": "no such model"}, repeated="free")
    told(live, "1. a\n" * 20_000)
    assert live.counts() == before


def test_a_model_is_asked_and_paid(live: Live) -> None:
    before = live.counts()
    answer = suggest(live, asked())
    metadata = answer.json["metadata"]
    after = live.counts()
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert {"turn": 1, "ledger": 2}.items() <= grown.items()
    assert not {"conversation", "message", "branch"} & set(grown)
    turn = live.call("GET", f"/v1/turns/{answer.headers['x-chatloom-turn']}", key="any-key").json
    assert (turn["model"], turn["outcome"], turn["conversation_id"]) == ("gpt-5", "complete", None)
    assert turn["cost"]["picodollars"] > 0
    assert metadata["modelUsed"] in {None, "loom/scribe"}


def test_what_a_model_quotes_is_looked_up(live: Live) -> None:
    points = [
        said("go by train", divergence="high", description="Rails.", reasoning="A way to go."),
        said("GO   BY\nCAR", title="Drive", start=999, branchPoint={"start": 5, "end": 7}),
        said("go by ship"[:-1] + "q"),
    ]
    text = hybrid({"branch_points": points[:2]}, "One could go by train.", "Some go by car, some?")
    answer = told(live, text, hybridDetection=True, llmModel="loom/echo")
    assert answer["metadata"]["detectionMethod"] == "hybrid"
    assert answer["metadata"]["modelUsed"] == "loom/echo"
    first, second, *_ = answer["suggestions"]
    assert (first["triggerText"], first["title"]) == ("go by train", "A title")
    assert (first["description"], first["reasoning"]) == ("Rails.", "A way to go.")
    assert first["estimatedDivergence"] == "high"
    assert (second["triggerText"], second["title"]) == ("go by car", "Drive")
    assert second["branchPoint"] == {"start": text.index("go by car"), "end": text.index(", some")}


@pytest.mark.parametrize("text", ["Tea or coffee?", 'Tea or coffee? {"a": 1}', "Tea or coffee? {["])
def test_where_a_model_is_of_no_use_the_patterns_stand(live: Live, text: str) -> None:
    answer = told(live, text, hybridDetection=True, llmModel="loom/echo")
    assert answer == told(live, text)
    assert answer["metadata"]["modelUsed"] is None
    assert answer["metadata"]["detectionMethod"] == "pattern"


def test_a_model_may_find_nothing(live: Live) -> None:
    text = hybrid([], "Tea or coffee?")
    answer = told(live, text, hybridDetection=True, llmModel="loom/echo")
    assert [one["triggerText"] for one in answer["suggestions"]] == ["Tea or coffee?"]
    assert answer["metadata"]["detectionMethod"] == "hybrid"


def test_a_repeated_request_is_charged_once(live: Live) -> None:
    first = suggest(live, asked(llmApiKey="sk-one"), repeated="once")
    before = live.counts()
    same = asked(llmApiKey="sk-two", llmProvider="openai")
    again = suggest(live, same, repeated="once")
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-chatloom-turn"] == first.headers["x-chatloom-turn"]
    for other in ({"threshold": 0.5}, {"suggestionsCount": 4}, {"llmModel": "loom/echo"}):
        refused = suggest(live, asked(**other), repeated="once")
        assert (refused.status, refused.json["details"]["code"]) == (422, "idempotency_key_reused")
    assert suggest(live, asked(text="Another?"), repeated="once").status == 422
    assert live.counts() == before


def test_a_providers_key_is_neither_kept_nor_told(serve: Callable[..., Live]) -> None:
    server, hidden = serve(), "sk-must-not-be-anywhere"
    theirs: dict[str, object] = {"text": TEXT, "llmApiKey": hidden, "llmProvider": "openai"}
    wrong: list[dict[str, object]] = [{}, {"threshold": 7}, {"llmModel": "none"}, {"llmModel": 7}]
    for number, fields in enumerate(wrong):
        for is_hybrid in (False, True):
            request = {**theirs, **fields, "hybridDetection": is_hybrid}
            answer = suggest(server, request, repeated=f"hidden {number}")
            assert hidden not in answer.body.decode()
    kept = b"".join(path.read_bytes() for path in server.database.parent.glob("own.db*"))
    assert b"loom/scribe" in kept
    assert hidden.encode() not in kept
    assert hidden not in server.log


def test_an_unknown_model_is_refused(live: Live) -> None:
    answer = suggest(live, asked(llmModel="no such model"))
    assert (answer.status, answer.json["details"]["code"]) == (404, "model_not_found")


def test_a_model_that_fails_is_told_and_costs_nothing(live: Live) -> None:
    before = live.holdings()
    answer = suggest(live, asked(llmModel="loom/scribe?429=9"))
    assert answer.status == 429
    assert answer.json["success"] is False
    spent = [row[:4] for row in live.holdings()]
    assert spent == [row[:4] for row in before]


def test_what_a_key_may_do_holds_here_too(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    limited, poor = secret(server, models=["loom/echo"]), secret(server, budget="0")
    wanted = asked(llmModel="loom/scribe")
    assert suggest(server, {"text": TEXT}, limited).status == 200
    refused = suggest(server, wanted, limited)
    assert (refused.status, refused.json["details"]["code"]) == (403, "model_not_allowed")
    assert suggest(server, {"text": TEXT}, poor).status == 200
    assert suggest(server, wanted, poor).status == 402
    assert suggest(server, asked(), secret(server)).status == 404  # the default model is not there
    assert suggest(server, {"text": TEXT}, secret(server, scopes=["models"])).status == 403
    assert server.call("POST", PATH, {"text": TEXT}).status == 401


def test_an_end_users_key_begins_no_conversation(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    own = new_key(server, user="ann")["secret"]
    assert suggest(server, asked(llmModel="loom/scribe"), own).status == 200
    assert server.counts()["conversation"] == 0
    sessions = server.call("GET", "/atoms/chat/sessions?user_id=ann", key=own)
    assert sessions.json["sessions"] == []


def test_a_turn_can_be_followed_and_stopped_by_its_own_account_alone(live: Live) -> None:
    answer = suggest(live, asked())
    turn = answer.headers["x-chatloom-turn"]
    events = live.follow(turn)
    assert (events.status, events.ended) == (200, True)
    assert "branch_points" in events.text
    assert live.follow(turn, key="somebody else").status == 404


def test_its_health_is_public(live: Live) -> None:
    answer = live.call("GET", "/api/v1/autobranch/health")
    assert answer.status == 200
    assert answer.json == {"status": "healthy", "version": __version__, "service": "autobranch"}
