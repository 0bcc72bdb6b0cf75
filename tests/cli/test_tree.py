"""``chatloom tree``."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from rich.cells import cell_len

from cli.test_commands import COLOUR, on_a_terminal
from support.commands import Shell
from support.live import Live

BASE = "/api/v1/conversations"
SHAPE = re.compile(r"[│├╰─╮╴┊○●◆✗ ]*\S+")


@dataclass(frozen=True)
class Planted:
    """A conversation that somebody made over HTTP."""

    server: Live
    id: str

    def call(self, method: str, path: str = "", body: object = None) -> Any:
        answer = self.server.call(method, f"{BASE}/{self.id}{path}", body, key="gardener")
        assert answer.status < 300, answer.body
        return answer.json.get("data")

    def say(self, text: str, branch: str | None = None) -> Any:
        body = {"content": text, "model": "loom/scribe", **({"branchId": branch} if branch else {})}
        return self.call("POST", "/messages", body)

    def fork(self, exchange: Any, title: str) -> str:
        at = exchange["assistantMessage"]["id"]
        made = self.call("POST", "/fork", {"forkPointMessageId": at, "title": title})
        return str(made["branch"]["id"])


@pytest.fixture(scope="module")
def planted(serve: Callable[..., Live]) -> Planted:
    """Nine exchanges, a branch that is merged and deleted, two on it, one of them inactive."""
    server = serve("--grace", "0")
    made = server.call("POST", BASE, {"title": "[b]Rivers\x85"}, key="gardener")
    tree = Planted(server, made.json["data"]["conversation"]["id"])
    first = tree.say("What is a [red]river?")
    colder = tree.fork(first, "colder")
    cold = tree.say("And a cold one?", colder)
    ice = tree.fork(cold, "ice age")
    tree.say("更冷的河流呢" * 20, ice)
    last = [tree.say(f"Question {number}") for number in range(8)][-1]
    tree.call("POST", f"/branches/{colder}/merge", {})
    tree.say("What then?")
    tree.fork(last, "idle")
    tree.call("PATCH", f"/branches/{ice}", {"isActive": False, "contextMode": "PARTIAL"})
    gone = tree.fork(last, "gone")
    tree.say("Never mind.", gone)
    tree.call("DELETE", f"/branches/{gone}")
    tree.call("DELETE", f"/branches/{colder}")
    question = first["userMessage"]["id"]
    server.call("DELETE", f"/api/v1/messages/{question}", key="gardener")
    return tree


@pytest.fixture
def shell(planted: Planted) -> Shell:
    return Shell(planted.server.database.parent)


def test_a_tree_is_drawn(planted: Planted, shell: Shell) -> None:
    run = shell("tree", planted.id)
    assert (run.code, run.err) == (0, "")
    assert [found[0] for line in run.out.splitlines()[4:] if (found := SHAPE.match(line))] == [
        "main",
        "✗ user",
        "○ assistant",
        "├─╮ colder",
        "│ ○ user",
        "│ ● assistant",
        "│ ╰─╮ ice",
        "│   ○ user",
        "│   ● assistant",
        "┊ …",
        "○ assistant",
        "├─╴ idle",
        "◆ merge",
        "○ user",
        "● assistant",
        "…",
        "--all",
    ]
    for words in (
        "[b]Rivers",
        "colder  deleted, others stand on it · merged into “main” · 2 messages",
        "ice age  inactive · context partial · 2 messages",
        "╴ idle  nothing of its own",
        "┊ … 15 messages …",
        "◆ merge     2 messages of “colder”",
        "✗ user      deleted",
        "… 1 deleted branch · ",
    ):
        assert words in run.out
    for hidden in ("What is a", "Never mind.", "gone", "\x1b", "\x85"):
        assert hidden not in run.out


def test_costs_of_branches_sum_to_the_conversations(planted: Planted, shell: Shell) -> None:
    told = shell("tree", planted.id, "--json").json
    rest = [told["folded"], told["deleted"]]
    for figure in ("tokens_in", "tokens_out"):
        assert sum(one[figure] for one in (*told["branches"], *rest)) == told[figure] > 0
    costs = [one["cost"]["picodollars"] for one in (*told["branches"], *rest)]
    assert sum(costs) == told["cost"]["picodollars"] > 0
    assert told["deleted"]["branches"] == 1


def test_all_of_it_is_told_to_programs(planted: Planted, shell: Shell) -> None:
    some, whole = (shell("tree", planted.id, "--json", *more).json for more in ((), ("--all",)))
    assert len(some["branches"][0]["messages"]) < len(whole["branches"][0]["messages"])
    for branch in whole["branches"]:
        assert len(branch["messages"]) == branch["message_count"]
    kept = planted.call("GET", "/messages")["messages"]
    main = [line for line in whole["branches"][0]["messages"] if not line["deleted"]]
    assert [(one["id"], one["hash"]) for one in main] == [
        (one["id"], one["contentHash"]) for one in kept
    ]
    (merge,) = [line["merge"] for line in main if line["merge"]]
    assert (merge["branch"], merge["messages"], merge["summary"]) == ("colder", 2, False)
    assert "┊" not in shell("tree", planted.id, "--all").out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(planted: Planted, shell: Shell, columns: int) -> None:
    command = ["tree", planted.id, "--db", str(shell.database)]
    told = on_a_terminal(shell, command, COLUMNS=str(columns), NO_COLOR="1")
    assert not COLOUR.search(told)
    lines = _plain(told).splitlines()
    assert len(lines) > 20
    assert max(map(cell_len, lines)) <= columns
    assert COLOUR.search(on_a_terminal(shell, command, COLUMNS=str(columns)))


def _plain(told: str) -> str:
    """*told* without what makes it bold or dim."""
    return "".join(
        part.partition("m")[2] if n else part for n, part in enumerate(told.split("\x1b"))
    )


def test_a_conversation_is_named_by_how_it_begins(planted: Planted, shell: Shell) -> None:
    for name in (planted.id[:-2], planted.id.replace("-", ""), planted.id.upper()):
        assert shell("tree", name, "--json").json["id"] == planted.id


@pytest.mark.parametrize("name", ["01a22bbd-5164-7c1f-b3a0-9f50317f1ba5", "me", ""])
def test_what_is_not_there_is_a_line(shell: Shell, name: str) -> None:
    run = shell("tree", name)
    assert (run.code, run.out) == (1, "")
    assert f"there is no conversation {name!r}" in run.err


def test_a_deleted_conversation_is_not_drawn(planted: Planted, shell: Shell) -> None:
    made = planted.server.call("POST", BASE, {"title": "Gone"}, key="gardener")
    id = made.json["data"]["conversation"]["id"]
    assert "nothing of its own" in shell("tree", id).out
    planted.server.call("DELETE", f"{BASE}/{id}", key="gardener")
    assert shell("tree", id).code == 1


def test_of_many_branches_the_last_used_are_drawn(serve: Callable[..., Live]) -> None:
    server = serve("--grace", "0")
    made = server.call("POST", BASE, {"title": "Many"}, key="gardener")
    tree = Planted(server, made.json["data"]["conversation"]["id"])
    last = tree.say("One?")
    for number in range(40):
        branch = tree.fork(last, f"branch {number}")
        last = tree.say("Deeper?", branch) if number < 30 else last
    shell = Shell(server.database.parent)
    told = shell("tree", tree.id, "--json").json
    drawn = {one["name"] for one in told["branches"]}
    assert len(drawn) + told["folded"]["branches"] == 41
    assert len(drawn) <= 25
    assert "main" in drawn
    assert "more branches, used before" in shell("tree", tree.id).out
    whole = shell("tree", tree.id, "--all").out
    assert all(re.search(rf"branch {number}\b", whole) for number in range(40))
    assert "drawn below" in on_a_terminal(
        shell, ["tree", "--all", tree.id, "--db", str(shell.database)], COLUMNS="40"
    )


def test_damage_is_drawn_and_not_fallen_over(
    serve: Callable[..., Live], tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = serve("--grace", "0")
    made = server.call("POST", BASE, {"title": "Hurt"}, key="gardener")
    tree = Planted(server, made.json["data"]["conversation"]["id"])
    for name in ("one", "other"):
        tree.say("Hm?", tree.fork(tree.say("Hello?"), name))
    server.stop()
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE message SET body = '{' WHERE depth = 1")
        connection.execute("UPDATE branch SET parent_branch_id = id WHERE NOT is_main")
    told = Shell(server.database.parent)("tree", tree.id)
    assert told.code == 0
    for words in ("(unreadable)", "one", "other"):
        assert words in told.out
