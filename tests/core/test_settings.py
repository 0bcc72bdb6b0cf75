"""Argument, environment, configuration file, default, in that order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from chatloom.core.errors import SettingsError
from chatloom.core.http import Timeouts
from chatloom.core.secret import Secret
from chatloom.core.settings import Habits, Settings, resolve

HABITS = Habits(
    name="toy",
    base_url="http://localhost:3284",
    key_variable="TOY_API_KEY",
    url_variable="TOY_BASE_URL",
    timeout=30.0,
)
ALL = {
    "CHATLOOM_BASE_URL": "http://common",
    "CHATLOOM_API_KEY": "common",
    "CHATLOOM_TIMEOUT": "5",
    "CHATLOOM_MAX_RETRIES": "6",
    "CHATLOOM_LOG": "debug",
}
TABLE = {
    "base_url": "http://file",
    "api_key": "file",
    "timeout": 7.5,
    "max_retries": 8,
    "log": "info",
}


def settled(
    environ: Mapping[str, str] | None = None,
    table: Mapping[str, object] | None = None,
    **arguments: Any,
) -> Settings:
    return resolve(HABITS, environ or {}, lambda: table or {}, **arguments)


def test_defaults_are_the_documents() -> None:
    assert settled() == Settings(
        name="toy",
        base_url="http://localhost:3284",
        api_key=None,
        timeout=30.0,
        max_retries=2,
        log=None,
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "expected"),
    [
        ({"base_url": "http://given"}, ALL | {"TOY_BASE_URL": "http://own"}, TABLE, "http://given"),
        ({}, ALL | {"TOY_BASE_URL": "http://own"}, TABLE, "http://own"),
        ({}, ALL, TABLE, "http://common"),
        ({}, {}, TABLE, "http://file"),
        ({}, {"TOY_BASE_URL": "", "CHATLOOM_BASE_URL": ""}, TABLE, "http://file"),
        ({"base_url": "http://localhost:3284"}, ALL, TABLE, "http://common"),
        ({"base_url": "http://localhost:3284/"}, {}, TABLE, "http://file"),
        ({"base_url": "http://localhost:3284/"}, {}, {}, "http://localhost:3284"),
        ({"base_url": "https://given/prefix//"}, {}, {}, "https://given/prefix"),
        ({"base_url": " http://given "}, {}, {}, "http://given"),
    ],
)
def test_the_address(
    arguments: dict[str, Any], environ: dict[str, str], table: dict[str, object], expected: str
) -> None:
    assert settled(environ, table, **arguments).base_url == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "expected"),
    [
        ({"api_key": "given"}, ALL | {"TOY_API_KEY": "own"}, TABLE, "given"),
        ({"api_key": Secret("given")}, ALL, TABLE, "given"),
        ({"api_key": ""}, ALL, TABLE, ""),
        ({}, ALL | {"TOY_API_KEY": "own"}, TABLE, "own"),
        ({}, ALL, TABLE, "common"),
        ({}, {"TOY_API_KEY": ""}, TABLE, "file"),
        ({}, {}, {}, None),
    ],
)
def test_the_key(
    arguments: dict[str, Any],
    environ: dict[str, str],
    table: dict[str, object],
    expected: str | None,
) -> None:
    key = settled(environ, table, **arguments).api_key
    assert (None if key is None else key.reveal()) == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "expected"),
    [
        ({"timeout": 1.5}, ALL, TABLE, 1.5),
        ({"timeout": 30}, ALL, TABLE, 5.0),
        ({}, ALL, TABLE, 5.0),
        ({}, {}, TABLE, 7.5),
        ({"timeout": 30}, {}, {}, 30.0),
        ({"timeout": float("inf")}, {}, {}, None),
        ({"timeout": 1e20}, {}, {}, None),
        ({}, {"CHATLOOM_TIMEOUT": "inf"}, {}, None),
    ],
)
def test_the_timeout(
    arguments: dict[str, Any],
    environ: dict[str, str],
    table: dict[str, object],
    expected: float | None,
) -> None:
    assert settled(environ, table, **arguments).timeout == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "expected"),
    [
        ({"max_retries": 0}, ALL, TABLE, 0),
        ({"max_retries": -1}, ALL, TABLE, 0),
        ({}, ALL, TABLE, 6),
        ({}, {}, TABLE, 8),
        ({}, {}, {}, 2),
    ],
)
def test_the_retries(
    arguments: dict[str, Any], environ: dict[str, str], table: dict[str, object], expected: int
) -> None:
    assert settled(environ, table, **arguments).max_retries == expected


@pytest.mark.parametrize(
    ("environ", "table", "expected"), [(ALL, TABLE, "debug"), ({}, TABLE, "info"), ({}, {}, None)]
)
def test_the_log(environ: dict[str, str], table: dict[str, object], expected: str | None) -> None:
    assert settled(environ, table).log == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "message"),
    [
        ({"base_url": "localhost:3284"}, {}, {}, "base_url must begin with http"),
        ({"base_url": ""}, {}, {}, "base_url must begin with http"),
        ({}, {"TOY_BASE_URL": "ftp://x"}, {}, "base_url must begin with http"),
        ({}, {}, {"base_url": 5}, "base_url must begin with http"),
        ({"timeout": 0}, {}, {}, "timeout must be more than 0 seconds"),
        ({"timeout": -1}, {}, {}, "timeout must be more than 0 seconds"),
        ({"timeout": float("nan")}, {}, {}, "timeout must be more than 0 seconds"),
        ({}, {"CHATLOOM_TIMEOUT": "soon"}, {}, "timeout must be a number, not 'soon'"),
        ({}, {}, {"timeout": True}, "timeout must be a number, not 'True'"),
        ({}, {"CHATLOOM_MAX_RETRIES": "few"}, {}, "max_retries must be a whole number"),
        ({}, {"CHATLOOM_MAX_RETRIES": "inf"}, {}, "max_retries must be a whole number"),
        ({}, {"CHATLOOM_MAX_RETRIES": "1.5"}, {}, "max_retries must be a whole number"),
    ],
)
def test_bad_values_are_refused(
    arguments: dict[str, Any], environ: dict[str, str], table: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        settled(environ, table, **arguments)


@pytest.mark.parametrize(
    ("arguments", "environ", "asked"),
    [
        ({}, ALL, 0),
        ({"base_url": "http://a", "api_key": "a", "timeout": 1, "max_retries": 1}, {}, 1),
        ({}, {}, 1),
        ({}, {name: value for name, value in ALL.items() if "KEY" not in name}, 1),
        ({"api_key": "a"}, {name: value for name, value in ALL.items() if "KEY" not in name}, 0),
    ],
)
def test_the_file_is_read_once_and_only_when_needed(
    arguments: dict[str, Any], environ: dict[str, str], asked: int
) -> None:
    reads: list[None] = []

    def read() -> Mapping[str, object]:
        reads.append(None)
        return TABLE

    resolve(HABITS, environ, read, **arguments)
    assert len(reads) == asked


def test_the_key_is_hidden_in_what_was_settled() -> None:
    assert "canary" not in repr(settled(api_key="canary"))


def test_a_timeout_means_connecting_and_each_read() -> None:
    assert settled(timeout=3).timeouts == Timeouts(connect=3, idle=3)


def test_a_misspelt_entry_of_the_file_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"\[client\] knows .*base_url.* and not base_ur$"):
        settled(table={"base_ur": "http://a"})


def test_an_address_with_the_path_that_requests_add_is_forgiven() -> None:
    habits = msgspec.structs.replace(HABITS, path="/v1")
    found = resolve(habits, {}, dict, base_url="http://a/x/v1/")
    assert found.base_url == "http://a/x"


def test_a_timeout_of_none_waits_for_ever() -> None:
    assert settled(ALL, timeout=None).timeout is None
    assert settled(ALL).timeout == 5.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": 5},
        {"base_url": 5},
        {"base_url": "http://x/a\nb"},
        {"timeout": "3"},
        {"max_retries": "3"},
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        settled(**arguments)


def test_an_address_may_shout() -> None:
    assert settled(base_url="HTTP://localhost:1/").base_url == "HTTP://localhost:1"
