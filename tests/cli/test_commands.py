"""What all commands share: help, version, colour, settings, and ``chatloom models``."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing

import pytest

from chatloom import __version__
from support.commands import Shell
from support.live import environment

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-9]|38;|48;)[0-9;]*m")


def test_the_version_is_told(shell: Shell) -> None:
    assert shell("--version").out == f"chatloom {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["keys"],
        ["keys", "create"],
        ["budgets"],
        ["budgets", "set"],
        ["tree"],
        ["explain"],
        ["export"],
        ["import"],
        ["users"],
        ["users", "create"],
        ["knowledge"],
        ["knowledge", "add"],
        ["backup"],
        ["doctor"],
    ],
)
def test_help_is_no_failure(shell: Shell, command: list[str]) -> None:
    for option in ("-h", "--help"):
        run = shell(*command, option)
        assert (run.code, "Usage:" in run.out) == (0, True)


def test_a_command_is_needed(shell: Shell) -> None:
    assert shell().code == 2
    assert shell("weave").code == 2


def test_a_process_ends_with_the_same_codes(shell: Shell) -> None:
    assert [shell.apart(*command).code for command in (["models"], ["doctor"], ["x"])] == [0, 1, 2]


@pytest.mark.parametrize("command", [["models"], ["--help"], ["keys", "melt"]])
def test_nothing_is_coloured_in_a_pipe(shell: Shell, command: list[str]) -> None:
    run = shell.apart(*command)
    assert ESCAPE not in run.out + run.err


def on_a_terminal(shell: Shell, command: Sequence[str], **variables: str) -> str:
    """Run a command on a pseudo-terminal, and return what is on it."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "chatloom", *command],
        stdout=theirs,
        stderr=theirs,
        cwd=shell.folder,
        env=environment(shell.folder, {"TERM": "xterm-256color", **variables}),
    ):
        os.close(theirs)
        pieces: list[bytes] = []
        try:
            while piece := os.read(ours, 65536):
                pieces.append(piece)
        except OSError:
            pass  # how Linux says that the other side has closed
    os.close(ours)
    return b"".join(pieces).decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("command", [["doctor"], ["keys", "revoke", "a"]])
def test_a_terminal_is_coloured_unless_it_wants_none(shell: Shell, command: list[str]) -> None:
    command = [*command, "--db", str(shell.database)]
    assert COLOUR.search(on_a_terminal(shell, command))
    assert not COLOUR.search(on_a_terminal(shell, command, NO_COLOR="1"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("columns", [50, 80, 300])
def test_no_id_is_ever_cut(shell: Shell, columns: int) -> None:
    key = shell("keys", "create", "narrow", "--json").json
    shell("budgets", "set", "5", "--account", key["account_id"])
    for command in ("keys", "budgets"):
        where = ["--db", str(shell.database)]
        told = on_a_terminal(shell, [command, "list", *where], COLUMNS=str(columns))
        assert key["account_id"] in told
        assert command == "budgets" or key["id"] in told


def test_what_is_stored_says_nothing_to_the_terminal(shell: Shell) -> None:
    """Names were not always looked at."""
    shell("keys", "create", "plain")
    with closing(sqlite3.connect(shell.database)) as connection, connection:
        connection.execute("UPDATE api_key SET name = ?", ("a\nb\x1b[31mred",))
    assert r"a\nb\x1b[31mred" in shell("keys", "list").out


def test_models_are_listed(shell: Shell) -> None:
    run = shell("models")
    assert run.code == 0
    assert {"loom/echo", "loom/scribe"} <= set(run.out.split())
    told = shell("models", "--json").json
    assert {"loom/echo", "loom/scribe"} <= {model["id"] for model in told}
    assert all({"id", "provider", "capabilities"} <= set(model) for model in told)


SETTINGS = {
    "not toml": ("= nonsense", "chatloom.toml"),
    "unknown": ("colour = 'red'", "colour"),
    "wrong type": ("max_body_bytes = 'many'", "max_body_bytes"),
}


@pytest.mark.parametrize(("text", "reason"), SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("command", [["models"], ["serve", "--port", "0"]], ids=" ".join)
def test_settings_that_make_no_sense_are_named(
    shell: Shell, command: list[str], text: str, reason: str
) -> None:
    file = shell.folder / "chatloom.toml"
    file.write_text(text)
    run = shell.apart(*command, "--config", str(file))
    assert (run.code, run.out) == (1, "")
    assert "chatloom.toml" in run.err
    assert reason in run.err


def test_settings_that_are_not_there_are_named(shell: Shell) -> None:
    run = shell("models", "--config", "absent.toml")
    assert (run.code, "absent.toml cannot be read" in run.err) == (1, True)


def test_a_file_in_the_current_folder_is_not_trusted(shell: Shell) -> None:
    (shell.folder / "chatloom.toml").write_text("= nonsense")
    assert shell.apart("models").code == 0
