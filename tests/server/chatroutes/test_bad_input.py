"""What cannot be done is refused in ChatRoutes' words, and leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chatloom.server.protocols.chatroutes.cursors import BehindHit, InTree
from chatloom.server.protocols.cursors import cursor_of
from support.chatroutes import BASE, CONVERSATIONS, Member, Talk, refusal
from support.live import Live

LIMIT = 200_000
NOBODYS = "01999999-9999-7999-8999-999999999999"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(config=f"max_body_bytes = {LIMIT}")


class World:
    """A talk of one's own with a branch, another one, and somebody else's."""

    def __init__(self, server: Live) -> None:
        self.server = server
        self.member = Member(server, "bad-input")
        self.talk = self.member.begin()
        self.ids = self.talk.say("One", "Two", "Three")
        self.branch = self.talk.fork(self.ids[1], "Aside")
        self.own = self.talk.say("Aside", branch=self.branch)
        self.other = self.member.begin("Another")
        self.elsewhere = self.other.say("Elsewhere")
        self.foreign = Member(server, "somebody-else").begin("Not yours")
        self.theirs = self.foreign.say("Theirs")
        self.deleted = self.talk.say("Deleted", branch=self.branch)[1]
        self.member.data("DELETE", f"/messages/{self.deleted}")
        self.gone = self.talk.fork(self.ids[3], "Gone")
        self.hidden = self.talk.say("Hidden", branch=self.gone)[1]
        self.talk.delete(self.gone)
        body = {"branchId": self.branch["id"], "anchorMessageId": self.ids[1]}
        made = self.member.data("POST", f"{self.talk.path}/checkpoints", body)
        self.checkpoint = made["checkpoint"]
        # What the server makes by itself as it goes: search's index, the key's own row.
        self.member.get(f"{CONVERSATIONS}/search?q=one")

    @property
    def messages(self) -> dict[str, str]:
        """Every way to name a message that is none of this talk."""
        return {
            "of another talk": self.elsewhere[1],
            "deleted": self.deleted,
            "on a deleted branch": self.hidden,
            "somebody else's": self.theirs[1],
            "nobody's": NOBODYS,
            "a conversation's": self.talk.id,
            **MALFORMED,
        }

    @property
    def branches(self) -> dict[str, str]:
        """Every way to name a branch that is none of this talk."""
        return {
            "of another talk": self.other.main["id"],
            "deleted": self.gone["id"],
            "somebody else's": self.foreign.main["id"],
            "nobody's": NOBODYS,
            "a message's": self.ids[0],
            **MALFORMED,
        }

    @property
    def conversations(self) -> dict[str, str]:
        """Every way to name a conversation that is none of one's own."""
        return {"somebody else's": self.foreign.id, "nobody's": NOBODYS, **MALFORMED}


MALFORMED = {
    "no id": "x",
    "dots": "../../etc/passwd",
    "SQL": "' OR 1=1 --",
    "a wildcard": "%",
    "NUL": "a\0b",
    "not ASCII": "ä",
    "full width": "\uff10" * 36,
    "braces": "{conversation_id}",
    "dashes": "-" * 36,
}


@pytest.fixture(scope="module")
def world(server: Live) -> World:
    return World(server)


def assert_untouched(
    world: World, method: str, path: str, body: object, *expected: tuple[int, str]
) -> None:
    """A request must be refused in one of these ways, and leave every table as it was."""
    before = world.server.dump()
    answer = world.member.call(method, path, body)
    assert refusal(answer) in expected, answer.body
    assert world.server.dump() == before


def escaped(id: str) -> str:
    """An id as a part of an address."""
    return "".join(f"%{byte:02X}" for byte in id.encode())


Place = tuple[str, str, Mapping[str, object] | None]

MESSAGES: dict[str, Callable[[Talk, Any, str], Place]] = {
    "fork": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/fork",
        {"forkPointMessageId": id, "title": "A"},
    ),
    "create": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/branches",
        {"baseNodeId": id, "title": "A"},
    ),
    "send": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/messages",
        {"content": "A", "parentMessageId": id},
    ),
    "send on a branch": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/branches/{branch['id']}/messages",
        {"content": "A", "parentMessageId": id},
    ),
    "stream": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/messages/stream",
        {"content": "A", "parentMessageId": id},
    ),
    "checkpoint": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/checkpoints",
        {"branchId": branch["id"], "anchorMessageId": id},
    ),
    "pick": lambda talk, branch, id: (
        "POST",
        talk.merging(branch),
        {"strategy": "pick", "messageIds": [id]},
    ),
}


