"""What `help` and editors show of options that every call shares."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import pytest

from chatloom.core.manner import CallOptions
from chatloom.engines import ClientOptions
from chatserver_sdk import AsyncChatServerClient, ChatServerClient


@pytest.mark.parametrize("client", [ChatServerClient, AsyncChatServerClient])
def test_every_option_is_spelled_out(client: type[ChatServerClient]) -> None:
    making = inspect.signature(client).parameters
    assert list(making)[:3] == ["api_key", "base_url", "timeout"]
    assert set(ClientOptions.__annotations__) <= set(making)
    assert set(CallOptions.__annotations__) <= set(
        inspect.signature(client.with_options).parameters
    )
    assert not any(p.kind is p.VAR_KEYWORD for p in making.values())


@pytest.mark.parametrize("client", [ChatServerClient, AsyncChatServerClient])
def test_misspelled_options_are_refused(client: Any) -> None:
    with pytest.raises(TypeError, match="did you mean 'max_retries'"):
        client(max_retry=0)
    with pytest.raises(TypeError, match="extra_header"):
        client().with_options(extra_header={})


def test_options_that_are_none_are_the_same_as_left_out() -> None:
    nothing: Any = dict.fromkeys(ClientOptions.__annotations__)
    with ChatServerClient(base_url="embedded:", **nothing) as client:
        assert client.list_models().data


def test_help_says_what_an_option_takes() -> None:
    text = pydoc.plain(pydoc.render_doc(ChatServerClient.with_options))
    assert "total_timeout: 'float | None' = ..." in text
    assert "extra_headers: 'Mapping[str, str] | None' = ..." in text
    assert "**options" not in text
