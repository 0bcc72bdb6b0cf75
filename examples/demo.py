"""What `make demo` runs: a server on a file, five SDKs, one talk that branches and merges."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chatloom.webhooks import Event, verify
from chatroutes import ChatRoutes
from chatserver_sdk import (
    AsyncChatServerClient,
    ChatServerClient,
    Message,
    MessageRole,
    StreamInterruptedError,
)
from infinity_assistant import InfinityAssistantClient
from puter import PuterAI
from zaguan import AnthropicMessage, ChatRequest, MessagesRequest, ZaguanClient
from zaguan import Message as ZaguanMessage

KEY, USER = "demo-key", "anna"
out = Console(highlight=False)


@contextmanager
def running_server(database: Path) -> Generator[str, None, None]:
    """Run `chatloom serve --dev` on *database*, and stop it afterwards."""
    command = [sys.executable, "-m", "chatloom", "serve", "--dev", "--port", "0", "--json"]
    server = subprocess.Popen([*command, "--db", str(database)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        ready = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        yield ready["url"]
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def read_back(url: str, path: str) -> dict[str, Any]:
    """Read one of chatloom's own addresses."""
    request = Request(url + path, headers={"Authorization": f"Bearer {KEY}"})
    with urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def talk(url: str) -> str:
    """Hold a talk with the blocking client; return the conversation's id."""
    with ChatServerClient(api_key=KEY, base_url=url) as client:
        names = [model.id for model in client.list_models().data]
        out.print(f"[dim]{len(names)} models, among them[/] {', '.join(names[:3])}\n")
        conversation = [Message(role=MessageRole.USER, content="How do rivers find the sea?")]
        first = client.create_completion("claude-3-haiku", conversation, user=USER)
        show("ChatServerClient, in one piece", first.choices[0].message.content)
        conversation.append(first.choices[0].message)
        conversation.append(
            Message(role=MessageRole.USER, content="And how do they find their way?")
        )
        stream = client.create_completion("claude-3-haiku", conversation, stream=True, user=USER)
        out.print("[bold cyan]ChatServerClient, streamed[/]")
        at = 0
        for piece in stream:
            if at + len(piece) > out.width:  # before a word, not within it
                out.print()
                at, piece = 0, piece.lstrip()
            out.print(piece, end="")
            at += len(piece)
            time.sleep(0.008)
        out.print("\n")
        assert first.system_fingerprint is not None
        assert stream.metadata["system_fingerprint"] == first.system_fingerprint
        return first.system_fingerprint


async def talk_async(url: str) -> None:
    """Ask three things at once with the asyncio client."""
    async with AsyncChatServerClient(api_key=KEY, base_url=url) as client:
        questions = ["What is a delta?", "What is a spring?", "What is a mouth?"]
        answers = await asyncio.gather(
            *(client.create_completion("loom/scribe", [one], max_tokens=16) for one in questions)
        )
    told = Text()
    for question, answer in zip(questions, answers, strict=True):
        told.append(f"{question} ", style="bold")
        told.append(f"{answer.choices[0].message.content} …\n")
    told.rstrip()
    show("AsyncChatServerClient, three at once", told)


def go_on_elsewhere(url: str, conversation: str) -> None:
    """Go on with the same talk through another SDK, on both of its wires; see what was spent."""
    here = {"conversation_id": conversation}
    with ZaguanClient(url, KEY) as client:
        question = ZaguanMessage(role="user", content="Does the sea give anything back?")
        asked = ChatRequest(
            model="openai/gpt-4o-mini", messages=[question], max_tokens=30, metadata=here
        )
        rain = client.chat(asked)
        last = AnthropicMessage(role="user", content="So where does a river begin?")
        begins = client.messages(
            MessagesRequest(
                model="claude-sonnet-4-5", messages=[last], max_tokens=30, metadata=here
            )
        )
        spent = client.get_credits_stats(period="day")
        balance = client.get_credits_balance()
    told = Text()
    for wire, text in (("OpenAI's wire ", rain.text), ("Anthropic's wire ", begins.text)):
        told.append(wire, style="bold")
        told.append(f"{text} …\n")
    told.append(
        f"{spent.total_requests} requests and ${spent.total_cost:.7f} today,"
        f" {balance.credits_remaining:,} credits left"
    )
    show("ZaguanClient goes on with the same talk", told)


