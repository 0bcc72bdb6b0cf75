"""What the Puter document shows runs as printed against the dev server, blocking and awaited."""

from __future__ import annotations

import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.server.ids import new_id
from puter import (
    PuterAI,
    PuterAPIError,
    PuterAuthError,
    PuterConfig,
    PuterError,
    PuterRateLimitError,
    PuterStreamError,
    PuterTimeoutError,
    PuterUnreachableError,
)
from support.live import Live
from support.puter import Using
from support.puter import unset as unset
from support.puter import using as using

EXAMPLES = Path(__file__).parents[2] / "sdks" / "puter" / "examples"
PASSWORD = "correct horse"

SAYS = {
    "basic_usage.py": ["user: Hello!\nassistant: ", "user: Tell me a story.\nassistant: "],
    "async_usage.py": ["\n8 messages, 5 requests\n"],
    "function_calling.py": ["weather answered: 18 °"],
    "error_handling.py": ["failed with 400 bad_request: Model not found. "],
}


@pytest.fixture
def name() -> str:
    """Somebody who is not known yet, so that the dev server registers who logs in."""
    return new_id()


@pytest.fixture
def here(live: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """The server, found by the environment, as a user of the document has it."""
    monkeypatch.setenv("PUTER_API_BASE", live.url)
    return live


def ran(url: str, *program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    told = {"PUTER_API_BASE": url, "PYTHONIOENCODING": "utf-8", **environ}
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", *program],
        env={**os.environ, **told},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("example", SAYS)
def test_an_example_runs_as_printed(example: str, live: Live) -> None:
    done = ran(live.url, str(EXAMPLES / example))
    assert (done.returncode, done.stderr) == (0, "")
    for said in SAYS[example]:
        assert said in done.stdout


CALLS = """
from puter import PuterAI

ai = PuterAI(username="NAME", password="correct horse")
assert ai.login() is True
assert ai.set_model("loom/echo") is True
print(ai.chat("Hello"))
print(ai.chat("How are you?", model="claude-3.5-sonnet"))
assert set(ai.get_available_models()) > {"gpt-4", "claude-3.5-sonnet", "gemini-pro"}
assert ai.set_model("no such model") is False
assert len(ai.chat_history) == 4
ai.clear_chat_history()
assert ai.chat_history == []
"""
AWAITED = """
import asyncio
from puter import PuterAI

async def main():
    ai = PuterAI(username="NAME", password="correct horse")
    assert await ai.async_login() is True
    ai.set_model("loom/echo")
    print(await ai.async_chat("Hello"))
    print(*await asyncio.gather(ai.async_chat("One"), ai.async_chat("Two")))
    assert len(ai.chat_history) == 6

asyncio.run(main())
"""


@pytest.mark.parametrize(("program", "lines"), [(CALLS, 2), (AWAITED, 2)])
def test_the_class_has_the_documents_calls(live: Live, name: str, program: str, lines: int) -> None:
    done = ran(live.url, "-c", program.replace("NAME", name))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Hello\n")
    assert len(done.stdout.splitlines()) == lines


def test_signatures_begin_as_the_document_has_them() -> None:
    assert list(inspect.signature(PuterAI).parameters)[:3] == ["username", "password", "token"]
    for chat in (PuterAI.chat, PuterAI.async_chat):
        assert list(inspect.signature(chat).parameters)[1:3] == ["prompt", "model"]
    assert list(inspect.signature(PuterAI.set_model).parameters) == ["self", "model_name"]


ENVIRONMENT = {
    "PUTER_TIMEOUT": "45",
    "PUTER_MAX_RETRIES": "5",
    "PUTER_RETRY_DELAY": "0.5",
    "PUTER_BACKOFF_FACTOR": "1.5",
    "PUTER_RATE_LIMIT_REQUESTS": "20",
    "PUTER_RATE_LIMIT_PERIOD": "30",
    "PUTER_USERNAME": "ann",
    "PUTER_PASSWORD": PASSWORD,
}
CONFIGURED = """
from puter import PuterAI, config

print(config.api_base, config.login_url, config.timeout, config.max_retries, config.retry_delay,
      config.backoff_factor, config.rate_limit_requests, config.rate_limit_period, config.headers)
ai = PuterAI(timeout=60)
config.update(timeout=10)
ai.chat("Hello", "loom/echo")
print(ai.username, ai.chat_history, config.timeout)
"""


def test_the_environment_sets_up_a_client(live: Live) -> None:
    done = ran(live.url, "-c", CONFIGURED, **ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    asked = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello"}]
    assert done.stdout.splitlines() == [
        f"{live.url} {live.url}/login 45.0 5 0.5 1.5 20 30.0 {{}}",
        f"ann {asked} 10.0",
    ]


def test_a_question_authenticates_asks_and_grows_the_history(
    here: Live, using: Using, name: str
) -> None:
    client = PuterAI(name, PASSWORD)
    for said in ("Hello", "How are you?"):
        assert using(client).chat(said, "loom/echo") == said
    assert client.token is not None
    assert client.chat_history == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "How are you?"},
        {"role": "assistant", "content": "How are you?"},
    ]
    assert client.usage.requests == client.usage.attempts == 3  # a login among them
    told = here.call("GET", "/whoami", key=client.token.reveal()).json
    assert told["username"] == name
    client.close()
    assert client.token is None


def test_what_passes_is_tried_as_often_as_agreed(here: Live, using: Using, name: str) -> None:
    client = PuterAI(name, PASSWORD, max_retries=2, retry_delay=0)
    assert using(client).chat(name, "loom/echo?429=2") == name
    assert client.usage.attempts == 1 + 3
    hasty = PuterAI(name, PASSWORD, max_retries=0)
    with pytest.raises(PuterRateLimitError) as refused:
        using(hasty).chat(f"{name} again", "loom/echo?429=1")
    assert (refused.value.attempts, refused.value.retry_after) == (1, 1.0)
    assert (len(client.chat_history), len(hasty.chat_history)) == (2, 0)


def unreachable() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


WRONG: list[Any] = [
    ({"password": "wrong horse"}, {}, PuterAuthError, 401),
    ({"token": "t", "api_base": unreachable()}, {}, PuterUnreachableError, None),
    ({"timeout": 0.2, "token": "t"}, {"model": "loom/scribe?stall=1"}, PuterTimeoutError, None),
    ({"token": "t"}, {"model": "loom/scribe?malformed=5"}, PuterAPIError, 502),
    ({"token": "t"}, {"model": "no such model"}, PuterAPIError, 400),
    ({"token": "t"}, {"temperature": 7.0}, PuterAPIError, 400),
]


@pytest.mark.parametrize(("setup", "asked", "kind", "status"), WRONG)
def test_whatever_goes_wrong_is_raised_as_documented(
    here: Live,
    using: Using,
    name: str,
    setup: Mapping[str, Any],
    asked: Mapping[str, Any],
    kind: type[PuterError],
    status: int | None,
) -> None:
    assert PuterAI(name, PASSWORD).login()
    who: dict[str, Any] = {} if "token" in setup else {"username": name}
    client = PuterAI(**who, **setup, max_retries=0)
    with pytest.raises(kind) as raised:
        using(client).chat("Hello", **asked)
    assert isinstance(raised.value, PuterAuthError) != isinstance(raised.value, PuterAPIError)
    assert (raised.value.status_code, raised.value.status) == (status, status)
    assert (raised.value.request_id is None) == (status is None)
    assert client.chat_history == []


def test_what_was_said_before_a_stream_broke_is_there(here: Live, using: Using, name: str) -> None:
    client = PuterAI(name, PASSWORD)
    with pytest.raises(PuterStreamError) as broken:
        using(client).stream("Hello", "loom/scribe?cut=5")
    assert broken.value.text
    assert client.chat_history == []


def test_every_driver_of_the_document_is_understood(here: Live, name: str) -> None:
    client = PuterAI(name, PASSWORD, rate_limit_requests=None)
    documented = {
        "gpt-4": "openai-completion",
        "claude-3.5-sonnet": "claude",
        "gemini-pro": "google-completion",
    }
    assert documented.items() <= client.available_models.items()
    drivers = {*client.available_models.values(), "openai-completion"}
    for number, driver in enumerate(sorted(drivers)):
        client.available_models["loom/echo"] = driver
        assert client.chat(f"{number}", "loom/echo") == f"{number}"
        assert client.available_models["loom/echo"] == driver


def test_requests_are_those_of_the_document(here: Live, using: Using, name: str) -> None:
    seen: list[Request] = []

    async def spy(request: Request, outside: Outside, /) -> Response:
        seen.append(request)
        return await outside.send(request)

    client = PuterAI(name, PASSWORD, policies=[spy])
    assert using(client).login()
    answer = using(client).chat("Hello", "gpt-4")
    payload = {
        "interface": "puter-chat-completion",
        "driver": "openai-completion",
        "method": "complete",
        "args": {
            "messages": [{"role": "user", "content": "Hello"}],
            "model": "gpt-4",
            "temperature": 0.7,
            "max_tokens": 4096,
        },
    }
    login, asked = (json.loads(one.body) for one in seen)
    assert login == {"username": name, "password": PASSWORD}
    assert asked == payload
    assert client.token is not None
    told = here.call("POST", "/drivers/call", payload, key=client.token.reveal()).json
    assert told["result"]["message"] == {"role": "assistant", "content": answer, "refusal": None}


def test_two_clients_with_different_overrides_do_not_affect_each_other(
    here: Live, using: Using, name: str
) -> None:
    sent: dict[str, list[Request]] = {"one": [], "other": []}

    def spy(of: str) -> Any:
        async def spying(request: Request, outside: Outside, /) -> Response:
            sent[of].append(request)
            return await outside.send(request)

        return spying

    one = PuterAI(
        name, PASSWORD, timeout=41, max_retries=1, headers={"X-Of": "one"}, policies=[spy("one")]
    )
    other = PuterAI(name, PASSWORD, timeout=42, max_history_messages=2, policies=[spy("other")])
    one.current_model, other.current_model = "loom/echo", "loom/scribe"
    one.available_models["mine"] = "claude"
    for number in range(2):
        assert using(one).chat(f"one {number}") == f"one {number}"
        assert using(other).chat(f"other {number}") != f"other {number}"
    assert (len(one.chat_history), len(other.chat_history)) == (4, 2)
    assert "mine" not in other.available_models
    assert {(r.timeouts.idle, r.header("x-of")) for r in sent["one"]} == {(41.0, "one")}
    assert {(r.timeouts.idle, r.header("x-of")) for r in sent["other"]} == {(42.0, None)}
    assert (PuterConfig().timeout, PuterConfig().headers) == (30.0, {})