@pytest.mark.parametrize("place", MESSAGES)
def test_a_message_that_is_not_there(world: World, place: str) -> None:
    for id in world.messages.values():
        method, path, body = MESSAGES[place](world.talk, world.branch, id)
        codes = {(404, "not_found")}
        if place == "pick" or len(id) > 64:
            codes = {(400, "invalid_request")}
        assert_untouched(world, method, path, body, *codes)


@pytest.mark.parametrize("path", ["messages", "messages/stream", "branches/{}/messages"])
def test_a_message_that_is_not_on_the_branch_named_with_it(world: World, path: str) -> None:
    where = f"{world.talk.path}/{path.format(world.branch['id'])}"
    body = {"content": "A", "branchId": world.branch["id"], "parentMessageId": world.ids[2]}
    assert_untouched(world, "POST", where, body, (400, "invalid_request"))


BRANCHES: dict[str, Callable[[Talk, Any, str], Place]] = {
    "send": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/messages",
        {"content": "A", "branchId": id},
    ),
    "stream": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/messages/stream",
        {"content": "A", "branchId": id},
    ),
    "list": lambda talk, branch, id: ("GET", f"{talk.path}/messages?branchId={escaped(id)}", None),
    "checkpoint": lambda talk, branch, id: (
        "POST",
        f"{talk.path}/checkpoints",
        {"branchId": id, "anchorMessageId": branch["forkPointMessageId"]},
    ),
    "checkpoints": lambda talk, branch, id: (
        "GET",
        f"{talk.path}/checkpoints?branchId={escaped(id)}",
        None,
    ),
    "target": lambda talk, branch, id: ("POST", talk.merging(branch), {"targetBranchId": id}),
    "against": lambda talk, branch, id: (
        "GET",
        f"{talk.path}/branches/{branch['id']}/diff?against={escaped(id)}",
        None,
    ),
}


@pytest.mark.parametrize("place", BRANCHES)
def test_a_branch_that_is_not_there(world: World, place: str) -> None:
    for name, id in world.branches.items():
        method, path, body = BRANCHES[place](world.talk, world.branch, id)
        code = (404, "not_found")
        if place == "target" and name == "deleted":
            code = (409, "branch_deleted")
        elif len(id) > 64:
            code = (400, "invalid_request")
        assert_untouched(world, method, path, body, code)


ADDRESSES: list[tuple[str, str, dict[str, str] | None]] = [
    ("GET", "/conversations/{conversation}", None),
    ("PATCH", "/conversations/{conversation}", {"title": "Taken"}),
    ("DELETE", "/conversations/{conversation}", None),
    ("GET", "/conversations/{conversation}/tree", None),
    ("POST", "/conversations/{conversation}/messages", {"content": "A"}),
    ("POST", "/conversations/{conversation}/messages/stream", {"content": "A"}),
    ("GET", "/conversations/{conversation}/messages", None),
    ("GET", "/conversations/{conversation}/branches", None),
    ("POST", "/conversations/{conversation}/branches", {"title": "A"}),
    (
        "POST",
        "/conversations/{conversation}/fork",
        {"title": "A", "forkPointMessageId": "{message}"},
    ),
    ("PATCH", "/conversations/{conversation}/branches/{branch}", {"title": "Taken"}),
    ("DELETE", "/conversations/{conversation}/branches/{branch}", None),
    ("GET", "/conversations/{conversation}/branches/{branch}/messages", None),
    ("POST", "/conversations/{conversation}/branches/{branch}/messages", {"content": "A"}),
    ("POST", "/conversations/{conversation}/branches/{branch}/merge", None),
    ("GET", "/conversations/{conversation}/branches/{branch}/diff", None),
    ("GET", "/conversations/{conversation}/checkpoints", None),
    (
        "POST",
        "/conversations/{conversation}/checkpoints",
        {"branchId": "{branch}", "anchorMessageId": "{message}"},
    ),
    ("GET", "/conversations/search?q=one&conversationId={conversation}", None),
    ("PATCH", "/messages/{message}", {"content": "Taken"}),
    ("DELETE", "/messages/{message}", None),
    ("DELETE", "/checkpoints/{checkpoint}", None),
    ("POST", "/checkpoints/{checkpoint}/recreate", None),
]
"""Every address with an id in it, with a body that is fine."""