def branch_and_merge(url: str, conversation: str) -> None:
    """Fork the same talk behind its first answer, say something else there, and merge that."""
    with ChatRoutes(api_key=KEY, base_url=url) as client:
        _, first, *_ = client.messages.list(conversation)
        idea = client.branches.fork(
            conversation, {"forkPointMessageId": first["id"], "title": "in short"}
        )
        short = client.branches.send_message(
            conversation, idea["id"], {"content": "In one sentence, please?", "maxTokens": 24}
        )
        diff = client.branches.diff(conversation, idea["id"])
        main = client.branches.merge(conversation, idea["id"])
        again = client.branches.merge(conversation, idea["id"])
        found = client.conversations.search("sentence", conversation_id=conversation)
    assert main.get("headMessageId") == again.get("headMessageId"), "a merge is done once"
    told = Text()
    told.append("on a branch  ", style="bold")
    told.append(f"{short['message']['content']} …\n")
    told.append(
        f"{diff['sharedMessageCount']} messages shared, {diff['branch']['messageCount']} only"
        f" there, {diff['against']['messageCount']} only on {main['title']}; merged;"
        f" “sentence” found {len(found['hits'])} times"
    )
    show("ChatRoutes forks the same talk, and merges", told)


def remember_and_research(url: str, conversation: str) -> None:
    """Go on with the talk with something remembered, and have a question answered from sources."""
    with InfinityAssistantClient(KEY, f"{url}/api") as client:
        client.store_memory("tone", "Anna likes short answers", user_id=USER)
        client.add_knowledge(
            {
                "type": "wisdom",
                "title": "Where rivers end",
                "content": "A river slows down where it meets the sea. What it carries sinks there,"
                " and builds a delta. Tides may wash it away again.",
            }
        )
        answer = client.chat(
            message="How short should answers be?", conversation_id=conversation, user_id=USER
        )
        found = client.research(query="How does a river build a delta?", depth="shallow")
    told = Text()
    told.append("remembered ", style="bold")
    told.append(f"{', '.join(answer['metadata'].get('memoriesUsed', []))}\n")
    told.append("research   ", style="bold")
    told.append(f"{found['summary']}\n")
    told.append(f"{len(found['citations'])} citations, each word for word in its source")
    show("InfinityAssistantClient goes on, and researches", told)


def river_length(river: str) -> str:
    """Tell how long a river is."""
    return {"Loire": "1,006 km"}.get(river, "not known")


def call_a_function(url: str, conversation: str) -> None:
    """Go on with the talk where the model may call a function of ours; the API key is the token."""
    with PuterAI(token=KEY, api_base=url) as client:
        answer = client.chat(
            "And what length has the river Loire?",
            "loom/scribe",
            tools=[river_length],
            max_tokens=30,
            metadata={"conversation_id": conversation},
        )
        usage = client.usage
    told = Text()
    called, _, said = answer.partition("\n\n")
    told.append("function  ", style="bold")
    told.append(f"{called}\n")
    told.append("model     ", style="bold")
    told.append(f"{said} …\n")
    told.append(f"{usage.requests} requests, {usage.input_tokens + usage.output_tokens} tokens")
    show("PuterAI goes on, and calls a Python function", told)


