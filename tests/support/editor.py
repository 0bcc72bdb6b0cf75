"""An editor: what pyright's language server shows of a file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Editor:
    """One file, open in an editor; places in it are named by a text before the cursor."""

    def __init__(self, server: subprocess.Popen[bytes], text: str) -> None:
        self._server = server
        self._ids = count(1)
        self._text = text
        self._uri = (ROOT / "tests" / "typing" / "as_typed.py").as_uri()
        folder = {"uri": ROOT.as_uri(), "name": "chatloom"}
        self._ask("initialize", processId=None, workspaceFolders=[folder], capabilities=_ABLE)
        self._tell("initialized")
        document = {"uri": self._uri, "languageId": "python", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)

    def hover(self, before: str) -> str:
        """What is shown over the name that ends with *before*."""
        shown = self._ask("textDocument/hover", **self._place(before, -1))
        return "" if shown is None else str(shown["contents"]["value"])

    def completions(self, before: str) -> set[str]:
        """What is offered behind *before*."""
        told = self._ask("textDocument/completion", **self._place(before, 0))
        return {item["label"].rstrip("=") for item in told["items"]}

    def signature(self, before: str) -> str:
        """What is shown when the caller has typed *before*, up to a parenthesis."""
        told = self._ask("textDocument/signatureHelp", **self._place(before, 0))
        return " ".join(one["label"] for one in told["signatures"])

    def _place(self, before: str, step: int) -> dict[str, Any]:
        (place,) = re.finditer(re.escape(before) + r"(?!\w)", self._text)
        lines = self._text[: place.end()].split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1]) + step}
        return {"textDocument": {"uri": self._uri}, "position": position}

    def _ask(self, method: str, **params: Any) -> Any:
        id = next(self._ids)
        self._send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message and "id" in message:  # it wants to know our settings
                wanted = message.get("params", {}).get("items", [])
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": [{} for _ in wanted]})
            elif message.get("id") == id:
                assert "error" not in message, message
                return message["result"]

    def _tell(self, method: str, **params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        body = json.dumps(message).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._server.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        length = 0
        while (line := self._server.stdout.readline()) != b"\r\n":
            assert line, "the language server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self._server.stdout.read(length))
        return message


_ABLE = {
    "textDocument": {
        "hover": {"contentFormat": ["plaintext"]},
        "signatureHelp": {"signatureInformation": {"documentationFormat": ["plaintext"]}},
    },
    "workspace": {"configuration": True, "workspaceFolders": True},
}


@contextmanager
def opened(text: str) -> Generator[Editor]:
    """Open *text* in an editor that knows the project's settings."""
    command = [str(Path(sys.executable).with_name("pyright-langserver")), "--stdio"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as server:
        try:
            yield Editor(server, text)
        finally:
            server.kill()
