"""What is remembered of users, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from chatloom.server.ids import new_id
from support.http import Answer
from support.keys import heir, new_key, secret
from support.live import Live


class User:
    """Somebody whose memory the server keeps."""

    def __init__(self, server: Live, key: str, user: str | None = None) -> None:
        self.server, self.key, self.user = server, key, user

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request."""
        return self.server.call(method, f"/api/memory{path}", body, key=self.key)

    def store(self, key: str, value: object, **fields: object) -> Any:
        """Have something remembered."""
        named = {} if self.user is None else {"userId": self.user}
        answer = self.call("POST", "/store", {"key": key, "value": value, **named, **fields})
        assert answer.status == 200, answer.body
        return answer.json

    def ask(self, method: str, path: str, **query: object) -> Any:
        """Ask for something by its key."""
        if self.user is not None:
            query["userId"] = self.user
        told = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        answer = self.call(method, f"{path}?{told}")
        assert answer.status == 200, answer.body
        return answer.json

    def value(self, key: str) -> Any:
        """What is remembered."""
        told = self.ask("GET", "/retrieve", key=key)
        return told["value"] if told["found"] else "nothing"


@pytest.fixture
def ann(live: Live) -> User:
    return User(live, f"ann-{new_id()}")


VALUES: list[Any] = [
    "text",
    None,
    False,
    0,
    1.5,
    2**70,
    [],
    {},
    {"a": [1, {"b": None}]},
    "日本 \0 ✓",
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_is_remembered(ann: User, value: object) -> None:
    told = ann.store("a key/with ä & co", value, ttl=None)
    assert told == {
        "success": True,
        "stored": True,
        "key": "a key/with ä & co",
        "expiresAt": None,
    }
    found = ann.ask("GET", "/retrieve", key="a key/with ä & co")
    assert (found["value"], found["found"], found["success"]) == (value, True, True)


def test_what_is_not_remembered_is_no_fault(ann: User) -> None:
    assert ann.ask("GET", "/retrieve", key="x") == {
        "success": True,
        "value": None,
        "found": False,
        "key": "x",
        "createdAt": None,
        "updatedAt": None,
        "expiresAt": None,
    }
    assert ann.ask("DELETE", "", key="x") == {"success": True, "deleted": False}


def test_it_is_forgotten_in_time(ann: User) -> None:
    assert ann.store("short", 1, ttl=1)["expiresAt"] is not None
    ann.store("long", 2, ttl=3600)
    ann.store("both", 3, ttl=1)
    ann.store("both", 4, ttl=None)
    assert ann.value("short") == 1
    time.sleep(1.1)
    assert [ann.value(key) for key in ("short", "long", "both")] == ["nothing", 2, 4]
    listed = ann.ask("GET", "/list")["memories"]
    assert [one["key"] for one in listed] == ["both", "long"]


def test_it_is_forgotten_on_demand(ann: User) -> None:
    ann.store("key", 1)
    assert ann.ask("DELETE", "", key="key")["deleted"] is True
    assert ann.value("key") == "nothing"


def test_lists_are_by_pages(ann: User) -> None:
    for key in ("b", "a.2", "a.1", "c"):
        ann.store(key, key)
    first = ann.ask("GET", "/list", limit=3)
    rest = ann.ask("GET", "/list", limit=3, cursor=first["nextCursor"])
    told = [one["key"] for page in (first, rest) for one in page["memories"]]
    assert told == ["a.1", "a.2", "b", "c"]
    assert (first["hasNext"], rest["hasNext"], rest["nextCursor"]) == (True, False, None)
    (one,) = ann.ask("GET", "/list", prefix="a.2")["memories"]
    assert (one["value"], one["size"]) == ("a.2", 5)


def test_users_of_an_account_have_their_own(ann: User) -> None:
    users = [ann, User(ann.server, ann.key, "one"), User(ann.server, ann.key, "two")]
    for number, user in enumerate(users):
        user.store("key", number)
    assert [user.value("key") for user in users] == [0, 1, 2]
    users[1].ask("DELETE", "", key="key")
    assert [user.value("key") for user in users] == [0, "nothing", 2]


def test_accounts_have_their_own(live: Live, ann: User) -> None:
    ann.store("key", "secret")
    other = User(live, f"ben-{new_id()}")
    assert other.value("key") == "nothing"
    assert other.ask("DELETE", "", key="key")["deleted"] is False
    assert other.ask("GET", "/list")["memories"] == []
    assert ann.value("key") == "secret"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


def test_a_key_of_an_end_user_is_theirs(server: Live) -> None:
    root = str(new_key(server)["secret"])
    bound = str(heir(server, root, scopes=["chat"], user="one")["secret"])
    User(server, root).store("key", "nobody's")
    User(server, root, "one").store("key", "one's")
    User(server, root, "two").store("key", "two's")
    assert User(server, bound).value("key") == User(server, bound, "one").value("key") == "one's"
    User(server, bound).store("key", "still one's")
    assert User(server, root, "one").value("key") == "still one's"
    before = server.dump()
    for method, path, body in (
        ("POST", "/store", {"key": "key", "value": 1, "userId": "two"}),
        ("GET", "/retrieve?key=key&userId=two", None),
        ("GET", "/list?userId=two", None),
        ("DELETE", "?key=key&userId=two", None),
    ):
        answer = User(server, bound).call(method, path, body)
        assert (answer.status, answer.error["code"]) == (403, "other_user")
    assert server.dump() == before | {"audit": server.dump().get("audit", [])}


def test_a_key_without_the_scope_remembers_nothing(server: Live) -> None:
    limited = User(server, secret(server, scopes=["models"]))
    assert limited.call("POST", "/store", {"key": "a", "value": 1}).status == 403
    assert limited.call("GET", "/list").status == 403


BAD: dict[str, tuple[str, str, object, int]] = {
    "no key": ("POST", "/store", {"value": 1}, 400),
    "an empty key": ("POST", "/store", {"key": "", "value": 1}, 400),
    "a long key": ("POST", "/store", {"key": "x" * 257, "value": 1}, 400),
    "no value": ("POST", "/store", {"key": "x"}, 400),
    "no time": ("POST", "/store", {"key": "x", "value": 1, "ttl": 0}, 400),
    "a time gone by": ("POST", "/store", {"key": "x", "value": 1, "ttl": -5}, 400),
    "half a second": ("POST", "/store", {"key": "x", "value": 1, "ttl": 0.5}, 400),
    "for ever and ever": ("POST", "/store", {"key": "x", "value": 1, "ttl": 10**12}, 400),
    "a large value": ("POST", "/store", {"key": "x", "value": "x" * 65_535}, 413),
    "a list": ("POST", "/store", [1], 400),
    "no key to retrieve": ("GET", "/retrieve", None, 400),
    "no key to forget": ("DELETE", "", None, 400),
    "a strange cursor": ("GET", "/list?cursor=abc", None, 400),
    "a large page": ("GET", "/list?limit=1001", None, 400),
    "a number for a user": ("POST", "/store", {"key": "x", "value": 1, "userId": 5}, 400),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD.values(), ids=BAD)
def test_bad_requests_leave_nothing(
    live: Live, ann: User, method: str, path: str, body: object, status: int
) -> None:
    ann.store("x", "kept")
    before = live.dump()
    answer = ann.call(method, path, body)
    assert (answer.status, answer.json["success"]) == (status, False)
    assert answer.json["message"] == answer.json["error"] != ""
    assert live.dump() == before


def test_a_value_is_as_deep_as_any_json(ann: User) -> None:
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    ann.store("deep", deep)
    assert ann.value("deep") == deep
    answer = ann.call("POST", "/store", {"key": "x", "value": [[deep]]})
    assert (answer.status, answer.error["code"]) == (400, "too_deep")


def test_the_largest_value_fits_and_so_many_of_them(ann: User) -> None:
    largest = "x" * 65_534
    for number in range(64):
        ann.store(f"{number}", largest)
    assert ann.value("63") == largest
    answer = ann.call("POST", "/store", {"key": "more", "value": 1})
    assert (answer.status, answer.json["code"]) == (409, "CONFLICT")
    assert (answer.error["code"], answer.headers["x-should-retry"]) == ("memory_full", "false")
    ann.store("63", "less")
    ann.store("more", 1)


def test_there_are_a_thousand_at_most(ann: User) -> None:
    for number in range(1_000):
        ann.store(f"{number}", number)
    answer = ann.call("POST", "/store", {"key": "more", "value": 1})
    assert (answer.status, answer.error["code"]) == (409, "memory_full")
    ann.store("999", "again")
    assert len(ann.ask("GET", "/list", limit=1_000)["memories"]) == 1_000
