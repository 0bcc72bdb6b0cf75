"""Talks with a server that all tests share, each with an account of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.chat.talk import Talk
from chatloom.core.secret import Secret
from chatloom.transports.blocking import BlockingTransport
from support.live import Live

NewTalk = Callable[..., Talk]


@pytest.fixture
def talk_with(live: Live, request: pytest.FixtureRequest) -> NewTalk:
    """Begin a talk."""

    def begin(model: str = "loom/scribe", system: str | None = None) -> Talk:
        client = ChatClient.at(BlockingTransport(live.url), Secret(request.node.name))
        request.addfinalizer(client.close)
        return Talk(client, model, system)

    return begin
