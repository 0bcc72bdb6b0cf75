"""What an editor shows of every client: in both modes, and of its raw answers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

import chatserver_sdk
import zaguan
from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.manner import CallOptions
from chatloom.engines import ClientOptions
from support.editor import Editor, opened

PACKAGES = (chatserver_sdk, zaguan)
CLIENTS = [
    pytest.param(value, id=value.__name__)
    for package in PACKAGES
    for value in vars(package).values()
    if inspect.isclass(value) and issubclass(value, BlockingClient | AwaitingClient)
]
UNTYPED = re.compile(r"(?<!CoroutineType\[)(?<!CoroutineType\[Any, )\b(Any|Unknown)\b")
"""Pyright itself gives every ``async def`` a ``CoroutineType[Any, Any, ...]``."""


def members(client: type) -> Iterator[tuple[str, str]]:
    """The public names of a client, each with how its documentation begins."""
    for name, value in inspect.getmembers(client):
        if not name.startswith("_"):
            yield name, (inspect.getdoc(value) or "").split("\n")[0]


def operations(client: type) -> list[tuple[str, str]]:
    """Those of its members that send something."""
    common = dir(BlockingClient) + dir(AwaitingClient)
    return [
        (name, words)
        for name, words in members(client)
        if name not in common and callable(getattr(client, name))
    ]


@contextmanager
def written(client: type) -> Generator[Editor]:
    """An editor in which somebody uses *client*."""
    lines = [f"from {client.__module__} import {client.__name__}", f"client = {client.__name__}()"]
    lines += [f"client.{name}" for name, _ in members(client)]
    lines += ["other = client", "raw = other.with_raw_response", "other.with_options()"]
    lines += [f"raw.{name}" for name, _ in operations(client)]
    lines += [f"{client.__name__}(", "client."]
    with opened("\n".join(lines)) as editor:
        yield editor


@pytest.mark.parametrize("client", CLIENTS)
def test_an_editor_knows_every_call(client: type) -> None:
    with written(client) as editor:
        for name, words in members(client):
            shown = editor.hover(f"\nclient.{name}")
            assert not UNTYPED.search(shown), shown
            assert words in shown
        for name, words in operations(client):
            shown = editor.hover(f"\nraw.{name}")
            # Streams and pages have their headers with them.
            assert "Raw[" in shown or "Stream" in shown or "Pages[" in shown
            assert not UNTYPED.search(shown), shown
            assert words in shown


@pytest.mark.parametrize("client", CLIENTS)
def test_an_editor_offers_every_call_and_every_option(client: type) -> None:
    with written(client) as editor:
        assert {name for name, _ in members(client)} <= editor.completions("(\nclient.")
        making = editor.signature(f"\n{client.__name__}(")
        changing = editor.signature("other.with_options(")
    for shown, options in ((making, ClientOptions), (changing, CallOptions)):
        assert not UNTYPED.search(shown), shown
        assert not [name for name in options.__annotations__ if f"{name}: " not in shown]
