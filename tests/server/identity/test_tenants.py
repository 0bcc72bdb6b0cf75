"""Nobody sees, continues, stops, repeats or pays what is another's, whatever ids he knows.

Two accounts; two end users of one account, whose keys belong to them; and an account's own
things, beside a key that belongs to somebody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from chatloom.server.app import ROUTES
from chatloom.server.ids import new_id
from support.chatroutes import Member, grown
from support.hooks import Owner
from support.http import Answer, completion
from support.infinity import Assistant
from support.keys import heir, new_key, secret
from support.live import Live


class Tenant:
    """Somebody with one conversation, and one key that descends from his own."""

    def __init__(self, server: Live, key: Any, user: str | None) -> None:
        self.server = server
        self.id, self.key = str(key["id"]), str(key["secret"])
        self.user = user
        self.owner = user or "customer"
        answer = self.complete("Hello!", {"user_id": user} if user else {})
        assert answer.status == 200, answer.body
        self.conversation = str(answer.json["system_fingerprint"])
        self.turn = answer.headers["x-chatloom-turn"]
        self.text = answer.text
        told: Any = self.get(f"/v1/conversations/{self.conversation}").json
        self.branch = str(told["branch_id"])
        self.message = str(told["messages"][-1]["id"])
        self.grown = grown(Member(server, self.key))
        self.below = str(heir(server, self.key, scopes=["chat"], expires_in_days=9)["id"])
        self.webhook = str(Owner(server, self.key).make()["id"])

    @property
    def talk(self) -> str:
        """A talk that has one of everything."""
        return self.grown.talk.id

    @property
    def twig(self) -> str:
        """A branch of it."""
        return self.grown.branch

    @property
    def leaf(self) -> str:
        """A message of it."""
        return self.grown.message

    @property
    def checkpoint(self) -> str:
        """A checkpoint of it."""
        return self.grown.checkpoint

    def complete(self, content: object, metadata: Mapping[str, object], **more: Any) -> Answer:
        """Ask for a completion."""
        return self.server.complete(content, key=self.key, metadata=metadata, **more)

    def get(self, path: str) -> Answer:
        """Read something."""
        return self.server.call("GET", path, key=self.key)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


Pair = tuple[Tenant, Tenant]
PAIRS = ("accounts", "end users", "nobody's")


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest, server: Live) -> Pair:
    """Alice, and Bob who is after what is hers."""
    if request.param == "accounts":
        alice, bob = (Tenant(server, new_key(server, name), "customer") for name in ("a", "b"))
        return alice, bob
    root = new_key(server)
    bens = heir(server, root["secret"], scopes=["chat", "keys", "models"], user="ben")
    if request.param == "nobody's":
        return Tenant(server, root, None), Tenant(server, bens, "ben")
    anns = heir(server, root["secret"], scopes=["chat", "keys", "models"], user="ann")
    return Tenant(server, anns, "ann"), Tenant(server, bens, "ben")


@pytest.fixture
def alice(pair: Pair) -> Tenant:
    return pair[0]


@pytest.fixture
def bob(pair: Pair) -> Tenant:
    return pair[1]


Request = tuple[str, str, object]
Named = tuple[str, Callable[[Tenant, str], Request]]
NAMED: dict[str, Named] = {
    "GET /v1/turns/{turn_id}": ("turn", lambda bob, id: ("GET", f"/v1/turns/{id}", None)),
    "GET /v1/turns/{turn_id}/events": (
        "turn",
        lambda bob, id: ("GET", f"/v1/turns/{id}/events", None),
    ),
    "POST /v1/turns/{turn_id}/cancel": (
        "turn",
        lambda bob, id: ("POST", f"/v1/turns/{id}/cancel", {}),
    ),
    "GET /v1/conversations/{conversation_id}": (
        "conversation",
        lambda bob, id: ("GET", f"/v1/conversations/{id}", None),
    ),
    "a branch in one's own": (
        "branch",
        lambda bob, id: ("GET", f"/v1/conversations/{bob.conversation}?branch_id={id}", None),
    ),
    "GET /atoms/chat/sessions/{session_id}": (
        "conversation",
        lambda bob, id: ("GET", f"/atoms/chat/sessions/{id}?user_id={bob.owner}", None),
    ),
    "PATCH /atoms/chat/sessions/{session_id}": (
        "conversation",
        lambda bob, id: (
            "PATCH",
            f"/atoms/chat/sessions/{id}?user_id={bob.owner}",
            {"archived": True, "title": "Taken"},
        ),
    ),
    "a cursor": ("turn", lambda bob, id: ("GET", f"/v1/credits/history?cursor={id}", None)),
    "POST /v1/keys/{key_id}/rotate": (
        "below",
        lambda bob, id: ("POST", f"/v1/keys/{id}/rotate", {}),
    ),
    "DELETE /v1/keys/{key_id}": ("below", lambda bob, id: ("DELETE", f"/v1/keys/{id}", None)),
}
"""Every way to name something of one's own by its id: what of Alice's is put there."""


_CHANGES = ("PATCH", "DELETE", "POST /v1/keys", "POST /v1/webhooks")
"""How those begin that change something whenever they are asked for."""


def _of_webhook(method: str, path: str) -> Named:
    return "webhook", lambda bob, id: (method, path.format(webhook_id=id), None)


_ROUTES = [route for route in ROUTES if "{" in route.path and route.scope in {"chat", "keys"}]
_PLACES = {
    "conversation_id": "talk",
    "branch_id": "twig",
    "message_id": "leaf",
    "checkpoint_id": "checkpoint",
}
_BODIES: dict[str, dict[str, object]] = {
    "messages": {"content": "Hello!"},
    "stream": {"content": "Hello!"},
    "fork": {"forkPointMessageId": "{message_id}", "title": "A"},
    "branches": {"title": "A"},
    "checkpoints": {"branchId": "{branch_id}", "anchorMessageId": "{message_id}"},
    "{message_id}": {"content": "Taken"},
    "{conversation_id}": {"title": "Taken"},
    "{branch_id}": {"title": "Taken"},
}
"""What is sent to ChatRoutes' addresses, by how they end."""