@pytest.mark.parametrize(("method", "path", "body"), ADDRESSES, ids=str)
def test_an_address_of_nothing_that_is_ones_own(
    world: World, method: str, path: str, body: dict[str, str] | None
) -> None:
    own = {
        "conversation": world.talk.id,
        "branch": world.branch["id"],
        "message": world.ids[0],
        "checkpoint": world.checkpoint["id"],
    }
    wrong = {
        "conversation": world.conversations,
        "branch": world.branches,
        "message": world.messages,
        "checkpoint": {"nobody's": NOBODYS, "a message's": world.ids[0], **MALFORMED},
    }
    filled = body and {name: text.format(**own) for name, text in body.items()}
    for name in [one for one in own if f"{{{one}}}" in path]:
        for why, id in wrong[name].items():
            if path.startswith("/messages/") and why == "of another talk":
                continue  # where no talk is named, it is one's own
            where = path.format(**{**own, name: escaped(id)})
            codes = {(404, "not_found")}
            if "/" in id:
                codes.add((404, "unknown_route"))
            if len(id) > 64:
                codes.add((400, "invalid_request"))
            if "merge" in path and why == "deleted":
                codes = {(409, "branch_deleted")}
            assert_untouched(world, method, where, filled, *codes)


TITLES: dict[str, object] = {
    "missing": ...,
    "empty": "",
    "of megabytes": "x" * (LIMIT // 2),
    "just too long": "x" * 501,
    "null": None,
    "a number": 7,
    "a list": ["A"],
    "NUL": "A\0B",
    "a line end": "A\n",
    "two lines": "A\nB",
    "an escape": "\x1b[31mred",
    "DEL": "\x7f",
}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_a_title_that_is_none(world: World, title: object) -> None:
    talk, member = world.talk, world.member
    named: dict[str, object] = {} if title is ... else {"title": title}
    deeds: list[tuple[str, str, dict[str, object]]] = [
        ("POST", CONVERSATIONS, named),
        ("POST", f"{talk.path}/branches", named),
        ("POST", f"{talk.path}/fork", {**named, "forkPointMessageId": world.ids[0]}),
    ]
    if named and title is not None:
        deeds.append(("PATCH", talk.path, named))
        deeds.append(("PATCH", f"{talk.path}/branches/{world.branch['id']}", named))
    before = world.server.dump()
    for deed in deeds:
        answer = member.call(*deed)
        assert refusal(answer) == (400, "invalid_request")
        assert answer.json["details"]["param"] == "title"
    assert world.server.dump() == before


CONTENTS: dict[str, bytes] = {
    "missing": b"{}",
    "empty": b'{"content": ""}',
    "null": b'{"content": null}',
    "a number": b'{"content": 5}',
    "parts": b'{"content": [{"type": "text", "text": "A"}]}',
    "a lone surrogate": b'{"content": "\\ud800"}',
    "not UTF-8": b'{"content": "\xff"}',
    "a surrogate in UTF-8": b'{"content": "\xed\xa0\x80"}',
    "a raw NUL": b'{"content": "a\0b"}',
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "null alone": b"null",
    "deep": b'{"content": "A", "x": ' + b"[" * 100 + b"]" * 100 + b"}",
    "NaN": b'{"content": "A", "temperature": NaN}',
}


@pytest.mark.parametrize("body", CONTENTS.values(), ids=CONTENTS)
def test_a_content_that_is_none(world: World, body: bytes) -> None:
    branch = f"branches/{world.branch['id']}"
    where = [f"{world.talk.path}/{one}" for one in ("messages", "messages/stream")]
    deeds = [("POST", path) for path in (*where, f"{world.talk.path}/{branch}/messages")]
    deeds.append(("PATCH", f"/messages/{world.ids[0]}"))
    before = world.server.dump()
    for method, path in deeds:
        status, code = refusal(world.member.call(method, path, body))
        assert (status, code) in {
            (400, "invalid_request"),
            (400, "invalid_json"),
            (400, "too_deep"),
        }, path
    assert world.server.dump() == before


FIELDS: list[tuple[str, str, dict[str, object], str]] = [
    ("POST", "/conversations", {"title": "A", "model": ""}, "model"),
    ("POST", "/conversations", {"title": "A", "model": "x" * 257}, "model"),
    ("POST", "/conversations", {"title": "A", "temperature": 2.1}, "temperature"),
    ("POST", "/conversations", {"title": "A", "temperature": "hot"}, "temperature"),
    ("POST", "/conversations", {"title": "A", "maxTokens": 0}, "maxTokens"),
    ("POST", "/conversations", {"title": "A", "maxTokens": True}, "maxTokens"),
    ("POST", "/conversations", {"title": "A", "systemPrompt": ["A"]}, "systemPrompt"),
    ("POST", "/conversations", {"title": "A", "metadata": "A"}, "metadata"),
    ("PATCH", "{talk}", {"model": 5}, "model"),
    ("PATCH", "{talk}", {"title": "Fine", "maxTokens": -1}, "maxTokens"),
    ("POST", "{talk}/messages", {"content": "A", "temperature": -1}, "temperature"),
    ("POST", "{talk}/messages", {"content": "A", "maxTokens": 1.5}, "maxTokens"),
    ("POST", "{talk}/messages", {"content": "A", "model": ""}, "model"),
    ("POST", "{talk}/messages", {"content": "A", "branchId": 5}, "branchId"),
    ("POST", "{talk}/messages", {"content": "A", "branchId": ""}, "branchId"),
    ("POST", "{talk}/messages", {"content": "A", "parentMessageId": "x" * 65}, "parentMessageId"),
    (
        "POST",
        "{talk}/branches/{branch}/messages",
        {"content": "A", "branchId": NOBODYS},
        "branchId",
    ),
    ("POST", "{talk}/branches", {"title": "A", "contextMode": "full"}, "contextMode"),
    ("POST", "{talk}/branches", {"title": "A", "contextMode": None}, "contextMode"),
    ("POST", "{talk}/branches", {"title": "A", "description": "x" * 10_001}, "description"),
    ("POST", "{talk}/branches", {"title": "A", "description": "\0"}, "description"),
    ("POST", "{talk}/branches", {"title": "A", "baseNodeId": []}, "baseNodeId"),
    ("POST", "{talk}/fork", {"title": "A"}, "forkPointMessageId"),
    ("POST", "{talk}/fork", {"title": "A", "forkPointMessageId": None}, "forkPointMessageId"),
    ("PATCH", "{talk}/branches/{branch}", {"contextMode": "SOME"}, "contextMode"),
    ("PATCH", "{talk}/branches/{branch}", {"title": "A", "isActive": "no"}, "isActive"),
    ("POST", "{talk}/branches/{branch}/merge", {"strategy": "rebase"}, "strategy"),
    ("POST", "{talk}/branches/{branch}/merge", {"strategy": None}, "strategy"),
    ("POST", "{talk}/branches/{branch}/merge", {"strategy": "pick"}, "messageIds"),
    (
        "POST",
        "{talk}/branches/{branch}/merge",
        {"strategy": "pick", "messageIds": []},
        "messageIds",
    ),
    ("POST", "{talk}/branches/{branch}/merge", {"messageIds": [NOBODYS]}, "messageIds"),
    (
        "POST",
        "{talk}/branches/{branch}/merge",
        {"strategy": "pick", "messageIds": ["{main}"]},
        "messageIds",
    ),
    ("POST", "{talk}/branches/{branch}/merge", {"targetBranchId": 5}, "targetBranchId"),
    ("POST", "{talk}/checkpoints", {"anchorMessageId": NOBODYS}, "branchId"),
    ("POST", "{talk}/checkpoints", {"branchId": NOBODYS}, "anchorMessageId"),
    ("POST", "/checkpoints/{checkpoint}/recreate", {"model": ""}, "model"),
]


@pytest.mark.parametrize(("method", "path", "body", "param"), FIELDS, ids=str)
def test_a_field_that_makes_no_sense_is_named(
    world: World, method: str, path: str, body: dict[str, object], param: str
) -> None:
    named = {
        "talk": world.talk.path,
        "branch": world.branch["id"],
        "checkpoint": world.checkpoint["id"],
    }
    if body.get("messageIds") == ["{main}"]:
        body = {**body, "messageIds": [world.ids[0]]}
    before = world.server.dump()
    answer = world.member.call(method, path.format(**named), body)
    assert refusal(answer) == (400, "invalid_request")
    assert answer.json["details"]["param"] == param
    assert world.server.dump() == before


@pytest.mark.parametrize("path", ["messages", "messages/stream"])
@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("nobody/none", 404, "model_not_found"), ("loom/embed", 400, "provider_rejected")],
)
def test_a_model_that_cannot_answer(
    world: World, path: str, model: str, status: int, code: str
) -> None:
    where, body = f"{world.talk.path}/{path}", {"content": "A", "model": model}
    assert_untouched(world, "POST", where, body, (status, code))
    if status == 404:
        named = {"title": "A", "model": model}
        for method, at in (("POST", CONVERSATIONS), ("PATCH", world.talk.path)):
            assert_untouched(world, method, at, named, (404, code))


