"""Servers in processes of their own, as `chatloom serve` starts them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.http import Caller

TABLES = ("turn", "message", "conversation", "branch", "ledger", "balance", "journal", "replay")
"""Everything that a completion may leave behind."""


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables a command is given: nobody's keys, settings, or folders of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), **(extra or {})}


class Live(Caller):
    """A running server. Use `support.http.Caller`'s methods to talk to it."""

    def __init__(
        self,
        database: Path,
        *arguments: str,
        dev: bool = True,
        config: str | None = None,
        environ: Mapping[str, str] | None = None,
        port: str | None = "0",
    ) -> None:
        self.database = database
        self._log = database.with_suffix(".log")
        command = [sys.executable, "-W", "error", "-m", "chatloom", "serve", "--json"]
        command += ["--db", str(database), *arguments]
        if port is not None:
            command += ["--port", port]
        if dev:
            command.append("--dev")
        if config is not None:
            settings = database.with_suffix(".toml")
            settings.write_text(config)
            command += ["--config", str(settings)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(database.parent, environ),
                cwd=database.parent,
            )
        self.ready = self._first_words()
        super().__init__(self.ready["url"])

    @property
    def admin_key(self) -> str:
        """The key that the first start shows."""
        return str(self.ready["admin_key"])

    @property
    def log(self) -> str:
        """All it wrote on standard error."""
        return self._log.read_text()

    def _first_words(self) -> Any:
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if line == "}\n":
                return json.loads("".join(lines))
        raise AssertionError(f"it did not start: {self.stop()}, {self.log}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as *number* does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        self.stop(signal.SIGKILL)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read from its database, on a connection of our own."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """How many rows each of the `TABLES` has."""
        return {name: self.rows(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that its database holds, but for when keys were used, and what searches know."""
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE ?"
        names = [name for (name,) in self.rows(tables, "message_text%")]
        told = {name: self.rows(f'SELECT * FROM "{name}"') for name in names}
        columns = "id, account_id, revoked_at, expires_at"
        return {**told, "api_key": self.rows(f"SELECT {columns} FROM api_key")}

    def holdings(self) -> list[tuple[Any, ...]]:
        """Every balance."""
        return self.rows("SELECT * FROM balance ORDER BY scope, subject")

    def token(self) -> str:
        """The control token in its lock file."""
        text = self.database.with_name(self.database.name + ".lock").read_text()
        return str(json.loads(text)["token"])