def _placed(method: str, path: str, body: Mapping[str, object], place: str) -> Named:
    """A request in which an id stands in this *place*, and one's own in all others."""

    def request(bob: Tenant, id: str) -> Request:
        parts = {**bob.grown.parts, place: id}
        sent = {name: _filled(value, parts) for name, value in body.items()}
        return method, path.format(**parts), sent if method != "GET" else None

    return _PLACES[place], request


def _filled(value: object, parts: Mapping[str, str]) -> object:
    if isinstance(value, list):
        return [_filled(one, parts) for one in cast("list[object]", value)]
    return value.format(**parts) if isinstance(value, str) else value


for _route in _ROUTES:
    if _route.owner == "chatroutes":
        for _place in re.findall(r"{(\w+)}", _route.path):
            _body = _BODIES.get(_route.path.rpartition("/")[2], {})
            NAMED[f"{_route.method} {_route.path} {_place}"] = _placed(
                _route.method, _route.path, _body, _place
            )
    elif "{webhook_id}" in _route.path:
        NAMED[f"{_route.method} {_route.path}"] = _of_webhook(_route.method, _route.path)

_TALK = "/api/v1/conversations/{conversation_id}"
_BRANCH = _TALK + "/branches/{branch_id}"
_WITHIN: dict[str, tuple[str, str, dict[str, object], str]] = {
    "listed branch": ("GET", _TALK + "/messages?branchId={branch_id}", {}, "branch_id"),
    "compared branch": ("GET", _BRANCH + "/diff?against={branch_id}", {}, "branch_id"),
    "checked branch": ("GET", _TALK + "/checkpoints?branchId={branch_id}", {}, "branch_id"),
    "searched talk": (
        "GET",
        "/api/v1/conversations/search?q=one&conversationId={conversation_id}",
        {},
        "conversation_id",
    ),
    "answered branch": (
        "POST",
        _TALK + "/messages",
        {"content": "A", "branchId": "{branch_id}"},
        "branch_id",
    ),
    "answered message": (
        "POST",
        _TALK + "/messages",
        {"content": "A", "parentMessageId": "{message_id}"},
        "message_id",
    ),
    "streamed branch": (
        "POST",
        _TALK + "/messages/stream",
        {"content": "A", "branchId": "{branch_id}"},
        "branch_id",
    ),
    "streamed message": (
        "POST",
        _TALK + "/messages/stream",
        {"content": "A", "parentMessageId": "{message_id}"},
        "message_id",
    ),
    "message answered on a branch": (
        "POST",
        _BRANCH + "/messages",
        {"content": "A", "parentMessageId": "{message_id}"},
        "message_id",
    ),
    "forked message": (
        "POST",
        _TALK + "/fork",
        {"forkPointMessageId": "{message_id}", "title": "A"},
        "message_id",
    ),
    "base message": (
        "POST",
        _TALK + "/branches",
        {"baseNodeId": "{message_id}", "title": "A"},
        "message_id",
    ),
    "picked message": (
        "POST",
        _BRANCH + "/merge",
        {"strategy": "pick", "messageIds": ["{message_id}"]},
        "message_id",
    ),
    "target branch": ("POST", _BRANCH + "/merge", {"targetBranchId": "{branch_id}"}, "branch_id"),
    "anchored branch": (
        "POST",
        _TALK + "/checkpoints",
        {"branchId": "{branch_id}", "anchorMessageId": "{message_id}"},
        "branch_id",
    ),
    "read talk": ("GET", "/api/chat?conversationId={conversation_id}", {}, "conversation_id"),
    **{
        f"{name} of {path.rpartition('/')[2]}": (
            "POST",
            path,
            {"message": "A", "model": "loom/echo", name: "{conversation_id}"},
            "conversation_id",
        )
        for path in ("/api/chat", "/api/chat/stream")
        for name in ("conversationId", "sessionId")
    },
    "anchor": (
        "POST",
        _TALK + "/checkpoints",
        {"branchId": "{branch_id}", "anchorMessageId": "{message_id}"},
        "message_id",
    ),
}
"""Places for ids in bodies and queries."""
NAMED.update({name: _placed(*place) for name, place in _WITHIN.items()})
NAMED["DELETE an API key"] = (
    "below",
    lambda bob, id: ("DELETE", f"/api/api-keys?id={id}", None),
)
NAMED["DELETE a webhook"] = _of_webhook("DELETE", "/api/webhooks?id={webhook_id}")