LISTS = {
    "conversations": "/conversations",
    "messages": "{talk}/messages",
    "branch messages": "{talk}/branches/{branch}/messages",
    "branches": "{talk}/branches",
    "tree": "{talk}/tree",
    "search": "/conversations/search",
    "diff": "{talk}/branches/{branch}/diff",
}
QUERIES: list[tuple[str, str, str]] = [
    *((name, f"limit={limit}", "limit") for name in LISTS for limit in ("0", "1001", "abc", "-1")),
    *((name, "limit=1.5", "limit") for name in LISTS),
    *((name, "limit=", "limit") for name in LISTS),
    *(("conversations", f"page={page}", "page") for page in ("0", "-1", "x", "1000001")),
    ("conversations", "filter=theirs", "filter"),
    ("messages", "order=random", "order"),
    ("messages", "order=", "order"),
    ("search", "conversationId=", "conversationId"),
]


@pytest.mark.parametrize(("name", "query", "param"), QUERIES)
def test_a_query_that_makes_no_sense_is_named(
    world: World, name: str, query: str, param: str
) -> None:
    path = LISTS[name].format(talk=world.talk.path, branch=world.branch["id"])
    answer = world.member.call("GET", f"{path}?q=one&{query}")
    assert refusal(answer) == (400, "invalid_request")
    assert answer.json["details"]["param"] == param


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=***", "q=%22%22", "q=" + "a" * 1001])
def test_nothing_can_be_looked_for_without_a_word(world: World, query: str) -> None:
    refused = world.member.refused("GET", f"{CONVERSATIONS}/search?{query}")
    assert refused == (400, "invalid_request")


