"""Ctrl-C, forks, and programs that end with an application left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

APP = """
import asyncio, gc, os, signal, sys, threading
from chatloom.core.http import Request
from chatloom.core.inline import run_inline
from chatloom.transports.asgi import AsgiTransport

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole lines, from any thread

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    if scope["path"] == "/":
        await send({"type": "http.response.body"})
    await send({"type": "http.response.body", "body": b"hi", "more_body": True})
    say("waiting")
    await asyncio.sleep(30)

run = run_inline if sys.argv[1] == "blocking" else asyncio.run
outside = AsgiTransport(app, blocking=run is run_inline)
"""
ASK = """
say(run(outside.send(Request("GET", "/"))).status)
"""
HALF_READ = """
async def begin():
    global response
    response = await outside.send(Request("GET", "/x", streamed=True))
    say(await response.arriving.read())
run(begin())
"""
both = pytest.mark.parametrize("side", ["blocking", "async"])
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")

# Python 3.12 and later warn of every fork beside a thread.
WARNINGS = "default,ignore:This process:DeprecationWarning"


def program(side: str, *parts: str) -> subprocess.Popen[str]:
    source = "\n".join(dedent(part) for part in parts)
    # A request that fails behind its answer is told on standard error; here that is on purpose.
    quiet = "import logging; logging.disable()\n"
    return subprocess.Popen(
        [sys.executable, "-c", quiet + source, side],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": WARNINGS},
    )


def said(side: str, *parts: str) -> list[str]:
    """Run a program; give its lines, once it has ended well and without complaint."""
    with program(side, *parts) as running:
        try:
            out, complaints = running.communicate(timeout=20)
        finally:
            running.kill()
    assert (complaints, running.returncode) == ("", 0)
    return out.splitlines()


@both
def test_a_program_may_end_with_its_client_open(side: str) -> None:
    assert said(side, APP, ASK) == ["200", "shut down"]


@both
def test_a_program_may_end_within_a_stream(side: str) -> None:
    assert sorted(said(side, APP, HALF_READ)) == ["b'hi'", "shut down", "waiting"]


@both
def test_a_program_may_end_without_having_asked(side: str) -> None:
    assert said(side, APP) == []


@posix_only
@both
def test_ctrl_c_interrupts_a_call_at_once(side: str) -> None:
    interrupted = """
    try:
        run(outside.send(Request("GET", "/x")))
    except KeyboardInterrupt:
        say("interrupted")
    """
    with program(side, APP, interrupted, ASK) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "waiting\n"
        running.send_signal(signal.SIGINT)
        out, complaints = running.communicate(timeout=10)
    assert (out.split("\n"), complaints) == (["interrupted", "200", "shut down", ""], "")


FORK = """
if not (child := os.fork()):
    say("child", run(outside.send(Request("GET", "/"))).status)
    run(outside.close())
    sys.exit()
os.waitpid(child, 0)
"""


@posix_only
@both
def test_a_child_runs_an_application_of_its_own(side: str) -> None:
    lines = said(side, APP, ASK, FORK, ASK)
    assert lines == ["200", "child 200", "shut down", "200", "shut down"]


@posix_only
@both
def test_a_child_does_not_touch_its_parents_stream(side: str) -> None:
    fork = """
    if not (child := os.fork()):
        from chatloom import SettingsError
        async def read():
            try:
                await response.arriving.read()
            except SettingsError as error:
                say(error)
        run(read())
        response.arriving.abandon()
        del response
        gc.collect()
        sys.exit()
    os.waitpid(child, 0)
    """
    lines = said(side, APP, HALF_READ, fork, ASK)
    assert [line for line in lines if line != "waiting"] == [
        "b'hi'",
        "this stream belongs to the parent process",
        "200",
        "shut down",
    ]


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "{'asyncio', 'ssl', 'http.client', 'logging'}"
    part = f"""
    import sys
    from chatloom.transports.asgi import AsgiTransport
    AsgiTransport(None, blocking=True)
    print(sorted(set(sys.modules) & {heavy}))
    """
    with subprocess.Popen(
        [sys.executable, "-c", dedent(part)], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.communicate(timeout=20)[0] == "[]\n"
