"""Every example runs as printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.live import Live
from transports.scripted import Peer, serving

EXAMPLES = Path(__file__).parents[3] / "sdks" / "zaguan" / "examples"

ON_A_SERVER = {
    "chat.py": ["Assistant: ", "Finish reason: ", "Tokens used: "],
    "streaming.py": ["Streaming response:\n", "Tokens used: "],
    "errors.py": ["API error 404: ", "Request id: "],
    "testing_with_respx.py": ["passed"],
    "by_hand.py": ["In one piece: ", "Streamed: ", "Models: ", "API error 404 in request mine"],
    "models_and_capabilities.py": ["loom/scribe by loom\n", "loom/scribe vision: True tools: True"],
    "credits.py": ["Tier: dev Bands: ['standard']", "Entries: ", "Used today: "],
}

ON_A_SCRIPT = {
    "models_and_capabilities.py": ["m by me\n", "m vision: True tools: False", "Reasoning: []"],
    "credits.py": [
        *("Credits remaining: 12\n", "Tier: pro Bands: ['gold'] Reset: None"),
        *("Entries: 2\n", "noon m 5\n", "later m 7\n", "Used today: 12 Cost: 0.5"),
    ],
}

ENTRIES: list[dict[str, Any]] = [
    {"timestamp": "noon", "model": "m", "credits_debited": 5},
    {"timestamp": "later", "model": "m", "credits_debited": 7},
]

SCRIPT: dict[str, Any] = {
    "/v1/models": {"data": [{"id": "m", "owned_by": "me"}]},
    "/v1/capabilities": [{"model_id": "m", "supports_vision": True}],
    "/v1/capabilities?supports_reasoning=true": [],
    "/v1/credits/balance": {"credits_remaining": 12.5, "tier": "pro", "bands": ["gold"]},
    "/v1/credits/history?limit=10": {
        "entries": ENTRIES[:1],
        "total_entries": 2,
        "next_cursor": "c",
    },
    "/v1/credits/history?limit=10&cursor=c": {"entries": ENTRIES[1:], "total_entries": 2},
    "/v1/credits/stats?period=day": {"total_credits_used": 12, "total_cost": 0.5},
}


def corex(peer: Peer) -> None:
    while True:
        peer.answer(json.dumps(SCRIPT[peer.asked().target]).encode())


def run(example: Path, url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        env={**os.environ, "ZAGUAN_BASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_here() -> None:
    here = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert here == sorted(ON_A_SERVER)


@pytest.mark.parametrize("name", ON_A_SERVER)
def test_an_example_runs_as_printed(name: str, live: Live) -> None:
    said = run(EXAMPLES / name, live.url)
    assert not [words for words in ON_A_SERVER[name] if words not in said]


@pytest.mark.parametrize("name", ON_A_SCRIPT)
def test_an_example_runs_as_printed_against_a_script(name: str) -> None:
    with serving(corex) as server:
        said = run(EXAMPLES / name, server.url)
    assert not [words for words in ON_A_SCRIPT[name] if words not in said]
