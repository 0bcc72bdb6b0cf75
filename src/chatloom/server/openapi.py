"""``openapi.json`` (OpenAPI 3.1), derived from the route table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import UnionType
from typing import Any, TypeAlias

import msgspec

from chatloom import __version__
from chatloom.server.protocols.envelopes import ERROR_BODIES, STATUS
from chatloom.server.protocols.repeats import LONGEST_KEY
from chatloom.server.routes import Route

Document: TypeAlias = dict[str, Any]


def describe(routes: Sequence[Route]) -> Document:
    """Describe *routes*."""
    types = {kind for route in routes for kind in _types(route)}
    ordered = sorted(types, key=str)
    schemas, components = msgspec.json.schema_components(
        ordered, ref_template="#/components/schemas/{name}"
    )
    refs = dict(zip(ordered, schemas, strict=True))
    paths: Document = {}
    for route in routes:
        path = route.path.replace(":path}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chatloom",
            "version": __version__,
            "description": "Chat completions for any OpenAI client, stored as trees of messages.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types(route: Route) -> list[type | UnionType]:
    told = (route.request, route.answer, route.streams, ERROR_BODIES[route.owner])
    return [kind for kind in told if kind is not None]


def _operation(route: Route, refs: dict[type | UnionType, Document]) -> Document:
    operation: Document = {
        "operationId": f"{route.owner}_{route.endpoint.__name__}",
        "tags": [route.owner],
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route, refs),
    }
    if route.scope != "public":
        operation["security"] = [{"key": []}]
        operation["x-scope"] = route.scope
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": _json(refs[route.request])}
    return operation


def _parameters(route: Route) -> list[Document]:
    parts = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)", route.path)
    ]
    headers = [IDEMPOTENCY_KEY] if route.is_keyed else []
    headers += [LAST_EVENT_ID] if route.streams is not None else []
    return [*parts, *_query(route.query), *headers]


def _query(kind: type | None) -> list[Document]:
    if kind is None:
        return []
    (schema,), components = msgspec.json.schema_components([kind])
    described = components[schema["$ref"].rpartition("/")[2]]
    required = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": of_it}
        for name, of_it in described["properties"].items()
    ]


IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names the request: repeated with it, it joins the turn that was begun"
    " before, and costs nothing more.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
LAST_EVENT_ID: Document = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The last event of this turn that the reader saw: what follows is told.",
    "schema": {"type": "integer", "minimum": 0},
}


def _responses(route: Route, refs: dict[type | UnionType, Document]) -> Document:
    content: Document = _json(refs[route.answer]) if route.answer is not None else {}
    if route.streams is not None:
        content = {**content, route.streamed_as: {"schema": refs[route.streams]}}
    responses: Document = {str(route.status): {"description": "Success", "content": content}}
    for kind in route.refusals:
        responses[str(STATUS[kind])] = {
            "description": kind.replace("_", " ").capitalize(),
            "content": _json(refs[ERROR_BODIES[route.owner]]),
        }
    return responses


def _json(schema: Document) -> Document:
    return {"application/json": {"schema": schema}}


def main() -> None:
    """Write the description of every route to standard output."""
    import sys

    from chatloom.server.app import ROUTES

    text = msgspec.json.format(msgspec.json.encode(describe(ROUTES)), indent=2)
    sys.stdout.buffer.write(text + b"\n")


if __name__ == "__main__":
    main()
