"""What an account knows, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatloom.server.ids import new_id
from support.http import Answer
from support.keys import heir, new_key, secret
from support.live import Live
from support.papers import in_base64, pdf

NOTE = {"type": "gotcha", "title": "Retries", "content": "Never retry a POST blindly."}


class Knower:
    """Somebody with an account."""

    def __init__(self, server: Live, key: str) -> None:
        self.server, self.key = server, key

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.call(method, f"/api{path}", body, key=self.key, headers=named)

    def add(self, **fields: object) -> Any:
        """Know something more."""
        answer = self.call("POST", "/knowledge", {**NOTE, **fields})
        assert answer.status == 200, answer.body
        return answer.json["entry"]

    def find(self, query: str, path: str = "/knowledge/search", **fields: object) -> Any:
        """What is found."""
        answer = self.call("POST", path, {"query": query, **fields})
        assert answer.status == 200, answer.body
        return answer.json

    def read(self, id: str) -> Any:
        """An entry, whole."""
        answer = self.call("GET", f"/knowledge?id={id}")
        assert answer.status == 200, answer.body
        (entry,) = answer.json["entries"]
        return entry


@pytest.fixture
def ann(live: Live) -> Knower:
    return Knower(live, f"ann-{new_id()}")


@pytest.fixture
def ben(live: Live) -> Knower:
    return Knower(live, f"ben-{new_id()}")


def test_what_is_added_is_found_and_told(ann: Knower) -> None:
    entry = ann.add(tags=[" http", "HTTP", "api "], domain="web", confidence=0.8, source="a book")
    assert entry["tags"] == ["http", "api"]
    assert (entry["passages"], entry["createdAt"]) == (1, entry["updatedAt"])
    found = ann.find("retrying posts")
    (result,) = found["results"]
    assert (found["success"], found["total"], found["query"]) == (True, 1, "retrying posts")
    assert result["highlights"] == ["Never **retry** a **POST** blindly."]
    assert result["content"] == NOTE["content"]
    assert (result["passageStart"], result["passageEnd"]) == (0, len(NOTE["content"]))
    assert 0 < result["score"] <= 1
    assert result["id"] == entry["id"]
    for name in ("type", "title", "domain", "tags", "confidence", "source"):
        assert result[name] == entry[name]
    assert ann.read(entry["id"]) == entry


def test_a_document_is_searched_by_passages(ann: Knower) -> None:
    parts = [f"# Part {number}\n\n{'Some filling. ' * 70}" for number in range(40)]
    parts[23] += "The selvedge keeps a cloth from fraying."
    content = "\n\n".join(parts)
    entry = ann.add(type="document", title="Cloth", content=content, format="markdown")
    assert entry["content"] == content[:1_000]
    assert ann.read(entry["id"])["content"] == content
    (result,) = ann.find("why does the selvedge fray")["results"]
    assert result["content"] == content[result["passageStart"] : result["passageEnd"]]
    assert result["content"].startswith("# Part 23")
    assert "**selvedge**" in "".join(result["highlights"])


def test_pages_and_files_are_read(ann: Knower) -> None:
    page = (
        "<html><body><article><h1>Warping</h1><p>Wind the warp evenly.</p></article></body></html>"
    )
    entry = ann.add(type="document", content=page, format="html")
    assert "Wind the warp evenly." in ann.read(entry["id"])["content"]
    file = in_base64(pdf("The reed spaces the warp.", "The heddle lifts it."))
    entry = ann.add(type="document", content=file, format="pdf")
    assert ann.read(entry["id"])["content"] == "The reed spaces the warp.\n\nThe heddle lifts it."
    assert ann.find("heddle")["results"][0]["id"] == entry["id"]
    changed = ann.call("PATCH", f"/knowledge?id={entry['id']}", {"content": "No reed at all."})
    assert (changed.json["entry"]["format"], changed.status) == ("text", 200)


def test_an_entry_is_changed(ann: Knower) -> None:
    first = ann.add(domain="web", source="x", tags=["a"])
    path = f"/knowledge?id={first['id']}"
    same = ann.call("PATCH", path, {}).json["entry"]
    assert same == first
    wanted = {"title": "Looms", "tags": ["cloth"], "confidence": 0.5, "domain": None}
    second = ann.call("PATCH", path, wanted).json["entry"]
    assert {**first, **wanted, "updatedAt": second["updatedAt"]} == second
    assert second["updatedAt"] >= first["updatedAt"]
    assert ann.find("looms")["total"] == ann.find("cloth")["total"] == 1
    assert ann.find("retries")["results"][0]["score"] < 0.8, "the title is another one"
    third = ann.call("PATCH", path, {"content": "Weave."}).json["entry"]
    assert (third["content"], third["title"]) == ("Weave.", "Looms")
    assert (ann.find("post")["total"], ann.find("weaving")["total"]) == (0, 1)


def test_an_entry_is_deleted(ann: Knower) -> None:
    entry = ann.add()
    path = f"/knowledge?id={entry['id']}"
    assert ann.call("DELETE", path).json["success"] is True
    for method, body in (("DELETE", None), ("GET", None), ("PATCH", {"title": "x"})):
        assert ann.call(method, path, body).status == 404
    assert ann.find("retry")["results"] == []


def test_lists_are_by_pages(ann: Knower) -> None:
    made = [ann.add(title=f"Number {number}", tags=["odd"][: number % 2]) for number in range(5)]
    first = ann.call("GET", "/knowledge?limit=3").json
    assert (first["total"], first["hasNext"]) == (5, True)
    rest = ann.call("GET", f"/knowledge?limit=3&cursor={first['nextCursor']}").json
    assert (rest["hasNext"], rest["nextCursor"]) == (False, None)
    assert [*first["entries"], *rest["entries"]] == made[::-1]
    odd = ann.call("GET", "/knowledge?tag=ODD&type=gotcha").json
    assert [one["title"] for one in odd["entries"]] == ["Number 3", "Number 1"]
    assert ann.call("GET", "/knowledge?type=wisdom").json["entries"] == []
    assert ann.call("GET", "/knowledge?cursor=abc").error["code"] == "unknown_cursor"


def test_filters(ann: Knower) -> None:
    for number, kind in enumerate(("wisdom", "pattern", "gotcha", "document")):
        ann.add(type=kind, confidence=number / 4, domain=f"d{number}", tags=["x"] * number)
    tried: list[tuple[dict[str, Any], int]] = [
        ({"type": "wisdom"}, 1),
        ({"type": ["wisdom", "pattern"]}, 2),
        ({"domain": "D1"}, 1),
        ({"tags": ["x"]}, 3),
        ({"minConfidence": 0.5}, 2),
        ({}, 4),
        ({"type": None, "tags": []}, 4),
    ]
    for filters, count in tried:
        assert ann.find("retry", filters=filters)["total"] == count
    assert (
        ann.call("POST", "/knowledge/search", {"query": "a", "filters": {"color": 1}}).status == 400
    )


def test_the_services_own_search(ann: Knower) -> None:
    for kind in ("wisdom", "pattern", "gotcha", "gotcha", "document"):
        ann.add(type=kind)
    told = ann.find("retry", "/search")
    assert told["counts"] == {"wisdom": 1, "patterns": 1, "gotchas": 2, "total": 4}
    assert [len(told["results"][name]) for name in ("wisdom", "patterns", "gotchas")] == [1, 1, 2]
    assert ann.find("retry", "/search", type="gotchas", limit=1)["counts"]["total"] == 1


def test_a_repeated_request_adds_once(ann: Knower, ben: Knower) -> None:
    first = ann.call("POST", "/knowledge", NOTE, idempotency_key="one")
    again = ann.call("POST", "/knowledge", NOTE, idempotency_key="one")
    assert first.json == again.json
    assert first.headers["idempotency-key"] == "one"
    other = ann.call("POST", "/knowledge", {**NOTE, "title": "x"}, idempotency_key="one")
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")
    assert ann.find("retry")["total"] == 1
    theirs = ben.call("POST", "/knowledge", NOTE, idempotency_key="one")
    assert theirs.json["entry"]["id"] != first.json["entry"]["id"]


BAD: dict[str, tuple[object, str]] = {
    "no title": ({"type": "gotcha", "content": "x"}, "title"),
    "a blank title": ({**NOTE, "title": " \t"}, "title"),
    "a long title": ({**NOTE, "title": "x" * 501}, "title"),
    "another type": ({**NOTE, "type": "fact"}, "type"),
    "no content": ({**NOTE, "content": ""}, "content"),
    "a blank content": ({**NOTE, "content": " \n"}, "content"),
    "zero bytes": ({**NOTE, "content": "a\0b"}, "content"),
    "a number": ({**NOTE, "content": 5}, "content"),
    "no file": ({**NOTE, "format": "pdf"}, "content"),
    "no page": ({**NOTE, "format": "html"}, "content"),
    "another format": ({**NOTE, "format": "docx"}, "format"),
    "too sure": ({**NOTE, "confidence": 1.1}, "confidence"),
    "not sure": ({**NOTE, "confidence": "high"}, "confidence"),
    "a blank tag": ({**NOTE, "tags": ["a", " "]}, "tags"),
    "many tags": ({**NOTE, "tags": [f"{n}" for n in range(51)]}, "tags"),
    "tags as text": ({**NOTE, "tags": "a"}, "tags"),
    "a blank domain": ({**NOTE, "domain": " "}, "domain"),
    "a list": ([NOTE], ""),
}


@pytest.mark.parametrize(("body", "param"), BAD.values(), ids=BAD)
def test_bad_entries_leave_nothing(live: Live, ann: Knower, body: object, param: str) -> None:
    entry = ann.add()
    before = live.dump()
    answer = ann.call("POST", "/knowledge", body)
    assert (answer.status, answer.json["code"]) == (400, "VALIDATION_ERROR")
    assert str(answer.error.get("param", "")).startswith(param)
    changed = ann.call("PATCH", f"/knowledge?id={entry['id']}", {"format": "text"})
    assert (changed.status, changed.error["param"]) == (400, "format")
    assert live.dump() == before


def test_nobody_reaches_what_another_knows(live: Live, ann: Knower, ben: Knower) -> None:
    entry = ann.add()
    before = live.dump()
    path = f"/knowledge?id={entry['id']}"
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"title": "Mine"})):
        foreign = ben.call(method, path, body)
        absent = ben.call(method, f"/knowledge?id={new_id()}", body)
        assert (foreign.status, foreign.body) == (404, absent.body)
    assert ben.find("retry") | {"query": ""} == {
        "success": True,
        "results": [],
        "total": 0,
        "query": "",
    }
    assert ben.find("retry", "/search")["counts"]["total"] == 0
    assert ben.call("GET", "/knowledge").json["total"] == 0
    after = live.dump()
    assert {name for name in after if after[name] != before.get(name)} <= {
        "account",
        "api_key",
        "api_secret",
    }


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


def test_a_key_of_an_end_user_reads_and_changes_nothing(server: Live) -> None:
    root = str(new_key(server)["secret"])
    owner = Knower(server, root)
    entry = owner.add()
    bound = Knower(server, str(heir(server, root, scopes=["chat"], user="ann")["secret"]))
    assert bound.find("retry")["total"] == 1
    assert bound.read(entry["id"])["id"] == entry["id"]
    path = f"/knowledge?id={entry['id']}"
    for method, at, body in (
        ("POST", "/knowledge", NOTE),
        ("PATCH", path, {"title": "x"}),
        ("DELETE", path, None),
    ):
        answer = bound.call(method, at, body)
        assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN")
        assert answer.error["code"] == "account_knowledge"
    assert owner.read(entry["id"]) == {**entry, "title": NOTE["title"]}


def test_a_key_without_the_scope_sees_nothing(server: Live) -> None:
    limited = Knower(server, secret(server, scopes=["models"]))
    for method, path, body in (
        ("GET", "/knowledge", None),
        ("POST", "/knowledge", NOTE),
        ("POST", "/knowledge/search", {"query": "a"}),
        ("POST", "/search", {"query": "a"}),
        ("DELETE", "/knowledge?id=x", None),
    ):
        assert limited.call(method, path, body).status == 403


def test_without_a_key_there_is_nothing(server: Live) -> None:
    answer = server.call("GET", "/api/knowledge", key=None)
    assert (answer.status, answer.json["code"]) == (401, "AUTH_REQUIRED")
    answer = server.call("GET", "/api/knowledge", key="wrong")
    assert (answer.status, answer.json["code"]) == (401, "INVALID_API_KEY")
    answer = server.call("GET", "/api/nothing", key=None)
    assert (answer.status, answer.json["code"], answer.json["success"]) == (404, "NOT_FOUND", False)
