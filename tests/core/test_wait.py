"""How long a server asks its callers to wait."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.wait import asked_seconds, asked_wait
from support.scripted import NOON

IN_A_MINUTE = formatdate(NOON + 60, usegmt=True)
IN_TOKYO = format_datetime(
    datetime.fromtimestamp(NOON + 60, timezone(timedelta(hours=9))),
)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": " 7 "}, 7.0, id="seconds between spaces"),
        pytest.param({"retry-after": "0"}, 0.0, id="no time at all"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="half a second"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "7"}, 1.5, id="both"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "7"}, 7.0, id="one malformed"),
        pytest.param({"retry-after": IN_A_MINUTE}, 60.0, id="a date"),
        pytest.param({"retry-after": IN_TOKYO}, 60.0, id="a date elsewhere"),
        pytest.param({"retry-after": formatdate(NOON - 60, usegmt=True)}, 0.0, id="a past date"),
        pytest.param({"retry-after": formatdate(NOON + 60)}, 60.0, id="a date at -0000"),
        pytest.param({"retry-after": IN_A_MINUTE.removesuffix(" GMT")}, 60.0, id="without a zone"),
        pytest.param({"retry-after": "Thu, 01 Jan 99999 12:00:00 GMT"}, None, id="never"),
        pytest.param({"retry-after": "Thu, 32 Jan 2026 12:00:00 GMT"}, None, id="no such day"),
        pytest.param({"retry-after": "soon"}, None, id="a word"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "-7"}, None, id="negative"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "nan"}, None, id="no number"),
        pytest.param({"retry-after": "1e999"}, None, id="too large"),
        pytest.param({"retry-after-ms": "-1"}, None, id="negative milliseconds"),
    ],
)
def test_what_is_asked(headers: dict[str, str], expected: float | None) -> None:
    assert asked_wait(headers, NOON) == expected


def test_a_date_without_a_zone_is_in_utc_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("this system has one time zone a process")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "XYZ-9")
        time.tzset()
        wait = asked_wait({"retry-after": IN_A_MINUTE.removesuffix(" GMT")}, NOON)
    time.tzset()
    assert wait == 60.0


TEXTS = st.text() | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,6} \d+:\d+(:\d+)? [-+\w]{0,9}")


@given(asked=TEXTS, wall_time=st.floats(0, 1e11))
def test_no_header_ever_hides_the_real_error(asked: str, wall_time: float) -> None:
    wait = asked_wait({"retry-after": asked, "retry-after-ms": asked}, wall_time)
    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize(("text", "expected"), [("1.5", 1.5), ("True", None), (None, None)])
def test_seconds_are_read_from_text(text: str | None, expected: float | None) -> None:
    assert asked_seconds(text) == expected