def cursors(world: World) -> dict[str, tuple[str, str]]:
    """Cursors of every list, and of which one each is."""
    talk, other = world.talk, world.other
    other.fork(world.elsewhere[0])
    lists = {
        "messages": f"{talk.path}/messages",
        "branch": f"{talk.path}/branches/{world.branch['id']}/messages?order=desc",
        "others messages": f"{other.path}/messages",
        "branches": f"{talk.path}/branches",
        "others branches": f"{other.path}/branches",
        "tree": f"{talk.path}/tree",
        "others tree": f"{other.path}/tree",
        "search": f"{CONVERSATIONS}/search?q=one",
    }
    found: dict[str, tuple[str, str]] = {}
    for name, path in lists.items():
        more = "&" if "?" in path else "?"
        told = world.member.get(f"{path}{more}limit=1")["nextCursor"]
        assert told is not None, name
        found[name] = (path + more, told)
    return found


def test_a_cursor_goes_on_with_its_own_list_alone(world: World) -> None:
    known = cursors(world)
    before = world.server.dump()
    for name, (path, own) in known.items():
        assert world.member.call("GET", f"{path}cursor={own}").status == 200
        strange = [cursor for other, (_, cursor) in known.items() if other != name]
        if name == "branch":  # whose path begins with the same message
            strange.remove(known["messages"][1])
        strange += [own[:-1], own[:-5], own[1:], own + "A", own + "=", own + "!", own.lower()]
        strange += ["x", "%00", "%C3%A4", "null_", "W10", "e30", "MQ", "a" * 200]
        strange += [world.ids[0], "WyJoIiwtMV0", "WyJoIiwxZTk5XQ", "WyJtIiwiIl0"]
        for cursor in strange:
            answer = world.member.call("GET", f"{path}cursor={cursor}")
            assert refusal(answer) == (400, "unknown_cursor"), (name, cursor)
            assert answer.json["details"]["param"] == "cursor"
    for path, _ in known.values():
        for cursor in ("", "a" * 201):
            answer = world.member.call("GET", f"{path}cursor={cursor}")
            assert refusal(answer) == (400, "invalid_request")
    assert world.server.dump() == before


