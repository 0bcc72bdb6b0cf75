"""Every example runs as printed, against a server of the document's contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transports.scripted import Peer, serving

SDK = Path(__file__).parents[3] / "sdks" / "infinity_assistant"
EXAMPLES = SDK / "examples"

SAYS = {
    "basic_usage.py": "Said: Hello!\nSaid: Go on!\nRemembered: blue\nKnown about it: 1\n- T\n"
    "Health: healthy\n",
    "streaming_chat.py": "Once upon a time\nThe end.\nSaid: Hello\n",
    "async_example.py": "Said: Hello!\nOnce upon a time\n",
}
ANSWERS = {
    "/api/memory/store": {"success": True, "stored": True},
    "/api/memory/retrieve": {"success": True, "value": "blue", "found": True},
    "/api/knowledge/search": {"success": True, "results": [{"title": "T"}], "total": 1},
    "/api/health": {"status": "healthy"},
}
STORY = b"".join(
    b"data: " + json.dumps(frame).encode() + b"\n\n"
    for frame in (
        {"type": "text", "content": "Once upon"},
        {"type": "text", "content": " a time"},
        {"metadata": {"conversationId": "c1"}},
    )
)


def contract(peer: Peer) -> None:
    """Answer as the SDK's document has it."""
    while True:
        asked = peer.asked()
        path = asked.target.partition("?")[0]
        said: Any = json.loads(asked.body or b"{}")
        if said.get("stream"):
            peer.answer(STORY + b"data: [DONE]\n\n", b"content-type: text/event-stream")
        elif path == "/api/chat":
            answer = {"response": f"Said: {said['message']}", "conversationId": "c1"}
            peer.answer(json.dumps({"success": True, **answer}).encode())
        else:
            peer.answer(json.dumps(ANSWERS[path]).encode())


def run(*program: str, url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *program],
        env={**os.environ, "INFINITY_ASSISTANT_BASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_printed(name: str) -> None:
    with serving(contract) as server:
        assert run(str(EXAMPLES / name), url=server.url) == SAYS[name]
    assert all(one.all("x-api-key") == ["ia_your_api_key_here"] for one in server.asked)


def test_what_the_readme_shows_runs() -> None:
    shown = re.findall(r"```python\n(.*?)```", (SDK / "README.md").read_text("utf-8"), re.S)
    assert len(shown) == 2
    with serving(contract) as server:
        told = [
            run("-c", code.replace("http://localhost:3284", server.url), url=server.url)
            for code in shown
        ]
    assert told == ["Said: Hello!\n", "Once upon a time\n[{'conversationId': 'c1'}]\n"]