class Receiver(BaseHTTPRequestHandler):
    """Is told what happens, and checks that it was our server who told it."""

    secret = ""
    told: tuple[Event, ...] = ()

    def do_POST(self) -> None:
        """Take an event."""
        body = self.rfile.read(int(self.headers["content-length"]))
        Receiver.told += (verify(self.headers, body, self.secret),)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of it."""


@contextmanager
def being_told(url: str) -> Generator[None, None, None]:
    """Have the account's events told to a receiver of ours; at the end, show what they were."""
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever).start()
    try:
        with InfinityAssistantClient(KEY, f"{url}/api") as client:
            hook = f"http://127.0.0.1:{receiver.server_port}/hook"
            made = client.create_webhook(hook, ["*"])["webhook"]
            Receiver.secret = made["secret"]
            yield
        while read_back(url, f"/v1/webhooks/{made['id']}/deliveries?state=waiting")["deliveries"]:
            time.sleep(0.01)
    finally:
        receiver.shutdown()
        receiver.server_close()
    counts = Counter(event.type for event in Receiver.told)
    told = Text(", ".join(f"{count} {type}" for type, count in counts.most_common()))
    told.append(f"\n{len(Receiver.told)} events, each signed, each stored with what it tells of")
    show("A webhook was told of all that", told)


def show_tree(database: Path, conversation: str) -> None:
    """Have `chatloom tree` draw it, beside the server that holds the file."""
    command = [sys.executable, "-m", "chatloom", "tree", conversation, "--db", str(database)]
    out.print()
    out.file.flush()
    subprocess.run(command, check=True)


def break_off(url: str) -> str:
    """Let a provider fail halfway; return what the caller was told."""
    with ChatServerClient(api_key=KEY, base_url=url) as client:
        stream = client.create_completion("loom/scribe?cut=9", ["Tell me more."], stream=True)
        try:
            return f"whole: {stream.collect()}"
        except StreamInterruptedError as error:
            return f"{type(error).__name__} ({error.code}), with the text so far: “{error.text}…”"


def show(title: str, body: str | Text | Group) -> None:
    """Print *body* in a box."""
    out.print(Panel(body, title=title, title_align="left", border_style="cyan"))


def said_in(message: dict[str, Any]) -> str:
    """How a message begins, or what it calls."""
    called = ", ".join(one["function"]["name"] for one in message.get("tool_calls") or ())
    text = (message["content"] or f"calls {called}").replace("\n", " ")
    return text if len(text) < 50 else f"{text[:48]}…"


def show_conversation(url: str, id: str) -> None:
    """Read the talk back from the file: every message with its hash, and the cost."""
    stored = read_back(url, f"/v1/conversations/{id}")
    messages = Table(box=None, show_header=False, padding=(0, 1))
    for message in stored["messages"]:
        messages.add_row(
            f"[green]{message['role']}[/]", said_in(message), f"[dim]{message['hash'][:8]}[/]"
        )
    usage = f"{stored['tokens_in']} tokens in, {stored['tokens_out']} out"
    cost = f"[bold]${stored['cost']['usd']}[/] ({stored['cost']['picodollars']:,} pico-dollars)"
    body = Group(messages, f"\n {stored['message_count']} messages, {usage}, {cost}")
    show(f"“{stored['title']}”, read back from the file", body)


def main() -> None:
    """Run the demo; exit with 1 if anything is not as it should be."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "demo.db"
        with running_server(database) as url:
            out.print(f"\n[bold green]chatloom[/] serves [bold]{url}[/] from one file\n")
            with being_told(url):
                id = talk(url)
                go_on_elsewhere(url, id)
                branch_and_merge(url, id)
                remember_and_research(url, id)
                call_a_function(url, id)
                asyncio.run(talk_async(url))
                broken = break_off(url)
                show("a provider that breaks off is never taken for a whole answer", broken)
            show_conversation(url, id)
            show_tree(database, id)
        doctor = [sys.executable, "-m", "chatloom", "doctor", "--db", str(database)]
        checked = subprocess.run(
            doctor, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, check=False
        )
        size = database.stat().st_size // 1024
        out.print(f"\n[bold]chatloom doctor[/] {checked.stdout.strip().replace(chr(10), '; ')}")
        seconds = time.perf_counter() - began
        out.print(f"[dim]{seconds:.1f} seconds, a file of {size} KiB[/]\n")
        sys.exit(checked.returncode)


if __name__ == "__main__":
    main()
