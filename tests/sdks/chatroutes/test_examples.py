"""Every example runs as printed against the dev server, and the SDK's calls fit it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatroutes import (
    AsyncChatRoutes,
    ChatRoutes,
    ConflictError,
    SendMessageRequest,
    StreamInterruptedError,
)
from support.live import Live

EXAMPLES = Path(__file__).parents[3] / "sdks" / "chatroutes" / "examples"

SAYS = {
    "basic_usage.py": [
        *("Created conversation: 0", "Assistant: ", "Tokens used: ", "[user] How do rivers"),
        *("[assistant] ", "more: False", "Renamed: Rivers and seas", "Tree: 2 messages", "Deleted"),
    ],
    "streaming_example.py": [
        *("With callbacks:\n", " is complete.\n", "As an iterator:\n", "\nTokens used: "),
    ],
    "branching_example.py": [
        *("Forked: Files instead", "[user] What if we used files?", "Shared messages: 2"),
        *("Merged into: ", "'Plain files'"),
    ],
    "error_handling.py": ["Not found: ", "(NOT_FOUND)", "Invalid: ", "All went well."],
}


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.parametrize("ending", ["", "/api/v1"])
def test_an_example_runs_as_printed(name: str, ending: str, live: Live) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        env={
            **os.environ,
            "CHATROUTES_BASE_URL": live.url + ending,
            "CHATROUTES_API_KEY": f"{name}{ending}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not [words for words in SAYS[name] if words not in done.stdout]


def test_lists_and_trees_are_whole_on_our_server(live: Live) -> None:
    with ChatRoutes("whole-lists", live.url) as client:
        talk = client.conversations.create({"title": "Long", "model": "loom/echo"})["id"]
        said = [client.messages.send(talk, {"content": f"number {n}"}) for n in range(4)]
        side = client.branches.fork(
            talk, {"forkPointMessageId": said[1]["message"]["id"], "title": "side"}
        )
        client.branches.send_message(talk, side["id"], {"content": "aside"})
        small = client.with_options(extra_query={"limit": 3})
        found = small.messages.list(talk)
        assert found == client.messages.list(talk)
        assert [one["content"] for one in found[::2]] == [f"number {n}" for n in range(4)]
        backwards = client.messages.iter(talk, order="desc", page_size=3).collect()
        assert [one["id"] for one in backwards] == [one["id"] for one in reversed(found)]
        tree, cut = client.conversations.get_tree(talk), small.conversations.get_tree(talk)
        assert (cut["tree"], cut["branches"]) == (tree["tree"], tree["branches"])
        assert tree["metadata"]["totalNodes"] == 10
        with pytest.raises(ConflictError):
            client.branches.delete(talk, client.branches.list(talk)[0]["id"])


def test_a_stream_of_our_server_can_be_gone_on_with(live: Live) -> None:
    async def main() -> None:
        async with AsyncChatRoutes("going-on", live.url) as client:
            talk = await client.conversations.create({"title": "Broken", "model": "loom/scribe"})
            stream = client.messages.stream(talk["id"], {"content": "Tell me of looms"})
            begin = (await anext(stream))["content"]
            token = stream.resume_token
            await stream.close()
            assert token is not None
            later = client.messages.resume(token)
            answer = await later.collect()
            assert answer["message"]["content"] == begin + later.text
            assert await client.messages.list(talk["id"]) == [
                answer["userMessage"],
                answer["message"],
            ]
            cut = SendMessageRequest(content="Tell me of looms", model="loom/scribe?cut=9")
            with pytest.raises(StreamInterruptedError) as caught:
                await client.messages.stream(talk["id"], cut, lambda _: None)
            assert caught.value.text

    asyncio.run(main())
