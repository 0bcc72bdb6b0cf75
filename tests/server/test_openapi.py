"""The description of every address, and the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, cast

import msgspec
import pytest

from chatloom import __version__
from chatloom.server.app import ROUTES
from chatloom.server.call import Call, Reply
from chatloom.server.openapi import describe
from chatloom.server.protocols import documentation
from chatloom.server.protocols.envelopes import STATUS
from chatloom.server.routes import Route
from support.live import Live

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document() -> Any:
    return msgspec.json.decode(msgspec.json.encode(describe(ROUTES)))


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def told_path(route: Route) -> str:
    """The route's path without the kinds of its parts."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", route.path)


def nodes(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        yield found
        for inner in found.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from nodes(inner)


def test_it_is_served_as_described(live: Live, document: Any) -> None:
    assert live.call("GET", "/openapi.json").json == document


def test_it_says_what_it_is(document: Any) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert document["info"]["title"] == "chatloom"
    assert document["info"]["version"] == __version__
    assert set(document) <= {"openapi", "info", "paths", "components"}


def test_every_route_is_in_it(document: Any) -> None:
    told = {(method.upper(), path) for path, method, _ in operations(document)}
    assert told == {(route.method, told_path(route)) for route in ROUTES}
    assert {method for _, method, _ in operations(document)} <= METHODS


def test_operations_have_names_of_their_own(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in names)


def test_every_reference_resolves(document: Any) -> None:
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    assert references
    for reference in references:
        start, name = reference.rsplit("/", 1)
        assert start == "#/components/schemas"
        assert name in document["components"]["schemas"]


def test_every_schema_is_used(document: Any) -> None:
    used = {node["$ref"].rsplit("/", 1)[1] for node in nodes(document) if "$ref" in node}
    assert used == set(document["components"]["schemas"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_operation_says_what_its_route_declares(document: Any, route: Route) -> None:
    operation = document["paths"][told_path(route)][route.method.lower()]
    assert operation["summary"] == route.summary
    assert ("security" in operation) == (route.scope != "public")
    assert ("requestBody" in operation) == (route.request is not None)
    expected = {str(route.status), *(str(STATUS[kind]) for kind in route.refusals)}
    assert set(operation["responses"]) == expected
    assert all(response["description"] for response in operation["responses"].values())
    placed = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert placed == re.findall(r"{(\w+)}", told_path(route))
    assert all(one["required"] for one in operation["parameters"] if one["in"] == "path")


def test_every_security_requirement_is_a_scheme(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    for _, _, operation in operations(document):
        for requirement in operation.get("security", []):
            assert set(requirement) <= set(schemes)


def test_a_guarded_route_declares_the_refusals_of_keys() -> None:
    for route in ROUTES:
        declared = {"unauthenticated", "forbidden"} <= set(route.refusals)
        assert declared == (route.scope != "public"), route.path


class Page(HTMLParser):
    """Collects what a page loads, and the places its links lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        assert not [name for name in given if name.startswith("on") or name == "style"]
        self.ids |= {value for name, value in given.items() if name == "id"}
        place = given.get("href") or given.get("src")
        if place:
            (self.links if tag == "a" else self.loads).add(place)


def test_the_page_loads_nothing_from_elsewhere(live: Live) -> None:
    answer = live.call("GET", "/docs")
    page = Page(answer.body.decode())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.loads == {"/docs/style.css"}
    assert page.tags.isdisjoint({"script", "style", "iframe", "img", "object", "form"})
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids


def test_the_page_may_not_do_more(live: Live) -> None:
    headers = live.call("GET", "/docs").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert "script-src" not in policy
    assert headers["x-frame-options"] == "DENY"


def test_the_style_loads_nothing(live: Live) -> None:
    answer = live.call("GET", "/docs/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert not re.search(rb"@import|url\(|//", answer.body)


class Odd(msgspec.Struct):
    """<script>alert(1)</script> & "quotes"."""

    text: str


async def odd(call: Call) -> Reply:
    raise NotImplementedError


def test_the_page_shows_markup_as_text() -> None:
    route = Route(
        method="GET",
        path="/<b>/{name}",
        owner="chatloom",
        summary="<script>alert(2)</script>",
        endpoint=odd,
        scope="chat",
        answer=Odd,
    )
    text = documentation.show(describe([route]))
    assert "script" not in Page(text).tags
    assert "b" in Page(text).tags  # the scope's
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;script&gt;alert(2)" in text
    assert "/&lt;b&gt;/{name}" in text
