"""A database that is refused, and the folder it was refused in."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from support.commands import Shell

COMMANDS = [
    ["serve", "--port", "0"],
    ["serve", "--dev", "--port", "0"],
    ["chat", "Hello!", "-m", "loom/echo"],
    ["keys", "list"],
    ["keys", "create", "a"],
    ["doctor"],
]
each_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.rglob("*"))


@each_command
def test_nothing_is_left_beside_a_file_that_is_no_database(
    shell: Shell, command: list[str]
) -> None:
    (shell.folder / "diary.txt").write_text("Dear diary, " * 1000)
    run = shell.apart(*command, "--db", "diary.txt")
    assert (run.code, "is not a database chatloom can use" in run.err) == (1, True)
    assert entries(shell.folder) == ["diary.txt"]


@each_command
def test_a_folder_that_is_not_there_is_not_made(shell: Shell, command: list[str]) -> None:
    run = shell.apart(*command, "--db", "typo/own.db")
    assert run.code == 1
    assert f"there is no folder {shell.folder / 'typo'}" in run.err
    assert entries(shell.folder) == []


def test_only_the_file_is_left_where_dev_refuses_it(shell: Shell) -> None:
    assert shell("keys", "create", "real").code == 0
    assert shell.apart("serve", "--dev", "--port", "0").code == 1
    assert entries(shell.folder) == ["own.db"]


def test_only_the_file_is_left_where_the_port_is_taken(shell: Shell) -> None:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert shell.apart("serve", "--port", str(listening.getsockname()[1])).code == 1
    assert entries(shell.folder) == ["own.db"]
