"""``chatloom knowledge``, at the file and at the server that has it open."""

from __future__ import annotations

import codecs
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.commands import Run, Shell
from support.live import Live
from support.papers import pdf

FILES: dict[str, bytes] = {
    "looms.md": b"# Looms\n\nA loom holds the warp.\n",
    "notes.txt": "Über Webstühle: the shuttle carries the weft.".encode(),
    "windows.txt": "The reed beats the weft. Grüße".encode("utf-16"),
    "marked.TXT": codecs.BOM_UTF8 + b"Spindles spin.",
    "deep/er/page.html": b"<html><body><p>Heddles lift the warp.</p></body></html>",
    "deep/paper.pdf": pdf("Selvedges keep a cloth from fraying."),
}
LEFT_OUT: dict[str, tuple[bytes, str]] = {
    "latin.txt": ("Grüße".encode("latin-1"), "is no text in UTF-8"),
    "zero.md": (b"a\0b", "no text"),
    "empty.txt": (b" \n", "nothing in it"),
    "fake.pdf": (b"Hello", "does not begin as one"),
    "fake.html": (b"no tags", "no HTML"),
    "paper.txt": (pdf("a"), "is a PDF"),
    "table.csv": (b"a,b", "nothing here reads .csv"),
    "Makefile": (b"all:", "files without an ending"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in {**FILES, **{name: data for name, (data, _) in LEFT_OUT.items()}}.items():
        file = tmp_path / "shelf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for hidden in (".git/config.md", ".hidden.md"):
        file = tmp_path / "shelf" / hidden
        file.parent.mkdir(exist_ok=True)
        file.write_text("hidden")
    return tmp_path / "shelf"


@dataclass(frozen=True)
class Own:
    """``chatloom knowledge`` with an account of one's own."""

    shell: Shell
    account: str

    def __call__(self, *arguments: str) -> Run:
        return self.shell("knowledge", *arguments, "--account", self.account)


@pytest.fixture(params=["file", "server"])
def own(request: pytest.FixtureRequest, shell: Shell, serve: Callable[..., Live]) -> Own:
    """An account in a database that is there; maybe a server has it open."""
    account = shell("keys", "create", "one", "--json").json["account_id"]
    if request.param == "server":
        serve(database=shell.database, dev=False)
    return Own(shell, account)


def test_folders_are_read_and_searched(own: Own, folder: Path) -> None:
    run = own("add", str(folder), "--tag", "cloth", "--domain", "weaving")
    assert run.code == 0, run.err
    assert "added 6 files in 6 passages" in run.out
    assert "8 skipped" in run.out
    for name, (_, why) in LEFT_OUT.items():
        (line,) = (line for line in run.err.splitlines() if f"/{name}:" in line)
        assert why in line
    listed = own("list", "--json").json
    assert listed["total"] == 6
    assert {one["title"] for one in listed["entries"]} == {Path(name).stem for name in FILES}
    assert {one["type"] for one in listed["entries"]} == {"document"}
    for query, title in (
        ("heddles", "page"),
        ("shuttles carrying", "notes"),
        ("selvedge fraying", "paper"),
        ("spinning", "marked"),
        ("reed", "windows"),
    ):
        found = own("search", *query.split(), "--json").json["results"]
        assert found[0]["title"] == title
        assert found[0]["source"].startswith("file://")
    assert own("search", "heddles", "--domain", "other").out == ""
    told = own("search", "heddles").out
    assert "page" in told
    assert "Heddles lift the warp." in told


def test_an_entry_is_listed_and_removed(own: Own, folder: Path) -> None:
    file = str(folder / "looms.md")
    added = own("add", file, file, "--title", "Of looms", "--type", "wisdom", "--json")
    (entry,) = added.json["added"]
    assert (entry["title"], entry["type"], added.json["skipped"]) == ("Of looms", "wisdom", {})
    assert "Of looms" in own("list", "--type", "wisdom").out
    assert own("list", "--type", "gotcha").err == "nothing is known\n"
    removed = own("remove", entry["id"])
    assert removed.out == f"removed Of looms ({entry['id']})\n"
    again = own("remove", entry["id"])
    assert (again.code, "not found" in again.err) == (1, True)
    assert own.shell("doctor").code == 0


def test_what_cannot_be_is_said_before_anything_is_added(own: Own, folder: Path) -> None:
    file = str(folder / "looms.md")
    for arguments, code, why in (
        ([file, "--type", "fact"], 1, "fact"),
        ([file, "--confidence", "2"], 1, "confidence"),
        ([file, str(folder / "absent.md")], 1, "there is no"),
        ([str(folder), "--title", "x"], 2, "one title"),
        ([str(folder / "table.csv")], 1, "skipped"),
    ):
        run = own("add", *arguments)
        assert (run.code, why in run.err) == (code, True), run.err
    assert own("list", "--json").json["total"] == 0


def test_of_several_accounts_one_is_named(shell: Shell, folder: Path) -> None:
    file = str(folder / "looms.md")
    ids = [shell("keys", "create", name, "--json").json["account_id"] for name in ("a", "b")]
    run = shell("knowledge", "add", file)
    assert run.code == 1
    assert all(id in run.err for id in ids)
    unknown = shell("knowledge", "add", file, "--account", "nobody")
    assert (unknown.code, "not found" in unknown.err) == (1, True)
    assert shell("knowledge", "add", file, "--account", ids[0]).code == 0
    totals = [shell("knowledge", "list", "--account", id, "--json").json["total"] for id in ids]
    assert totals == [1, 0]


def test_it_is_in_the_audit_log(shell: Shell, folder: Path) -> None:
    shell("keys", "create", "one")
    shell("knowledge", "add", str(folder / "looms.md"), "--json")
    (entry,) = shell("knowledge", "list", "--json").json["entries"]
    shell("knowledge", "remove", entry["id"])
    connection = sqlite3.connect(shell.database)
    rows = connection.execute("SELECT action, actor, resource_id FROM audit ORDER BY rowid")
    told = [row for row in rows if row[0].startswith("knowledge.")]
    connection.close()
    assert told == [
        ("knowledge.added", "cli", entry["id"]),
        ("knowledge.removed", "cli", entry["id"]),
    ]


def test_without_a_database_nothing_is_made(shell: Shell, folder: Path) -> None:
    assert shell("knowledge", "add", str(folder)).code == 1
    assert not shell.database.exists()
