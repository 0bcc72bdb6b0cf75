"""Whatever shape an error body has, its reason is found."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.complaint import Complaint
from chatloom.core.http import JSON, Response
from support.scripted import NOON


def complaint(body: bytes, **headers: str) -> Complaint:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Complaint.of(Response(400, named, body), NOON)


PROBLEMS: JSON = [
    {"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"},
    {"msg": "too long"},
    "not a problem",
]


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        pytest.param({"error": {"message": "no", "code": "x", "type": "y"}}, "no", "x", id="all"),
        pytest.param({"error": {"message": "no", "type": "y"}}, "no", "y", id="a type, no code"),
        pytest.param({"error": {"message": "no", "code": 404}}, "no", None, id="a number as code"),
        pytest.param({"error": "no"}, "no", None, id="a string"),
        pytest.param(
            {"error": "Too Many Requests", "message": "slower", "code": "x"},
            "slower", "x", id="a title and a message",
        ),
        pytest.param({"message": "no", "code": "x"}, "no", "x", id="flat"),
        pytest.param({"error": {"message": "no"}, "detail": "d"}, "no", None, id="both ways"),
        pytest.param({"detail": "no"}, "no", None, id="FastAPI"),
        pytest.param(
            {"detail": PROBLEMS}, "body.messages.0: field required; too long", None,
            id="FastAPI's list",
        ),
        pytest.param({"detail": []}, "", None, id="an empty list"),
        pytest.param({"detail": {"reason": "no"}}, "", None, id="an object as detail"),
        pytest.param({"error": {}}, "", None, id="an empty error"),
        pytest.param({"error": None, "message": None}, "", None, id="nulls"),
        pytest.param({"error": {"message": {"text": "no"}}}, "", None, id="an object as message"),
        pytest.param({}, "", None, id="an empty object"),
        pytest.param("no", "no", None, id="a JSON string"),
        pytest.param(["no"], "", None, id="a list"),
        pytest.param(None, "", None, id="null"),
        pytest.param(404, "", None, id="a number"),
    ],
)  # fmt: skip
def test_json_says_why(body: JSON, message: str, code: str | None) -> None:
    assert complaint(json.dumps(body).encode()) == Complaint(message, code, None, body)


@pytest.mark.parametrize(
    ("body", "message", "kept"),
    [
        pytest.param(b"no such model\n", "no such model", "no such model", id="plain text"),
        pytest.param(b"", "", "", id="nothing"),
        pytest.param(b" <html>bad gateway</html>", "", "<html>bad gateway</html>", id="HTML"),
        pytest.param(b"no \xff", "no \ufffd", "no \ufffd", id="not UTF-8"),
        pytest.param(b'{"error": "\xff"}', '{"error": "\ufffd"}', '{"error": "\ufffd"}', id="nor"),
        pytest.param(b'{"error": "no', '{"error": "no', '{"error": "no', id="JSON cut short"),
    ],
)
def test_text_is_its_own_reason(body: bytes, message: str, kept: str) -> None:
    assert complaint(body) == Complaint(message, None, None, kept)


@pytest.mark.parametrize(
    "body", [b"x" * 10_000, json.dumps({"error": "x" * 10_000}).encode(), b"[" * 100_000]
)
def test_a_long_reason_is_cut(body: bytes) -> None:
    assert len(complaint(body).message) == 500


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({"error": {"message": "no", "retry_after": 3}}, {}, 3.0),
        ({"error": "no", "retry_after": 3.5}, {}, 3.5),
        ({"error": "no", "retryAfter": 4}, {}, 4.0),
        ({"error": {"retry_after": 3}}, {"retry_after": "7"}, 7.0),
        ({"error": {"retry_after": 3}}, {"retry_after": "soon"}, 3.0),
        ({"error": {"retry_after": "soon"}}, {}, None),
        ({"error": {"retry_after": True}}, {}, None),
        ({"error": {"retry_after": None}}, {}, None),
        ({"error": {"retry_after": -3}}, {}, None),
        ({"error": {"retry_after": 10**400}}, {}, None),
        ([], {"retry_after_ms": "1500"}, 1.5),
    ],
)
def test_the_wait_comes_from_headers_or_body(
    body: JSON, headers: dict[str, str], expected: float | None
) -> None:
    assert complaint(json.dumps(body).encode(), **headers).retry_after == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "retry_after", "loc", "msg"]),
            inner,
        )
    ),
)


@given(body=VALUES.map(msgspec.json.encode) | st.binary())
def test_no_body_ever_hides_the_real_error(body: bytes) -> None:
    found = complaint(body)
    assert isinstance(found.message, str)
    assert found.code is None or isinstance(found.code, str)
