"""One question, in pipes; and whom it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.live import Live, environment

posix_only = pytest.mark.skipif(os.name == "nt", reason="arguments are letters there")


class Shell:
    """Runs ``chatloom chat`` in a folder of its own, where nobody else's settings are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *arguments: str, piped: bytes = b"", **variables: str
    ) -> tuple[int, str, str]:
        """Return exit code, output and complaints. A traceback fails the test."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "chatloom", "chat", *arguments],
            input=piped,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=environment(self.folder, variables),
        )
        err = done.stderr.decode()
        assert "Traceback" not in err, err
        return done.returncode, done.stdout.decode(), err


@pytest.fixture
def chat(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


ASKED: dict[str, tuple[list[str], bytes, str]] = {
    "as arguments": (["What", "is it?"], b"", "What is it?\n"),
    "piped in": ([], b"# What\n\nis *it*?\n", "# What\n\nis *it*?\n"),
    "both": (["Sum up:"], b"a text", "Sum up:\n\na text\n"),
    "bytes that are no letters": ([], b"a\xffb", "a�b\n"),
    "commands are text here": ([], b"/help", "/help\n"),
}


@pytest.mark.parametrize(("words", "piped", "answer"), ASKED.values(), ids=ASKED)
def test_a_question_is_answered_as_it_is(
    chat: Shell, live: Live, words: list[str], piped: bytes, answer: str
) -> None:
    run = chat(*words, "--url", live.url, "-m", "loom/echo", piped=piped)
    assert run == (0, answer, "")


@posix_only
def test_arguments_that_are_no_letters_are_replaced_as_in_pipes(chat: Shell, live: Live) -> None:
    odd = os.fsdecode(b"a\xffb")
    run = chat(odd, "--url", live.url, "-m", "loom/echo", "-s", odd)
    assert run == (0, "a�b\n", "")
    code, _, err = chat("Hi", "--url", live.url, "-m", odd)
    assert (code, "'a�b'" in err) == (1, True)
    assert chat("Hi", "--url", live.url, "-c", odd)[0] == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file is always full there")
@pytest.mark.parametrize("command", [["chat", "Hi", "-m", "loom/echo"], ["models"], ["--version"]])
def test_a_full_disk_is_a_line(tmp_path: Path, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "chatloom", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env=environment(tmp_path),
        )
    assert (done.returncode, done.stderr) == (1, b"chatloom: No space left on device\n")


FAILED = {
    "nothing asked": ("loom/echo", "  ", "", "chatloom: nothing was asked\n"),
    "no such model": ("nobody", "Hi", "", "chatloom: There is no model 'nobody' here."),
    "broken off": (
        "loom/scribe?cut=3",
        "Hi",
        "Start with the",
        "chatloom: broke off: the provider",
    ),
}


@pytest.mark.parametrize(("model", "piped", "out", "err"), FAILED.values(), ids=FAILED)
def test_failures_are_told_apart(
    chat: Shell, live: Live, model: str, piped: str, out: str, err: str
) -> None:
    run = chat("--url", live.url, "-m", model, piped=piped.encode())
    assert (run[0], bool(run[1])) == (1, bool(out))
    assert run[2].startswith(err)


def test_options_are_heeded(chat: Shell, live: Live) -> None:
    first = chat("Hi", "--url", live.url, "-s", "Talk of nothing but volcanoes")
    other = chat("Hi", "--url", live.url, "-s", "Talk of nothing but harbours")
    assert (first[0], other[0]) == (0, 0)
    assert first[1] != other[1]


def test_a_conversation_can_be_gone_on_with(chat: Shell, live: Live) -> None:
    code, _, err = chat("Hi", "--url", live.url, "-c", "01a1f9f5-2dcb-7c41-90b7-1d050223ae0b")
    assert (code, "conversation" in err) == (1, True)


def test_an_address_comes_from_the_environment(chat: Shell, live: Live) -> None:
    run = chat("Hi", "-m", "loom/echo", CHATLOOM_BASE_URL=live.url, CHATLOOM_API_KEY="mine")
    assert run == (0, "Hi\n", "")


def test_a_server_that_is_not_there_is_told(chat: Shell) -> None:
    code, out, err = chat("Hi", "--url", "http://localhost:1")
    assert (code, out) == (1, "")
    assert "could not connect to localhost:1" in err
    assert err.count("\n") == 1


def test_without_a_terminal_there_must_be_a_question(chat: Shell) -> None:
    code, _, err = chat()
    assert (code, err) == (1, "chatloom: nothing was asked\n")


def test_the_server_that_has_the_database_open_is_found(
    chat: Shell, serve: Callable[..., Live]
) -> None:
    server = serve(dev=False)
    for _ in range(2):
        run = chat("Hi", "--db", str(server.database), "-m", "loom/echo")
        assert run == (0, "Hi\n", "")
    names = [
        key["name"] for key in server.call("GET", "/admin/keys", key=server.admin_key).json["keys"]
    ]
    assert sorted(names) == ["admin", "chatloom chat"]
    assert server.counts()["turn"] == 2


def test_a_servers_key_is_wanted_where_one_is_given(
    chat: Shell, serve: Callable[..., Live]
) -> None:
    server = serve(dev=False)
    code, _, err = chat("Hi", "--url", server.url, "--key", "wrong-key")
    assert (code, "give a key with --key, or in CHATLOOM_API_KEY" in err) == (1, True)
    assert chat("Hi", "--url", server.url, "--key", server.admin_key)[0] == 0


def test_no_server_is_needed(chat: Shell) -> None:
    file = chat.folder / "own.db"
    for _ in range(2):
        assert chat("Hi", "--db", str(file), "-m", "loom/echo") == (0, "Hi\n", "")
    assert file.exists()
