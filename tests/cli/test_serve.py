"""``chatloom serve``: starting, refusing to, and stopping."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from chatloom.server.models.registry import DOCUMENTED, DOCUMENTED_EMBEDDERS
from chatloom.server.run import DEFAULT_PORT
from support.commands import Shell
from support.live import Live

Serve = Callable[..., Live]


def test_the_first_start_shows_an_administrators_key_and_no_other_does(serve: Serve) -> None:
    first = serve(dev=False)
    assert first.call("GET", "/admin/keys", key=first.admin_key).status == 200
    assert first.complete("Hello!", key=first.admin_key).status == 200
    assert first.stop() == 0
    second = serve(database=first.database, dev=False)
    assert second.ready["admin_key"] is None
    assert second.call("GET", "/admin/keys", key=first.admin_key).status == 200


def test_a_dev_server_shows_no_key_and_takes_any(serve: Serve) -> None:
    server = serve()
    assert (server.ready["dev"], server.ready["admin_key"]) == (True, None)
    assert server.complete("Hello!", key="whatever").status == 200
    told = {"ready", "url", "database", "dev", "wanted_port", "admin_key", "unused_providers"}
    assert set(server.ready) == told
    assert server.ready["database"] == str(server.database)


def test_a_second_server_on_a_file_is_told_where_the_first_is(serve: Serve) -> None:
    first = serve()
    shell = Shell(first.database.parent)
    run = shell.apart("serve", "--dev", "--port", "0")
    assert run.code == 1
    assert "in use by a running server" in run.err
    assert first.url.replace("localhost", "127.0.0.1") in run.err
    assert str(first.process.pid) in run.err
    assert first.call("GET", "/health").status == 200


@pytest.fixture
def taken() -> Iterator[None]:
    """Somebody has the default port."""
    with closing(socket.socket()) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", DEFAULT_PORT))
            listening.listen()
        except OSError:
            pass  # so somebody else has it
        yield


@pytest.mark.usefixtures("taken")
def test_where_the_default_port_is_taken_another_one_is_and_that_is_said(serve: Serve) -> None:
    server = serve(port=None)
    assert server.ready["wanted_port"] == DEFAULT_PORT
    assert server.port > DEFAULT_PORT
    assert server.call("GET", "/health").status == 200


def test_a_port_that_was_asked_for_and_is_taken_is_refused(shell: Shell) -> None:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = str(listening.getsockname()[1])
        run = shell.apart("serve", "--dev", "--port", port)
    assert (run.code, run.out) == (1, "")
    assert f"127.0.0.1:{port} cannot be served" in run.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_dev_server_is_for_this_machine_alone(shell: Shell, host: str) -> None:
    run = shell.apart("serve", "--dev", "--host", host, "--port", "0")
    assert (run.code, run.out) == (1, "")
    assert "loopback only" in run.err
    assert not shell.database.exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_this_machine_has_several_names(serve: Serve, host: str) -> None:
    assert serve("--host", host).call("GET", "/health").status == 200


def test_provider_keys_of_the_environment_are_left_alone_in_dev(serve: Serve) -> None:
    environ = {"OPENAI_API_KEY": "sk-canary"}
    dev = serve(environ=environ)
    assert dev.complete("Hello!", model="openai/gpt-5-zeta").status == 404
    text = dev.call("GET", "/v1/models", key="a").body
    known = DOCUMENTED + DOCUMENTED_EMBEDDERS
    listed = [one["id"] for one in json.loads(text)["data"]]
    assert [one for one in listed if "openai" in one and one not in known] == []
    assert "sk-canary" not in dev.log


def greeting(shell: Shell, *arguments: str) -> str:
    """Start a server as people do, stop it, and return what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "chatloom", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=shell.folder,
        env=shell.environ,
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                process.send_signal(signal.SIGINT)
    return "".join(lines)


def test_people_are_greeted_with_what_they_need(shell: Shell) -> None:
    first, second = greeting(shell), greeting(shell)
    assert re.search(r"chatloom is ready at http://localhost:\d+\n", first)
    assert str(shell.database) in first
    assert "curl http://localhost:" in first
    assert re.search(r"key +loom_\S+", first)
    assert not re.search(r"loom_\S{20}", second)
    assert "any key is accepted" in greeting(shell, "--dev", "--db", "dev.db")


def test_dev_does_not_open_a_database_with_real_keys(shell: Shell) -> None:
    assert shell("keys", "create", "real").code == 0
    run = shell.apart("serve", "--dev", "--port", "0")
    assert run.code == 1
    assert "holds real keys" in run.err


def outcome(server: Live, turn: str | None) -> tuple[str, str]:
    rows = server.rows(
        "SELECT outcome, coalesce(body, '{}') FROM turn"
        " LEFT JOIN message ON message.id = message_id WHERE turn.id = ?",
        turn,
    )
    return rows[0][0], json.loads(rows[0][1]).get("content", "")


def test_a_stopping_server_lets_a_stream_end(serve: Serve) -> None:
    server = serve("--grace", "20")
    with server.stream("Hello!", model="loom/scribe?delay=10&tokens=50") as response:
        response.readline()
        server.process.send_signal(signal.SIGTERM)
        assert response.read().endswith(b"data: [DONE]\n\n")
        turn = response.getheader("X-Chatloom-Turn")
    assert server.stop() == 0
    assert outcome(server, turn)[0] == "complete"


LONG = "loom/scribe?delay=10&tokens=5000"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_settles_what_takes_too_long(
    serve: Serve, number: signal.Signals
) -> None:
    server = serve("--grace", "0.1")
    with server.stream("Hello!", model=LONG) as response:
        response.readline()
        turn = response.getheader("X-Chatloom-Turn")
        server.process.send_signal(number)
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()
    assert b'"code":"cancelled"' in cut.value.partial
    assert b"[DONE]" not in cut.value.partial
    assert server.process.wait(30) == (0 if number == signal.SIGTERM else 130)
    ended, text = outcome(server, turn)
    assert (ended, text != "") == ("cancelled", True)
    assert Shell(server.database.parent)("doctor", "--json").json["open_turns"] == []
    assert server.log == ""


def test_a_plain_request_is_told_that_the_server_stopped(serve: Serve) -> None:
    server = serve("--grace", "0.1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.complete, "Hello!", model=LONG)
        while not server.rows("SELECT id FROM turn"):
            time.sleep(0.01)
        assert server.stop() == 0
        answer = waiting.result()
    assert (answer.status, answer.error["code"]) == (503, "cancelled")
    assert answer.headers["x-should-retry"] == "true"  # nothing was said, or charged
    assert outcome(server, answer.headers["x-chatloom-turn"])[0] == "cancelled"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_server_does_not_keep_the_file(serve: Serve) -> None:
    first = serve()
    answer = first.complete("Hello!", key="a")
    first.kill()
    second = serve(database=first.database)
    turn = answer.headers["x-chatloom-turn"]
    assert second.call("GET", f"/v1/turns/{turn}", key="a").json["text"] == answer.text