def test_every_address_with_an_id_is_tried() -> None:
    named: set[str] = set()
    for route in _ROUTES:
        places = [f" {one}" for one in re.findall(r"{(\w+)}", route.path)]
        own = places if route.owner == "chatroutes" else [""]
        named |= {f"{route.method} {route.path}{place}" for place in own}
    assert named == {name for name in NAMED if "/" in name}


@pytest.mark.parametrize("place", NAMED)
def test_anothers_ids_are_as_if_they_were_not_there(
    server: Live, alice: Tenant, bob: Tenant, place: str
) -> None:
    what, request = NAMED[place]
    theirs = getattr(alice, what)
    before = server.dump()

    def ask(who: Tenant, id: str) -> Answer:
        method, path, body = request(who, id)
        return server.call(method, path, body, key=who.key)

    nobodys = new_id()
    foreign, absent = ask(bob, theirs), ask(bob, nobodys)
    assert foreign.status == (400 if place in {"a cursor", "picked message"} else 404)
    assert foreign.body == absent.body.replace(nobodys.encode(), theirs.encode())
    assert server.dump() == before
    if not place.startswith(_CHANGES):
        grown_as_it_was = place not in {"target branch", "a cursor"}
        assert ask(alice, theirs).status in ({200, 201} if grown_as_it_was else {200, 409})


@pytest.mark.parametrize("prefix", ["chatcmpl-", "msg_"])
def test_a_turns_other_names_are_nobody_elses_either(
    alice: Tenant, bob: Tenant, prefix: str
) -> None:
    id = prefix + alice.turn.replace("-", "")
    assert alice.get(f"/v1/turns/{id}").status == 200
    assert bob.get(f"/v1/turns/{id}").status == bob.get(f"/v1/turns/{id}/events").status == 404


