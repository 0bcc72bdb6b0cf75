"""The server inside the process, through the clients that talk to it."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib import util
from pathlib import Path
from textwrap import dedent

import pytest

from chatloom import SettingsError, embedded
from chatloom.core.secret import Secret
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import NewKey
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.sqlite import SQLiteStore, check_file
from chatserver_sdk import (
    AsyncChatServerClient,
    ChatCompletionResponse,
    ChatServerClient,
    NotFoundError,
    StreamInterruptedError,
    UnauthorizedError,
)
from support.commands import Shell
from support.live import Live, environment

ECHO = "loom/echo"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's keys, settings or providers."""
    for name in [name for name in os.environ if name.startswith(("CHAT", "OPEN", "OLLAMA"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread is left once every client is closed or collected."""
    yield
    gc.collect()
    until = time.monotonic() + 10
    while (left := _threads()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left


def _threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("chatloom-")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "own.db"


def address(path: Path) -> str:
    return f"embedded:///{path.as_posix().lstrip('/')}"


def text(answer: ChatCompletionResponse) -> str:
    return answer.choices[0].message.content


def talk(client: ChatServerClient, session: str | None = None) -> str:
    """Say a word; give the session it is in."""
    answer = client.create_completion(ECHO, ["Hello!"], session_id=session)
    assert text(answer) == "Hello!"
    return answer.system_fingerprint or ""


def why_not(client: ChatServerClient) -> str:
    """What is wrong with how the client was set up."""
    with pytest.raises(SettingsError) as caught:
        talk(client)
    return caught.value.message


def begun(base_url: str) -> str:
    """A session that a client which has closed since has begun."""
    with ChatServerClient(base_url=base_url) as client:
        return talk(client)


def test_a_blocking_client_needs_no_server() -> None:
    with ChatServerClient(base_url="embedded:") as client:
        assert text(client.create_completion(ECHO, ["Hello!"])) == "Hello!"
        stream = client.create_completion(ECHO, ["Hello there!"], stream=True)
        assert "".join(stream) == "Hello there!"
        assert "loom/scribe" in [model.id for model in client.list_models().data]


def test_an_async_client_needs_none_either() -> None:
    async def main() -> None:
        async with AsyncChatServerClient(base_url="embedded:") as client:
            assert text(await client.create_completion(ECHO, ["Hello!"])) == "Hello!"
            stream = client.create_completion(ECHO, ["Hello there!"], stream=True)
            assert "".join([piece async for piece in stream]) == "Hello there!"

    asyncio.run(main())


def test_faults_break_off_as_over_a_wire() -> None:
    with ChatServerClient(base_url="embedded:") as client:
        stream = client.create_completion("loom/scribe?cut=3", ["Hello!"], stream=True)
        with pytest.raises(StreamInterruptedError) as caught:
            list(stream)
    assert caught.value.text


def test_memory_is_private_to_its_client() -> None:
    with (
        ChatServerClient(base_url="embedded:") as one,
        ChatServerClient(base_url="embedded:") as other,
    ):
        session = talk(one)
        assert talk(one, session) == session
        with pytest.raises(NotFoundError):
            talk(other, session)


def test_a_named_memory_is_shared_between_clients_of_both_kinds() -> None:
    with ChatServerClient(base_url="embedded:shared") as client:
        session = talk(client)

        async def go_on() -> str | None:
            async with AsyncChatServerClient(base_url="embedded:shared") as other:
                answer = await other.create_completion(ECHO, ["Hello!"], session_id=session)
                return answer.system_fingerprint

        assert asyncio.run(go_on()) == session
        with ChatServerClient(base_url="embedded:another") as other, pytest.raises(NotFoundError):
            talk(other, session)


@pytest.mark.parametrize("how", ["closed", "collected"])
def test_a_named_memory_is_gone_with_its_last_client(how: str) -> None:
    client = ChatServerClient(base_url="embedded:passing")
    session = talk(client)
    if how == "closed":
        client.close()
    del client
    gc.collect()
    with ChatServerClient(base_url="embedded:passing") as client, pytest.raises(NotFoundError):
        talk(client, session)


def test_each_key_has_an_account_of_its_own() -> None:
    with ChatServerClient(base_url="embedded:accounts") as nobody:
        session = talk(nobody)
        with ChatServerClient("some-key", "embedded:accounts") as somebody:
            talk(somebody)
            with pytest.raises(NotFoundError):
                talk(somebody, session)


def test_memory_answers_to_the_documents_names_and_never_asks_a_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with ChatServerClient(base_url="embedded:") as client:
        assert client.create_completion("openai/gpt-4o", ["Hello!"]).model == "loom/scribe"


def test_a_file_keeps_what_was_said(path: Path) -> None:
    session = begun(address(path))
    with ChatServerClient(base_url=address(path)) as client:
        assert talk(client, session) == session
    assert check_file(path).problems == []


def test_two_clients_share_a_file(path: Path) -> None:
    other_spelling = address(path.parent / "." / ".." / path.parent.name / path.name)
    with ChatServerClient(base_url=address(path)) as one:
        session = talk(one)
        with ChatServerClient(base_url=other_spelling) as other:
            assert talk(other, session) == session
        assert talk(one, session) == session


def test_a_file_is_opened_anew_while_the_last_client_leaves(path: Path) -> None:
    sessions = {begun(address(path)) for _ in range(5)}
    for _ in range(5):
        client = ChatServerClient(base_url=address(path))
        sessions.add(talk(client))
        del client  # collected, and so nobody waits for its end
    assert len(sessions) == 10


def test_what_does_not_run_does_not_lock(path: Path) -> None:
    with ChatServerClient(base_url=address(path)), ChatServerClient(base_url="embedded:"):
        assert not path.exists()
        assert not _threads()


def test_a_file_that_is_served_is_not_embedded(path: Path, serve: Callable[..., Live]) -> None:
    path.parent.mkdir()
    live = serve(database=path)
    with ChatServerClient(base_url=address(path)) as client:
        assert f"give the client base_url='http://127.0.0.1:{live.port}' instead" in why_not(client)
        live.stop()
        talk(client)


def test_a_file_that_is_embedded_is_not_served(path: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with ChatServerClient(base_url=address(path)) as client:
        talk(client)
        for command in (["serve", "--dev", "--port", "0"], ["keys", "list"]):
            run = shell(*command, "--db", str(path))
            assert run.code == 1
            assert f"has it embedded (process {os.getpid()})" in run.err


def test_a_file_that_another_program_has_embedded_says_whose_it_is(path: Path) -> None:
    holding = """
    client = ChatServerClient(base_url=sys.argv[1])
    talk(client)
    print("ready", flush=True)
    sys.stdin.read()
    """
    with program(address(path), holding, stdin=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        with ChatServerClient(base_url=address(path)) as client:
            why = why_not(client)
            assert f"has it embedded (process {other.pid})" in why
            assert "chatloom serve" in why
            assert other.communicate(timeout=20) == ("", "")
            talk(client)


def mint(path: Path) -> Secret:
    async def made() -> Secret:
        store = SQLiteStore(path)
        _, secret = await Identity(store, dev=False).mint(
            NewKey(name="real"), deed("test", "key.created")
        )
        await store.close()
        return secret

    return asyncio.run(made())


def test_a_file_with_real_keys_wants_one_of_them(path: Path) -> None:
    secret = mint(path)
    for wrong in (None, "any-key", embedded.NOBODY):
        with ChatServerClient(wrong, address(path)) as client, pytest.raises(UnauthorizedError):
            talk(client)
    with ChatServerClient(secret, address(path)) as client:
        talk(client)


def test_a_file_obeys_the_configuration(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "chatloom.toml"
    config.write_text('[aliases]\n"my-model" = "loom/echo"\n')
    monkeypatch.setenv("CHATLOOM_CONFIG", str(config))
    with ChatServerClient(base_url=address(path)) as client:
        assert text(client.create_completion("my-model", ["Hello!"])) == "Hello!"


def test_a_file_never_takes_an_offline_model_for_a_real_one(path: Path) -> None:
    with (
        ChatServerClient(base_url=address(path)) as client,
        pytest.raises(NotFoundError, match="OPENAI_API_KEY"),
    ):
        client.create_completion("openai/gpt-4o", ["Hello!"])


def test_a_file_that_cannot_be_used_says_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("This is no database.")
    with ChatServerClient(base_url=address(path)) as client:
        assert "not a database" in why_not(client)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a%00b.db", "loop/a.db"])
def test_a_path_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with suppress(OSError):  # Windows lets few make links
        (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SettingsError, match=r"no path|cannot be made"):
        talk(ChatServerClient(base_url=f"{address(tmp_path)}/{name}"))


def test_a_damaged_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    with ChatServerClient(base_url=f"embedded://{path}") as client:
        client.list_models()
    pages = bytearray(path.read_bytes())
    pages[4096:24576] = bytes(20480)
    path.write_bytes(pages)
    with (
        ChatServerClient(base_url=f"embedded://{path}") as client,
        pytest.raises(SettingsError, match=r"damaged\.db cannot be used"),
    ):
        client.list_models()


@pytest.mark.parametrize(
    "wrong",
    [
        "embedded:a.db",
        "embedded:a b",
        "embedded:folder/a.db",
        "embedded:/a.db",
        "embedded://a.db",
        "embedded:///",
        "embedded:///folder/",
        "embedded:///a.db?mode=ro",
        r"embedded:C:\a.db",
    ],
)
def test_an_address_of_no_known_form_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"embedded:///path/file\.db"):
        ChatServerClient(base_url=wrong)


@pytest.mark.parametrize(
    ("place", "windows", "path"),
    [
        ("///srv/own.db", False, "/srv/own.db"),
        ("///srv/my%20own%3F.db", False, "/srv/my own?.db"),
        ("///C:/own.db", True, "C:/own.db"),
        ("///C:/own.db", False, "/C:/own.db"),
        ("/////machine/share/own.db", True, "///machine/share/own.db"),
    ],
)
def test_a_path_is_what_follows_two_slashes(place: str, windows: bool, path: str) -> None:
    assert embedded.file_path(place, windows=windows) == path


def test_without_the_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", dict[str, None]().get)
    with pytest.raises(SettingsError, match=r"pip install 'chatloom\[server\]'"):
        ChatServerClient(base_url="embedded:")


def test_a_turn_that_still_runs_is_settled_when_the_client_closes(path: Path) -> None:
    with ChatServerClient(base_url=address(path)) as client:
        stream = client.create_completion("loom/scribe?stall=2", ["Hello!"], stream=True)
        next(stream)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT outcome FROM turn").fetchall() == [("cancelled",)]


@pytest.mark.parametrize("where", ["memory", "file"])
def test_threads_and_loops_share_it_under_load(where: str, path: Path) -> None:
    base_url = "embedded:load" if where == "memory" else address(path)

    def blocking(number: int) -> list[str]:
        with ChatServerClient(base_url=base_url) as client:
            said = [f"{number} says {word}" for word in range(20)]
            streams = [client.create_completion(ECHO, [one], stream=True) for one in said]
            assert ["".join(stream) for stream in streams] == said
            return [text(client.create_completion(ECHO, [one])) for one in said]

    def awaiting(number: int) -> list[str]:
        async def main() -> list[str]:
            async with AsyncChatServerClient(base_url=base_url) as client:
                asking = (client.create_completion(ECHO, [f"{number} says {w}"]) for w in range(20))
                return [text(answer) for answer in await asyncio.gather(*asking)]

        return asyncio.run(main())

    with ChatServerClient(base_url=base_url) as client, ThreadPoolExecutor(6) as pool:
        talk(client)
        work = [blocking, awaiting] * 3
        answers = [pool.submit(one, number) for number, one in enumerate(work)]
        for number, answer in enumerate(answers):
            assert answer.result(60) == [f"{number} says {word}" for word in range(20)]


# Python 3.12 and later warn of every fork beside a thread.
WARNINGS = "default,ignore:This process:DeprecationWarning"
PROGRAM = """
import asyncio, gc, os, sys
from chatserver_sdk import AsyncChatServerClient, ChatServerClient
from chatloom import SettingsError
def talk(client):
    return client.create_completion("loom/echo", ["Hello!"])
"""


def program(base_url: str, *parts: str, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + "\n".join(map(dedent, parts)), base_url],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **environment(Path.cwd()),
            "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONWARNINGS": WARNINGS,
        },
    )


def said(base_url: str, *parts: str) -> list[str]:
    """Run a program; give its lines, once it has ended well and without complaint."""
    with program(base_url, *parts) as running:
        try:
            out, complaints = running.communicate(timeout=30)
        finally:
            running.kill()
    assert (complaints, running.returncode) == ("", 0)
    return out.splitlines()


OPEN = "client = ChatServerClient(base_url=sys.argv[1]); talk(client); print('answered')"
OPEN_ASYNC = """
client = AsyncChatServerClient(base_url=sys.argv[1])
asyncio.run(talk(client))
print('answered')
"""
HALF_READ = """
client = ChatServerClient(base_url=sys.argv[1])
stream = client.create_completion("loom/scribe?stall=2", ["Hello!"], stream=True)
next(stream)
print('answered')
"""


@pytest.mark.parametrize(
    ("left_open", "outcome"),
    [(OPEN, "complete"), (OPEN_ASYNC, "complete"), (HALF_READ, "cancelled")],
    ids=["blocking", "async", "within a stream"],
)
def test_a_program_may_end_with_its_client_open(path: Path, left_open: str, outcome: str) -> None:
    assert said(address(path), left_open) == ["answered"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT outcome FROM turn").fetchall() == [(outcome,)]
    begun(address(path))  # and it is not locked


@pytest.mark.parametrize("left_open", [OPEN, OPEN_ASYNC, HALF_READ])
def test_a_program_may_end_with_its_memory_open(left_open: str) -> None:
    assert said("embedded:", left_open) == ["answered"]


FORK = """
sys.stdout.flush()
if not (child := os.fork()):
    try:
        talk(client)
    except SettingsError as error:
        print(error, flush=True)
    with ChatServerClient(base_url="embedded:own") as own:
        talk(own)
    sys.exit()
os.waitpid(child, 0)
talk(client)
print("went on")
"""


@posix_only
@pytest.mark.parametrize("base_url", ["embedded:", "embedded:own", "file"])
def test_a_forked_child_is_told_to_make_a_client_of_its_own(base_url: str, path: Path) -> None:
    if base_url == "file":
        base_url = address(path)
    lines = said(base_url, OPEN, FORK)
    assert [lines[0], lines[-1], len(lines)] == ["answered", "went on", 3]
    assert "make a client of its own in the forked child" in lines[1]


@posix_only
def test_a_child_that_lives_on_does_not_keep_its_parents_file_locked(path: Path) -> None:
    fork = """
    sys.stdout.flush()
    if not (child := os.fork()):
        os.close(1)
        sys.stdin.read()
        os._exit(0)
    """
    with program(address(path), OPEN, fork, "os._exit(0)", stdin=subprocess.PIPE) as running:
        assert running.wait(30) == 0
        begun(address(path))
        running.communicate("")
