"""The npm package ``@heyputer/puter.js``, in Node, against the server.

It is skipped where there is no Node, and where the package cannot be had.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import log_in
from support.live import Live

PACKAGE = "@heyputer/puter.js@2.6.3"
NODE, NPM = shutil.which("node"), shutil.which("npm")

PROGRAM = """
const [origin, username, script] = process.argv.slice(2);
globalThis.PUTER_API_ORIGIN = origin;
globalThis.PUTER_ORIGIN = origin;
const { init } = require("@heyputer/puter.js/src/init.cjs");

async function logIn() {
  const body = JSON.stringify({ username, password: "first password" });
  const headers = { "Content-Type": "application/json", Origin: "https://puter.com" };
  const answer = await fetch(`${origin}/login`, { method: "POST", headers, body });
  return (await answer.json()).token;
}

async function told(promise) {
  const lines = [];
  for await (const line of await promise) lines.push(line);
  return lines;
}

async function failed(promise) {
  try { await promise; } catch (error) { return error; }
  throw new Error("it went well");
}

(async () => {
  const puter = init(await logIn());
  const result = await eval(`(async () => (${script}))()`);
  process.stdout.write(JSON.stringify(result));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed, and nothing of it runs while it is."""
    if NODE is None or NPM is None:
        pytest.skip("Node and npm are not here")
    path = tmp_path_factory.mktemp("node")
    (path / "package.json").write_text('{"private": true}')
    (path / "program.cjs").write_text(PROGRAM)
    command = [NPM, "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    try:
        done = subprocess.run(
            command, cwd=path, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}")
    return path


class Script:
    """Runs scripts in Node, each logged in as the same person."""

    def __init__(self, folder: Path, live: Live) -> None:
        self._folder = folder
        self._live = live
        self.username = f"js-{new_id()}"

    def __call__(self, script: str) -> Any:
        """What an expression in JavaScript comes to, with `puter` at hand."""
        assert NODE is not None
        command = [NODE, "program.cjs", self._live.url, self.username, script]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def script(folder: Path, live: Live) -> Script:
    return Script(folder, live)


def test_it_knows_who_logged_in(script: Script, live: Live) -> None:
    user = script("await puter.auth.getUser()")
    assert user["username"] == script.username
    known = log_in(live, script.username).json["user"]
    assert user["uuid"] == known["uuid"]


def test_it_lists_models(script: Script, live: Live) -> None:
    listed = script("await puter.ai.listModels()")
    names = live.call("GET", "/puterai/chat/models").json["models"]
    assert [one["id"] for one in listed] == names


def test_it_chats(script: Script) -> None:
    asked = """await Promise.all([
        puter.ai.chat("Hello!", { model: "loom/echo", temperature: 0, max_tokens: 5 }),
        puter.ai.chat("Hello!", { model: "fake" }),
        puter.ai.chat("Hello!", { model: "costly", max_tokens: 0 }),
        puter.ai.chat("Hello!"),
        puter.ai.chat([{ content: "One?" }, { role: "assistant", content: "Two." }, "Three?"],
                      { model: "loom/echo" }),
        puter.ai.chat("What?", "https://example.org/a.png", { model: "loom/scribe" }),
        puter.ai.chat("Hello!", true),
    ].map(async (one) => [await one, String((await one).message.content)]))"""
    echo, fake, costly, plain, talk, seen, tested = script(asked)
    assert (echo[0]["message"]["content"], echo[0]["via_ai_chat_service"]) == ("Hello!", True)
    assert fake[0]["usage"]["output_tokens"] == 1
    assert costly[0]["usage"]["output_tokens"] == 0
    assert plain[1]
    assert talk[1] == "Three?"
    assert "image" in seen[1]
    assert tested[1] == "Hello!"


def test_what_it_was_answered_is_its_text(script: Script) -> None:
    assert script('String(await puter.ai.chat("Hello!", { model: "loom/echo" }))') == "Hello!"


def test_it_streams(script: Script) -> None:
    asked = 'await told(puter.ai.chat("One two three.", { model: "loom/echo", stream: true }))'
    *texts, end = script(asked)
    assert "".join(one["text"] for one in texts) == "One two three."
    assert (end["type"], end["usage"]["completion_tokens"]) == ("usage", 4)


def test_it_lives_on_when_a_stream_fails(script: Script) -> None:
    asked = """[
        await told(puter.ai.chat("One two.", { model: "loom/echo?cut=1", stream: true })),
        String(await puter.ai.chat("Hello!", { model: "loom/echo" })),
    ]"""
    (text, failure), answer = script(asked)
    assert (text["type"], failure["type"]) == ("text", "error")
    assert answer == "Hello!"


def test_it_calls_tools(script: Script) -> None:
    asked = """await puter.ai.chat('!call look {"at": "Paris"}', {
        model: "loom/scribe",
        tools: [{ type: "function", function: { name: "look", parameters: { type: "object" } } }],
    })"""
    (call,) = script(asked)["message"]["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": '{"at": "Paris"}'}


def test_it_is_told_what_is_wrong(script: Script) -> None:
    error = script('await failed(puter.ai.chat("Hello!", { model: "nobody" }))')
    assert (error["code"], "Model not found" in error["message"]) == ("bad_request", True)


def test_it_is_told_to_log_in_again(folder: Path, serve: Callable[..., Live]) -> None:
    script = Script(folder, serve(dev=False))
    error = script("""await failed(init("no token").ai.chat("Hello!", { model: "loom/echo" }))""")
    assert error == {"status": 401, "message": "Unauthorized"}
