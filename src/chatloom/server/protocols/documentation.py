"""``/openapi.json`` and the page that shows it: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from importlib.resources import files

import msgspec

from chatloom import __version__
from chatloom.server.call import Call, Reply
from chatloom.server.openapi import Document, describe
from chatloom.server.routes import Route


async def style(_: Call) -> Reply:
    """Answer ``GET /docs/style.css``."""
    return Reply(_style(), content_type=b"text/css; charset=utf-8")


@cache
def _style() -> bytes:
    return (files("chatloom.server") / "docs.css").read_bytes()


def show(document: Document) -> str:
    """Write *document* as a page."""
    sections = [
        _section(path, method.upper(), operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = [
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{escape(schema.get('description', ''))}</p>{_code(schema)}</section>"
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<title>chatloom {__version__}</title><link rel="stylesheet" href="/docs/style.css">'
        f"</head><body><header><h1>chatloom <small>{__version__}</small></h1>"
        f"<p>{escape(document['info']['description'])} "
        'The same as <a href="/openapi.json">openapi.json</a>.</p></header>'
        f"<main>{''.join(sections)}<h2>Types</h2>{''.join(schemas)}</main></body></html>"
    )


def _section(path: str, method: str, operation: Document) -> str:
    needs = operation.get("x-scope")
    scope = f"needs a key with the scope <b>{escape(needs)}</b>" if needs else "needs no key"
    rows = "".join(
        f"<tr><td>{status}</td><td>{escape(response['description'])}</td>"
        f"<td>{_links(response['content'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    asked = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    query = "".join(f" <code>{escape(name)}</code>" for name in asked)
    query = f"<p>In the query:{query}</p>" if asked else ""
    body = operation.get("requestBody")
    takes = f"<p>Takes {_links(body['content'])}</p>" if body else ""
    return (
        f"<section><h2><span class='{method.lower()}'>{method}</span> {escape(path)}</h2>"
        f"<p>{escape(operation['summary'])}; {scope}.</p>{query}{takes}"
        f"<table>{rows}</table></section>"
    )


def _links(content: Document) -> str:
    found: list[str] = []
    for kind, media in content.items():
        where = " as events" if kind == "text/event-stream" else ""
        where = " in a list" if media["schema"].get("type") == "array" else where
        names = map(escape, _names(media["schema"]))
        found += [f'<a href="#{name}">{name}</a>{where}' for name in names]
    return ", ".join(found)


def _names(schema: Document) -> list[str]:
    """The types that *schema* refers to: itself, those of a list, those it chooses among."""
    if "$ref" in schema:
        return [schema["$ref"].rpartition("/")[2]]
    within = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    return [name for one in within for name in _names(one)]


def _code(schema: Document) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f"<details><summary>schema</summary><pre>{escape(text)}</pre></details>"


def routes(every: Callable[[], Sequence[Route]]) -> tuple[Route, ...]:
    """The routes that describe *every* route, themselves included."""

    async def openapi(_: Call) -> Reply:
        return Reply(msgspec.json.encode(describe(every())))

    async def page(_: Call) -> Reply:
        policy = b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
        return Reply(
            show(describe(every())).encode(),
            content_type=b"text/html; charset=utf-8",
            headers=[(b"content-security-policy", policy), (b"x-frame-options", b"DENY")],
        )

    return (
        Route(
            method="GET",
            path="/openapi.json",
            owner="chatloom",
            summary="Describe every address in the OpenAPI format",
            endpoint=openapi,
            scope="public",
        ),
        Route(
            method="GET",
            path="/docs",
            owner="chatloom",
            summary="Show the description as a page",
            endpoint=page,
            scope="public",
        ),
        Route(
            method="GET",
            path="/docs/style.css",
            owner="chatloom",
            summary="The page's style",
            endpoint=style,
            scope="public",
        ),
    )
