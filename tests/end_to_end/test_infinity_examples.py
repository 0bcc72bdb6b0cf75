"""Every example of the Infinity Assistant document runs as printed against the dev server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.live import Live

EXAMPLES = Path(__file__).parents[2] / "sdks" / "infinity_assistant" / "examples"

SAYS = {
    "basic_usage.py": ["Remembered: {'colour': 'blue'}", "Known about it: 0", "Health: healthy"],
    "streaming_chat.py": ["\nThe end.\n"],
    "async_example.py": ["."],
}


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_printed(name: str, live: Live) -> None:
    done = ran(f"{live.url}/api", str(EXAMPLES / name))
    assert (done.returncode, done.stderr) == (0, "")
    for said in SAYS[name]:
        assert said in done.stdout
    assert "Error" not in done.stdout


def ran(base_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, "INFINITY_ASSISTANT_BASE_URL": base_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


USAGE = """
from infinity_assistant import InfinityAssistantClient

client = InfinityAssistantClient(
    api_key="ia_your_api_key_here"
)

response = client.chat(
    message="Hello!",
)

print(response["response"])
"""
AWAITED = """
import asyncio
from infinity_assistant import AsyncInfinityAssistantClient

async def main():
    async with AsyncInfinityAssistantClient(
        api_key="ia_your_api_key_here"
    ) as client:
        response = await client.chat(message="Hello!")
        print(response["response"])

asyncio.run(main())
"""
STREAMING = """
from infinity_assistant import InfinityAssistantClient
client = InfinityAssistantClient(api_key="ia_your_api_key_here")

for chunk in client.chat_stream(message="Tell me a story"):
    if chunk["type"] == "text":
        print(chunk["content"], end="", flush=True)
"""
CAUGHT = """
from infinity_assistant import InfinityAssistantClient
client = InfinityAssistantClient(api_key="ia_your_api_key_here")

from infinity_assistant import (
    InfinityAssistantError,
    InfinityAssistantRateLimitError,
)

try:
    response = client.chat(message="Hello")
except InfinityAssistantRateLimitError:
    print("Rate limit exceeded")
except InfinityAssistantError as e:
    print(f"API Error: {e.message}")
else:
    print(response["response"])
"""


@pytest.mark.parametrize("program", [USAGE, AWAITED, STREAMING, CAUGHT])
@pytest.mark.parametrize("suffix", ["", "/api", "/api/"])
def test_the_documents_own_lines_run_as_printed(live: Live, program: str, suffix: str) -> None:
    done = ran(live.url + suffix, "-W", "ignore::ResourceWarning", "-c", program)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 3
    assert "rror" not in done.stdout