PLACES: dict[str, Callable[[Tenant, Tenant], dict[str, object]]] = {
    "session": lambda alice, bob: {"session_id": alice.conversation},
    "conversation": lambda alice, bob: {"conversation_id": alice.conversation},
    "message": lambda alice, bob: {"parent_message_id": alice.message},
    "message in one's own": lambda alice, bob: {
        "conversation_id": bob.conversation,
        "parent_message_id": alice.message,
    },
    "branch in one's own": lambda alice, bob: {
        "conversation_id": bob.conversation,
        "branch_id": alice.branch,
    },
    "one's own branch there": lambda alice, bob: {
        "conversation_id": alice.conversation,
        "branch_id": bob.branch,
    },
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("history", [False, True], ids=["new", "history"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_anothers_ids_are_no_place_to_go_on_from(
    alice: Tenant,
    bob: Tenant,
    place: Callable[[Tenant, Tenant], dict[str, object]],
    history: bool,
    path: str,
) -> None:
    before = bob.server.counts()
    told = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": alice.text},
    ]
    question = [{"role": "user", "content": "And then?"}]
    body = completion([*(told if history else ()), *question], max_tokens=9)
    answer = bob.server.call("POST", path, body | {"metadata": place(alice, bob)}, key=bob.key)
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert bob.server.counts() == before


def test_the_same_talk_of_two_is_two_conversations(alice: Tenant, bob: Tenant) -> None:
    assert alice.text == bob.text
    talk = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": alice.text},
        {"role": "user", "content": "Once more?"},
    ]
    answer = bob.complete(talk, {"user_id": bob.owner})
    assert answer.json["system_fingerprint"] == bob.conversation
    assert alice.get(f"/v1/conversations/{alice.conversation}").json["message_count"] == 2


def test_nobody_stops_anothers_running_turn(server: Live, alice: Tenant, bob: Tenant) -> None:
    with server.stream("Hello!", key=alice.key, model="loom/scribe?stall=3") as response:
        turn = str(response.getheader("x-chatloom-turn"))
        theirs = f"/v1/turns/{turn}"
        assert server.call("POST", f"{theirs}/cancel", {}, key=bob.key).status == 404
        assert bob.get(f"{theirs}/events").status == bob.get(theirs).status == 404
        assert server.rows("SELECT outcome FROM turn WHERE id = ?", turn) == [(None,)]
        stopped = server.call("POST", f"{theirs}/cancel", {}, key=alice.key)
        assert stopped.json["outcome"] == "cancelled"


def test_nobody_repeats_anothers_request(alice: Tenant, bob: Tenant) -> None:
    headers = {"Idempotency-Key": new_id()}
    first = alice.complete("Mine!", {}, headers=headers)
    again = alice.complete("Mine!", {}, headers=headers)
    assert again.headers["x-chatloom-turn"] == first.headers["x-chatloom-turn"]
    resumed = bob.complete("Mine!", {}, headers={**headers, "Last-Event-ID": "1"}, stream=True)
    assert resumed.status in {400, 422}
    answer = bob.complete("Mine!", {}, headers=headers)
    assert answer.headers.get("x-chatloom-turn") != first.headers["x-chatloom-turn"]
    assert "idempotent-replayed" not in answer.headers
    assert answer.status == 200, "a name that another has taken is free for him"


def test_anothers_message_is_told_apart_from_none_by_nothing(alice: Tenant, bob: Tenant) -> None:
    foreign = bob.complete("Hello!", {"parent_message_id": alice.message})
    absent = bob.complete("Hello!", {"parent_message_id": new_id()})
    assert (foreign.status, foreign.json) == (absent.status, absent.json)


def test_a_list_of_sessions_holds_ones_own(alice: Tenant, bob: Tenant) -> None:
    listed = bob.get(f"/atoms/chat/sessions?user_id={bob.owner}&page_size=100").json["sessions"]
    ids = {one["id"] for one in listed}
    assert bob.conversation in ids
    assert alice.conversation not in ids


def test_lists_and_searches_of_chatroutes_hold_ones_own(
    server: Live, alice: Tenant, bob: Tenant
) -> None:
    member = Member(server, bob.key)
    listed = member.get("/conversations?limit=100")
    ids = {one["id"] for one in listed["conversations"]}
    assert bob.talk in ids
    assert not {alice.talk, alice.conversation} & ids
    assert listed["total"] == len(ids)
    hits = member.get("/conversations/search?q=aside&limit=100")["hits"]
    assert {hit["conversationId"] for hit in hits} == {bob.talk}


def test_nobody_is_given_what_another_made_with_the_same_key(
    server: Live, alice: Tenant, bob: Tenant
) -> None:
    headers = {"Idempotency-Key": new_id()}
    made: list[str] = []
    for who in (alice, bob, alice, bob):
        answer = Member(server, who.key).call("POST", "/conversations", {"title": "Mine"}, headers)
        made.append(answer.json["data"]["conversation"]["id"])
    assert made[0] == made[2] != made[1] == made[3]


def test_nobody_sees_or_forgets_what_is_remembered_of_another(
    server: Live, alice: Tenant, bob: Tenant
) -> None:
    hers, his = Assistant(server, alice.key), Assistant(server, bob.key)
    hers.remember("colour", "blue")
    assert his.told("GET", "/api/memory/retrieve?key=colour")["found"] is False
    assert his.told("GET", "/api/memory/list")["memories"] == []
    assert his.told("DELETE", "/api/memory?key=colour")["deleted"] is False
    his.remember("colour", "red")
    assert hers.told("GET", "/api/memory/retrieve?key=colour")["value"] == "blue"
    used = his.chat("Which colour do I like?", mode="search")["metadata"]["memoriesUsed"]
    assert used == ["colour"]
    his.told("DELETE", "/api/memory?key=colour")
    assert hers.told("GET", "/api/memory/list")["memories"][0]["value"] == "blue"


_ENTRY: list[tuple[str, object]] = [("GET", None), ("PATCH", {"title": "Taken"}), ("DELETE", None)]


def test_what_another_account_knows_is_as_if_it_were_not_there(server: Live) -> None:
    hers, his = (Assistant(server, secret(server)) for _ in range(2))
    id = hers.know("Lapis lazuli", "Ultramarine was made of it.")
    his.chat("Hello!")
    before = server.dump()
    for method, body in _ENTRY:
        foreign, absent = (
            his.call(method, f"/api/knowledge?id={one}", body) for one in (id, new_id())
        )
        assert (foreign.status, foreign.body) == (404, absent.body)
    assert his.told("GET", "/api/knowledge")["entries"] == []
    query = {"query": "ultramarine lapis lazuli"}
    assert his.told("POST", "/api/knowledge/search", query)["results"] == []
    assert his.told("POST", "/api/search", query)["counts"]["total"] == 0
    study = {**query, "depth": "shallow", "model": "loom/scribe"}
    assert his.told("POST", "/api/research", study)["results"] == []
    assert server.dump() == before
    assert his.chat("ultramarine?", mode="search")["metadata"]["knowledgeUsed"] == []
    assert hers.told("GET", f"/api/knowledge?id={id}")["entries"][0]["title"] == "Lapis lazuli"


def test_an_end_users_key_reads_what_the_account_knows_and_changes_nothing(server: Live) -> None:
    root = new_key(server)
    whole = Assistant(server, root["secret"])
    bens = Assistant(server, heir(server, root["secret"], scopes=["chat"], user="ben")["secret"])
    id = whole.know("Lapis lazuli", "Ultramarine was made of it.")
    assert bens.told("GET", f"/api/knowledge?id={id}")["entries"][0]["id"] == id
    before = server.rows("SELECT * FROM entry")
    for method, body in _ENTRY[1:]:
        assert bens.refused(method, f"/api/knowledge?id={id}", body) == (403, "FORBIDDEN")
    new = {"type": "wisdom", "title": "A", "content": "B"}
    assert bens.refused("POST", "/api/knowledge", new) == (403, "FORBIDDEN")
    assert server.rows("SELECT * FROM entry") == before


def test_what_another_was_charged_is_not_told(alice: Tenant, bob: Tenant) -> None:
    mine = bob.get("/v1/credits/history?limit=200").json
    ids = {one["id"] for one in mine["entries"]}
    assert bob.turn in ids
    assert alice.turn not in ids
    assert mine["total"] == len(ids)
    stats = bob.get("/v1/credits/stats?period=all_time").json
    assert stats["total_requests"] == len(ids)


def test_keys_are_listed_to_those_they_descend_from(alice: Tenant, bob: Tenant) -> None:
    ids = {one["id"] for one in bob.get("/v1/keys").json["keys"]}
    assert bob.below in ids
    assert not {alice.id, alice.below, bob.id} & ids


@pytest.fixture(scope="module")
def bens(server: Live) -> str:
    return secret(server, user="ben", organization="acme")


MESSAGE = {"model": "loom/echo", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
ASKED = {"message": "Hello!", "model": "loom/echo"}
NAMING: dict[str, Request] = {
    "user": ("POST", "/v1/chat/completions", {**MESSAGE, "user": "ann"}),
    "metadata": ("POST", "/v1/chat/completions", {**MESSAGE, "metadata": {"user_id": "ann"}}),
    "metadata over user": (
        "POST",
        "/v1/chat/completions",
        {**MESSAGE, "user": "ben", "metadata": {"user_id": "ann"}},
    ),
    "letters": ("POST", "/v1/chat/completions", {**MESSAGE, "user": "Ben"}),
    "blank": ("POST", "/v1/chat/completions", {**MESSAGE, "user": "ben "}),
    "messages": ("POST", "/v1/messages", {**MESSAGE, "metadata": {"user_id": "ann"}}),
    "embeddings": ("POST", "/v1/embeddings", {"model": "loom/embed", "input": "a", "user": "ann"}),
    "sessions": ("GET", "/atoms/chat/sessions?user_id=ann", None),
    "session": ("GET", f"/atoms/chat/sessions/{new_id()}?user_id=ann", None),
    "change": ("PATCH", f"/atoms/chat/sessions/{new_id()}?user_id=ann", {}),
    "organization": (
        "POST",
        "/v1/chat/completions",
        {**MESSAGE, "metadata": {"organization_id": "other"}},
    ),
    "assistant": ("POST", "/api/chat", {**ASKED, "userId": "ann"}),
    "assistant's stream": ("POST", "/api/chat/stream", {**ASKED, "userId": "ann"}),
    "assistant's history": ("GET", f"/api/chat?conversationId={new_id()}&userId=ann", None),
    "remembering": ("POST", "/api/memory/store", {"key": "a", "value": 1, "userId": "ann"}),
    "recalling": ("GET", "/api/memory/retrieve?key=a&userId=ann", None),
    "listing memories": ("GET", "/api/memory/list?userId=ann", None),
    "forgetting": ("DELETE", "/api/memory?key=a&userId=ann", None),
    "driver": (
        "POST",
        "/drivers/call",
        {
            "interface": "puter-chat-completion",
            "method": "complete",
            "args": {**MESSAGE, "metadata": {"user_id": "ann"}},
        },
    ),
}


@pytest.mark.parametrize("request_", NAMING.values(), ids=NAMING)
def test_a_key_of_somebody_acts_for_nobody_else(server: Live, bens: str, request_: Request) -> None:
    before = server.counts()
    method, path, body = request_
    answer = server.call(method, path, body, key=bens)
    assert (answer.status, answer.error["code"][:6]) == (403, "other_")
    assert server.counts() == before


def test_a_key_of_somebody_acts_for_him(server: Live, bens: str) -> None:
    ways: list[dict[str, Any]] = [{}, {"user": "ben"}, {"metadata": {"user_id": "ben"}}]
    for named in ways:
        answer = server.complete("Hello!", key=bens, **named)
        turn = answer.headers["x-chatloom-turn"]
        assert server.rows("SELECT end_user, organization FROM turn WHERE id = ?", turn) == [
            ("ben", "acme")
        ]


@pytest.mark.parametrize("query", ["", "?user_id=", "?page=1"])
def test_whose_sessions_are_meant_must_be_said(server: Live, bens: str, query: str) -> None:
    for key in (bens, secret(server)):
        assert server.call("GET", f"/atoms/chat/sessions{query}", key=key).status == 400


def test_two_keys_of_an_account_see_the_same(server: Live) -> None:
    first = new_key(server)
    second = secret(server, account_id=first["account_id"])
    tenant = Tenant(server, first, "customer")
    assert server.call("GET", f"/v1/turns/{tenant.turn}", key=second).status == 200


def test_another_end_users_session_is_not_found(server: Live) -> None:
    alice = Tenant(server, new_key(server), "customer")
    other = {"session_id": alice.conversation, "user_id": "somebody else"}
    assert alice.complete("Hello!", other).status == 404
    same = {"session_id": alice.conversation, "user_id": "customer"}
    assert alice.complete("Hello!", same).json["system_fingerprint"] == alice.conversation
