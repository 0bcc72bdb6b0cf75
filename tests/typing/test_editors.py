"""What an editor shows of every client: in both modes, and of its raw answers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

import chatroutes
import chatserver_sdk
import infinity_assistant
import puter
import zaguan
from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.manner import CallOptions
from chatloom.core.operations import Resource
from chatloom.engines import ClientOptions
from support.editor import Editor, opened

PACKAGES = (chatroutes, chatserver_sdk, infinity_assistant, zaguan)
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
    common = [*dir(BlockingClient), *dir(AwaitingClient), "get_api_key", "set_api_key"]
    return [
        (name, words)
        for name, words in members(client)
        if name not in common and callable(getattr(client, name))
    ]


def groups(client: type) -> dict[str, type]:
    """What a client offers its operations in, where it does: each with its class."""
    made = client()
    names = [name for name, _ in members(client) if name != "with_raw_response"]
    kinds: dict[str, type] = {name: type(getattr(made, name)) for name in names}
    return {name: kind for name, kind in kinds.items() if issubclass(kind, Resource)}


@contextmanager
def written(client: type) -> Generator[Editor]:
    """An editor in which somebody uses *client*."""
    lines = [f"from {client.__module__} import {client.__name__}", f"client = {client.__name__}()"]
    lines += [f"client.{name}" for name, _ in members(client)]
    lines += ["other = client", "raw = other.with_raw_response", "other.with_options()"]
    lines += [f"raw.{name}" for name, _ in operations(client)]
    for group, kind in groups(client).items():
        lines += [f"own_{group} = other.{group}", f"raw_{group} = raw.{group}"]
        lines += [
            f"{whose}_{group}.{name}" for whose in ("own", "raw") for name, _ in members(kind)
        ]
    lines += [f"{client.__name__}(", "client."]
    with opened("\n".join(lines)) as editor:
        yield editor


def check(shown: str, words: str) -> None:
    """See that an editor shows types, and the words there are."""
    assert not UNTYPED.search(shown), shown
    assert words in shown


def check_raw(shown: str, words: str) -> None:
    """The same of a call whose answer has the response with it."""
    # Streams and pages have their headers with them.
    assert "Raw[" in shown or "Stream" in shown or "Pages[" in shown
    check(shown, words)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_editor_knows_every_call(client: type) -> None:
    with written(client) as editor:
        for name, words in members(client):
            check(editor.hover(f"\nclient.{name}"), words)
        for name, words in operations(client):
            check_raw(editor.hover(f"\nraw.{name}"), words)
        for group, kind in groups(client).items():
            for name, words in members(kind):
                check(editor.hover(f"\nown_{group}.{name}"), words)
                check_raw(editor.hover(f"\nraw_{group}.{name}"), words)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_editor_offers_every_call_and_every_option(client: type) -> None:
    with written(client) as editor:
        assert {name for name, _ in members(client)} <= editor.completions("(\nclient.")
        making = editor.signature(f"\n{client.__name__}(")
        changing = editor.signature("other.with_options(")
    for shown, options in ((making, ClientOptions), (changing, CallOptions)):
        assert not UNTYPED.search(shown), shown
        assert not [name for name in options.__annotations__ if f"{name}: " not in shown]


def test_an_editor_knows_puters_client_which_has_both_modes() -> None:
    lines = ["from puter import PuterAI", "client = PuterAI()"]
    lines += [f"client.{name}" for name, _ in members(puter.PuterAI)]
    lines += ["other = client", "other.chat(", "PuterAI(", "client."]
    with opened("\n".join(lines)) as editor:
        for name, words in members(puter.PuterAI):
            check(editor.hover(f"\nclient.{name}"), words)
        assert {name for name, _ in members(puter.PuterAI)} <= editor.completions("(\nclient.")
        making, asking = editor.signature("\nPuterAI("), editor.signature("\nother.chat(")
    options = [*puter.ConfigOptions.__annotations__, *ClientOptions.__annotations__]
    assert not [name for name in options if f"{name}: " not in making]
    for shown in (making, asking):
        assert not UNTYPED.search(shown), shown
    assert "temperature: " in asking