def test_numbers_beyond_what_the_store_counts_are_no_cursor(world: World) -> None:
    for number in (-1, 2**63, 10**30):
        tree = cursor_of(InTree(world.talk.id, number, None))
        hit = cursor_of(BehindHit(number))
        for path in (
            f"{world.talk.path}/tree?cursor={tree}",
            f"{CONVERSATIONS}/search?q=one&cursor={hit}",
        ):
            assert world.member.refused("GET", path) == (400, "unknown_cursor")


def test_a_body_past_the_limit(world: World) -> None:
    for method, path, body in ADDRESSES:
        if body is not None:
            where = path.format(
                conversation=world.talk.id,
                branch=world.branch["id"],
                message=world.ids[0],
                checkpoint=world.checkpoint["id"],
            )
            large = {**body, "more": "x" * LIMIT}
            assert_untouched(world, method, where, large, (413, "request_too_large"))


def test_deleting_twice(world: World) -> None:
    talk = world.member.begin("Short")
    _, answer = talk.say("One")
    branch = talk.fork(answer)
    for path in (f"/messages/{answer}", f"{talk.path}/branches/{branch['id']}", talk.path):
        assert world.member.call("DELETE", path).json == {"success": True}
        assert_untouched(world, "DELETE", path, None, (404, "not_found"))


NOWHERE = [
    ("GET", "", 404),
    ("GET", "/", 404),
    ("GET", "/nothing", 404),
    ("GET", "/conversations/", 404),
    ("GET", "/conversations/a/b", 404),
    ("GET", "/messages", 404),
    ("POST", "/conversations//messages", 404),
    ("PUT", "/conversations", 405),
    ("DELETE", "/conversations", 405),
    ("PATCH", "/conversations/search", 405),
    ("GET", "/messages/a", 405),
    ("GET", "/conversations/a/fork", 405),
    ("GET", "/checkpoints/a", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), NOWHERE)
def test_an_address_that_is_not_there(world: World, method: str, path: str, status: int) -> None:
    code = "unknown_route" if status == 404 else "method_not_allowed"
    answer = world.server.call(method, BASE + path, key="bad-input")
    assert refusal(answer) == (status, code)
    assert ("allow" in answer.headers) == (status == 405)


SHOWN = [
    {"Authorization": "ApiKey bad-input"},
    {"Authorization": "Bearer bad-input"},
    {"X-API-Key": "bad-input"},
]


@pytest.mark.parametrize("headers", SHOWN, ids=str)
def test_a_key_is_taken_in_every_form(world: World, headers: Mapping[str, str]) -> None:
    answer = world.server.call("GET", BASE + world.talk.path, headers=headers)
    assert answer.status == 200
    assert answer.json["data"]["conversation"]["id"] == world.talk.id


def test_no_key_is_told_so_in_chatroutes_words(world: World) -> None:
    answer = world.server.call("GET", BASE + world.talk.path)
    assert refusal(answer) == (401, "missing_api_key")
    assert answer.json["code"] == "AUTHENTICATION_ERROR"


BODIES = {
    "no JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "not UTF-8": b'{"title": "\xff"}',
    "deep": b'{"a":' * 100 + b"1" + b"}" * 100,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_object(world: World, body: bytes) -> None:
    parts = {
        "conversation": world.talk.id,
        "branch": world.branch["id"],
        "message": world.ids[0],
        "checkpoint": world.checkpoint["id"],
    }
    before = world.server.dump()
    for method, path, _ in ADDRESSES:
        if method in {"POST", "PATCH"}:
            status, code = refusal(world.member.call(method, path.format(**parts), body))
            assert (status, code) in {(400, "invalid_json"), (400, "too_deep")}, path
    assert world.server.dump() == before
