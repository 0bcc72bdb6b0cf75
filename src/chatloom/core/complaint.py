"""What an error body says, whatever its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from chatloom.core.http import JSON, UNREADABLE, Response
from chatloom.core.wait import asked_seconds, asked_wait

_LONGEST = 500


class Complaint(msgspec.Struct, frozen=True):
    """The reason a server gave for an error status."""

    message: str = ""
    code: str | None = None
    retry_after: float | None = None
    """Seconds."""
    body: JSON = None

    @classmethod
    def of(cls, response: Response, wall_time: float) -> Complaint:
        """Read *response*, which may hold any of the shapes seen in the wild.

        ``{"error": {"message", "code"}}`` (OpenAI), ``{"error": "text", "message", "code"}``,
        FastAPI's ``{"detail": "text"}`` or list of problems, plain text, and HTML.
        """
        wait = asked_wait(response.headers, wall_time)
        try:
            body = cast("JSON", msgspec.json.decode(response.body))
        except UNREADABLE:
            text = response.body[:_LONGEST].decode(errors="replace").strip()
            looks_like_html = text[:1] == "<"
            return cls("" if looks_like_html else text, None, wait, text)
        message, code, told = _from_json(body)
        return cls(message[:_LONGEST], code, told if wait is None else wait, body)


def _from_json(body: JSON) -> tuple[str, str | None, float | None]:
    if isinstance(body, str):
        return body, None, None
    if not isinstance(body, dict):
        return "", None, None
    inner = body.get("error")
    nested: Mapping[str, JSON] = inner if isinstance(inner, dict) else {}
    message = _first_text(nested.get("message"), body.get("message"), inner, _detail(body))
    code = _first_text(nested.get("code"), body.get("code"), nested.get("type"))
    wait = nested.get("retry_after", body.get("retryAfter", body.get("retry_after")))
    return message, code or None, asked_seconds(str(wait))


def _detail(body: Mapping[str, JSON]) -> JSON:
    detail = body.get("detail")
    if not isinstance(detail, list):
        return detail
    problems = [problem for problem in detail if isinstance(problem, dict)]
    return "; ".join(f"{_place(problem)}{problem.get('msg', problem)}" for problem in problems)


def _place(problem: Mapping[str, JSON]) -> str:
    place = problem.get("loc")
    return ".".join(map(str, place)) + ": " if isinstance(place, list) else ""


def _first_text(*candidates: JSON) -> str:
    return next((text for text in candidates if isinstance(text, str) and text), "")
