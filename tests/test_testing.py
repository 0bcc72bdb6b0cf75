"""What users' own tests get: a scripted server, faults, and no network by mistake."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import cast

import httpx
import pytest
import uvloop
from openai import APIConnectionError, OpenAI

from chatloom.core.errors import (
    AnswerError,
    ChatloomError,
    StatusError,
    StreamError,
    TransportError,
    Truncated,
)
from chatloom.testing import (
    Asked,
    NetworkForbidden,
    Server,
    ToolCall,
    forbid_network,
    server,
)
from chatserver_sdk import AsyncChatServerClient, ChatServerClient, ChatServerError
from transports.scripted import free_port
from zaguan import EmbeddingsRequest, ZaguanClient

DOCUMENT = Path(__file__).parents[1] / "docs" / "testing.md"


@pytest.fixture
def chat() -> Iterator[Server]:
    with server() as running:
        yield running
    assert not [one.name for one in threading.enumerate() if one.name.startswith("chatloom-")]


@pytest.fixture
def client(chat: Server) -> ChatServerClient:
    return chat.client(ChatServerClient, max_retries=0)


def text(client: ChatServerClient, model: str = "any-model", said: str = "Hello!") -> str:
    return client.create_completion(model, [said]).choices[0].message.content


def test_answers_are_given_in_turn_whatever_model_is_named(
    chat: Server, client: ChatServerClient
) -> None:
    chat.say("First.")
    chat.say("Second.")
    assert chat.left == 2
    assert [text(client, "no/such-model"), text(client, "loom/echo")] == ["First.", "Second."]
    assert chat.left == 0


def test_embeddings_take_no_line_of_the_script(chat: Server, client: ChatServerClient) -> None:
    chat.say("Sunny.")
    request = EmbeddingsRequest(model="text-embedding-3-small", input="Paris?", dimensions=4)
    (vector,) = chat.client(ZaguanClient).create_embeddings(request).data
    assert (len(vector.embedding), chat.left) == (4, 1)
    assert text(client) == "Sunny."


def test_the_offline_models_answer_where_nothing_is_scripted(client: ChatServerClient) -> None:
    assert text(client, "loom/echo") == "Hello!"
    assert text(client, "no/such-model") == text(client, "loom/scribe")


def test_an_answer_names_the_model_that_was_asked(chat: Server, client: ChatServerClient) -> None:
    chat.say("Sunny.")
    assert client.create_completion("their/model", ["Hello!"]).model == "their/model"


def test_a_text_streams_in_words(chat: Server, client: ChatServerClient) -> None:
    chat.say("One two, three", pause=0.001)
    stream = client.create_completion("any-model", ["Count!"], stream=True)
    assert list(stream) == ["One", " two", ",", " three"]


def test_an_answer_is_said_whole_whatever_length_is_asked_for(
    chat: Server, client: ChatServerClient
) -> None:
    chat.say("One two three four")
    answer = client.create_completion("any-model", ["Count!"], max_tokens=2)
    assert answer.choices[0].message.content == "One two three four"
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("arguments", "written"), [({"city": "Paris"}, '{"city":"Paris"}'), ("{not json", "{not json")]
)
def test_tools_are_called(
    chat: Server, client: ChatServerClient, arguments: dict[str, object] | str, written: str
) -> None:
    chat.say("Let me look.", ToolCall("weather", arguments, id="call_1"), ToolCall("time"))
    (choice,) = client.create_completion("any-model", ["Hello!"]).choices
    assert (choice.message.content, choice.finish_reason) == ("Let me look.", "tool_calls")
    assert choice.message.tool_calls is not None
    first, second = choice.message.tool_calls
    function = {"name": "weather", "arguments": written}
    assert first == {"id": "call_1", "type": "function", "function": function}
    assert second["function"] == {"name": "time", "arguments": "{}"}


def test_requests_are_kept_as_they_were_asked(chat: Server, client: ChatServerClient) -> None:
    first = client.create_completion("loom/echo", ["Hello!"], temperature=0.2, system_prompt="Hm.")
    client.create_completion(
        "other", ["And now?"], stream=True, session_id=first.system_fingerprint
    ).close()
    plain, streamed = chat.requests
    assert (plain.model, plain.parameters.temperature, plain.streamed) == ("loom/echo", 0.2, False)
    assert [(m.role, m.text) for m in plain.messages] == [("system", "Hm."), ("user", "Hello!")]
    assert (streamed.model, streamed.text, streamed.streamed) == ("other", "And now?", True)
    assert [m.text for m in streamed.messages] == ["Hello!", "Hello!", "And now?"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
def test_a_request_can_be_refused(chat: Server, client: ChatServerClient, status: int) -> None:
    chat.fail(status, "not today", code="closed")
    with pytest.raises(ChatServerError, match="not today") as caught:
        text(client)
    assert isinstance(caught.value, StatusError)
    assert (caught.value.status_code, caught.value.code) == (status, "closed")
    assert [asked.text for asked in chat.requests] == ["Hello!"]


def test_a_refusal_says_when_to_come_again(chat: Server, client: ChatServerClient) -> None:
    chat.fail(429, retry_after=7)
    with pytest.raises(StatusError) as caught:
        text(client)
    assert caught.value.retry_after == 7


def test_a_repeated_request_takes_the_next_answer(chat: Server) -> None:
    chat.fail(503, retry_after=0)
    chat.say("Sunny.")
    assert text(chat.client(ChatServerClient)) == "Sunny."
    assert len(chat.requests) == 2


def test_what_cannot_be_scripted_is_said_at_once(chat: Server) -> None:
    with pytest.raises(ValueError, match="the server says 400, 401"):
        chat.fail(418)
    with pytest.raises(ValueError, match="say what"):
        chat.say()
    assert chat.left == 0


def stall(chat: Server, *parts: str, after: int) -> None:
    chat.stall(*parts, after=after, seconds=0.05)


FAULTS = [
    (Server.cut, StreamError, StatusError),
    (Server.hang_up, Truncated, TransportError),
    (stall, StreamError, StatusError),
    (Server.malformed, StreamError, AnswerError),
]


@pytest.mark.parametrize(
    "part",
    [
        5,
        None,
        b"x",
        "\ud800",
        ToolCall("x", {"a": object()}),
        ToolCall("x", "\ud800"),
        ToolCall("x", cast("dict[str, object]", ["a"])),
        ToolCall(cast("str", 5)),
        ToolCall("x", id=cast("str", 5)),
    ],
)
@pytest.mark.parametrize("write", [Server.say, *(partial(fault, after=0) for fault, *_ in FAULTS)])
def test_what_cannot_be_said_is_refused(
    chat: Server, write: Callable[..., None], part: object
) -> None:
    with pytest.raises((TypeError, ValueError)):
        write(chat, "Hm.", part)
    assert chat.left == 0


@pytest.mark.parametrize(
    ("write", "option", "told"),
    [
        (Server.say, {"pause": "x"}, "pause must be int or float, not str"),
        (Server.say, {"pause": -1}, "pause must be a number of seconds"),
        (Server.say, {"pause": float("nan")}, "pause must be"),
        (Server.say, {"finish": "whatever"}, "finishes with stop, length, tool_calls"),
        (Server.stall, {"after": 0, "seconds": "x"}, "seconds must be"),
        (Server.cut, {"after": 1.5}, "after must be int"),
        (Server.cut, {"after": -1}, "after must be a number of pieces"),
        (Server.fail, {"message": 5}, "message must be str"),
        (Server.fail, {"code": 5}, "code must be str"),
        (Server.fail, {"retry_after": "x"}, "retry_after must be"),
    ],
)
def test_what_cannot_be_performed_is_refused(
    chat: Server, write: Callable[..., None], option: dict[str, object], told: str
) -> None:
    said = () if write is Server.fail else ("Hm.",)
    with pytest.raises((TypeError, ValueError), match=told):
        write(chat, *said, **option)
    assert chat.left == 0


@pytest.mark.parametrize(("fault", "streamed", "plain"), FAULTS)
@pytest.mark.parametrize("said", [("One two three four five",), ()], ids=["scripted", "offline"])
def test_an_answer_can_go_wrong(
    chat: Server,
    client: ChatServerClient,
    said: tuple[str, ...],
    fault: Callable[..., None],
    streamed: type[Exception],
    plain: type[Exception],
) -> None:
    for _ in range(2):
        fault(chat, *said, after=3)
    with pytest.raises(streamed) as caught:
        list(client.create_completion("loom/echo", ["One two three four"], stream=True))
    assert isinstance(caught.value, StreamError)
    assert caught.value.text == "One two three"
    with pytest.raises(plain):
        text(client, "loom/echo", "One two three four")


def test_a_fault_behind_the_end_strikes_at_the_end(chat: Server, client: ChatServerClient) -> None:
    chat.cut("One two", after=9)
    with pytest.raises(StreamError) as caught:
        list(client.create_completion("any-model", ["Hello!"], stream=True))
    assert caught.value.text == "One two"


def test_async_clients_are_answered_and_closed_too(chat: Server) -> None:
    async def ask() -> list[str]:
        client = chat.client(AsyncChatServerClient)
        asking = (client.create_completion("loom/echo", [word]) for word in ("one", "two"))
        return [answer.choices[0].message.content for answer in await asyncio.gather(*asking)]

    assert asyncio.run(ask()) == ["one", "two"]


def test_a_program_may_make_its_clients_itself(chat: Server) -> None:
    chat.say("Sunny.")
    with ChatServerClient(base_url=chat.base_url) as own:
        assert text(own) == "Sunny."


def test_two_servers_do_not_mix(chat: Server, client: ChatServerClient) -> None:
    with server() as other:
        other.say("Theirs.")
        chat.say("Ours.")
        assert text(client) == "Ours."
        assert text(other.client(ChatServerClient)) == "Theirs."
    assert len(chat.requests) == 1


def test_other_clients_find_it_on_loopback(chat: Server) -> None:
    assert chat.url == chat.url
    with OpenAI(base_url=f"{chat.url}/v1", api_key="any-key", max_retries=0) as openai:
        chat.say("Sunny.")
        answer = openai.chat.completions.create(
            model="any-model", messages=[{"role": "user", "content": "Hello!"}]
        )
        assert answer.choices[0].message.content == "Sunny."
        chat.hang_up(after=0)
        with pytest.raises(APIConnectionError):
            openai.chat.completions.create(
                model="any-model", messages=[{"role": "user", "content": "Hello!"}]
            )
    assert [asked.text for asked in chat.requests] == ["Hello!", "Hello!"]


def test_what_was_asked_is_typed(chat: Server, client: ChatServerClient) -> None:
    text(client)
    (asked,) = chat.requests
    assert isinstance(asked, Asked)


def blocking(url: str) -> None:
    ChatServerClient(base_url=url).list_models()


def awaiting(url: str) -> None:
    asyncio.run(AsyncChatServerClient(base_url=url).list_models())


def by_uvloop(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(asyncio.Protocol, host, int(port or 80))

    uvloop.run(connect())


def by_httpx(url: str) -> None:
    async def get() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(url)

    asyncio.run(get())


def by_openai(url: str) -> None:
    with OpenAI(base_url=url, api_key="any-key") as openai:
        openai.models.list()


def by_hand(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as bare:
        bare.connect((host, int(port or 80)))


REACHING = [blocking, awaiting, by_uvloop, by_httpx, by_openai, by_hand]


@pytest.mark.parametrize("reach", REACHING)
@pytest.mark.parametrize("url", ["http://192.0.2.1", "http://nowhere.invalid", "http://[::1]:9"])
def test_nothing_reaches_the_network(reach: Callable[[str], None], url: str) -> None:
    if "[" in url and reach in (by_uvloop, by_hand):
        url = "http://127.0.0.1:9"
    with forbid_network(), pytest.raises(NetworkForbidden, match="forbidden in this test"):
        reach(url)


@pytest.mark.parametrize("reach", REACHING)
def test_loopback_can_be_allowed(reach: Callable[[str], None]) -> None:
    with forbid_network(allow_loopback=True):
        with pytest.raises((OSError, ChatloomError, APIConnectionError, httpx.ConnectError)):
            reach(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(NetworkForbidden):
            reach("http://192.0.2.1")


def by_loop(name: str, *args: object) -> Callable[[], object]:
    async def call() -> None:
        await getattr(asyncio.get_running_loop(), name)(*args)

    return lambda: uvloop.run(call())


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: socket.getfqdn("8.8.8.8"),
        lambda: socket.gethostbyaddr("127.0.0.1"),
        lambda: socket.getnameinfo(("::1", 80), 0),
        by_loop("getnameinfo", ("8.8.8.8", 80)),
        by_loop("getaddrinfo", "nowhere.invalid", 80),
    ],
)
def test_no_name_is_looked_up(look_up: Callable[[], object]) -> None:
    with forbid_network(), pytest.raises(NetworkForbidden, match="looking up"):
        look_up()


def test_this_machines_name_may_be_looked_up() -> None:
    with forbid_network(allow_loopback=True):
        with suppress(OSError):  # it may have none
            socket.gethostbyaddr("127.0.0.1")
        with pytest.raises(NetworkForbidden, match=r"the name of 8\.8\.8\.8"):
            socket.gethostbyaddr("8.8.8.8")


def test_what_is_imported_later_reaches_nothing_either(tmp_path: Path) -> None:
    told = theirs(
        tmp_path,
        """
        import asyncio
        import sys
        import pytest
        from chatloom.testing import NetworkForbidden

        def by_uvloop():
            import uvloop

            async def connect():
                await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", 9)

            uvloop.run(connect())

        def by_httpx():
            import httpx

            async def get():
                async with httpx.AsyncClient() as client:
                    await client.get("http://127.0.0.1:9")

            asyncio.run(get())

        def test_before():
            assert not {"uvloop", "anyio"} & set(sys.modules)

        @pytest.mark.parametrize("reach", [by_uvloop, by_httpx])
        def test_both(forbid_network, reach):
            with pytest.raises(NetworkForbidden):
                reach()
        """,
        "-p",
        "no:anyio",
    )
    assert "3 passed" in told, told


def test_other_threads_reach_nothing_either() -> None:
    caught: list[BaseException] = []

    def reach() -> None:
        try:
            socket.create_connection(("192.0.2.1", 80))
        except NetworkForbidden as error:
            caught.append(error)

    with forbid_network():
        thread = threading.Thread(target=reach)
        thread.start()
        thread.join()
    assert len(caught) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")
def test_sockets_of_this_machine_count_as_loopback(tmp_path: Path) -> None:
    for allowed, error in ((False, NetworkForbidden), (True, FileNotFoundError)):
        with (
            socket.socket(socket.AF_UNIX) as bare,
            forbid_network(allow_loopback=allowed),
            pytest.raises(error),
        ):
            bare.connect(str(tmp_path / "nobody"))


def test_datagrams_count_too() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as bare, forbid_network():
        for host in ("192.0.2.1", "nowhere.invalid"):
            with pytest.raises(NetworkForbidden):
                bare.sendto(b"", (host, 9))


def test_those_of_uvloop_too() -> None:
    for target in ("192.0.2.1", "nowhere.invalid"):
        endpoint = ("create_datagram_endpoint", asyncio.DatagramProtocol, None, (target, 9))
        with forbid_network(), pytest.raises(NetworkForbidden):
            by_loop(*endpoint)()


def test_what_was_forbidden_is_allowed_behind_the_block() -> None:
    with forbid_network(), forbid_network(allow_loopback=True):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()))


def test_its_own_servers_can_be_reached(chat: Server) -> None:
    with forbid_network():
        assert text(chat.client(ChatServerClient), "loom/echo") == "Hello!"
        with ChatServerClient(base_url=chat.url) as other:
            assert text(other, "loom/echo") == "Hello!"
        url = chat.url
        chat.close()
        with pytest.raises(NetworkForbidden):
            blocking(url)


def plugged() -> list[str]:
    """How pytest is told of the plugin, as long as it is not installed as one."""
    installed = {entry.value for entry in entry_points(group="pytest11")}
    return [] if "chatloom.testing.plugin" in installed else ["-p", "chatloom.testing.plugin"]


def theirs(folder: Path, source: str, *arguments: str) -> str:
    """Run pytest on *source*, in a process of its own; give what it says."""
    (folder / "test_theirs.py").write_text(dedent(source))
    # Without what other plugins import, which is not ours.
    command = [sys.executable, "-m", "pytest", "-p", "no:respx"]
    done = subprocess.run(
        [*command, "-W", "error", *plugged(), *arguments, "test_theirs.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout + done.stderr


def test_the_document_tells_the_truth(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.S | re.M)
    told = theirs(tmp_path, "\n".join(blocks))
    assert f"{sum(block.count('def test_') for block in blocks)} passed" in told, told


def test_the_fixtures_work_in_async_tests_and_threads(tmp_path: Path) -> None:
    told = theirs(
        tmp_path,
        """
        import threading
        import pytest
        from chatserver_sdk import AsyncChatServerClient, ChatServerClient

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_async(chatloom, forbid_network):
            chatloom.say("Sunny.")
            client = chatloom.client(AsyncChatServerClient)
            answer = await client.create_completion("gpt-5", ["Hello!"])
            assert answer.choices[0].message.content == "Sunny."

        def test_threads(chatloom):
            client = chatloom.client(ChatServerClient)
            asking = [
                threading.Thread(target=client.create_completion, args=("gpt-5", [str(number)]))
                for number in range(8)
            ]
            for one in asking:
                one.start()
            for one in asking:
                one.join()
            assert sorted(asked.text for asked in chatloom.requests) == list("01234567")
        """,
    )
    assert "2 passed" in told, told


def test_a_failing_test_leaves_nothing_behind(tmp_path: Path) -> None:
    told = theirs(
        tmp_path,
        """
        import threading
        from chatserver_sdk import ChatServerClient

        def test_fails(chatloom):
            client = chatloom.client(ChatServerClient)
            next(client.create_completion("loom/scribe?stall=2", ["Hello!"], stream=True))
            assert False

        def test_after():
            assert threading.active_count() == 1
        """,
    )
    assert "1 failed, 1 passed" in told, told


def test_the_plugin_is_light(tmp_path: Path) -> None:
    told = theirs(
        tmp_path,
        """
        import sys

        def test_nothing_heavy():
            heavy = {"asyncio", "ssl", "msgspec", "aiohttp", "uvicorn", "starlette", "sqlite3"}
            assert "chatloom.testing.plugin" in sys.modules
            assert not heavy & set(sys.modules)
            assert not [name for name in sys.modules if name.startswith("chatloom.server")]
        """,
        "-p",
        "no:anyio",
        "-p",
        "no:unraisableexception",
    )
    assert "1 passed" in told, told
