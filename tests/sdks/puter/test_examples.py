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

from support.puter import USAGE, calling, lines, refused, said, service, text
from transports.scripted import Asked

SDK = Path(__file__).parents[3] / "sdks" / "puter"
EXAMPLES = SDK / "examples"
STORY = "Once upon a time."

SAYS = {
    "basic_usage.py": f"Said: Hello!\nSaid: What did I say?\n{STORY}\n"
    "user: Hello!\nassistant: Said: Hello!\n"
    "user: What did I say?\nassistant: Said: What did I say?\n"
    f"user: Tell me a story.\nassistant: {STORY}\n",
    "async_usage.py": f"Said: One?\nSaid: Two?\nSaid: Three?\n{STORY}\n8 messages, 5 requests\n",
    "function_calling.py": "It is 18 °C and sunny in Lyon.\n",
    "error_handling.py": "failed with 400 bad_request: Model not found\n",
}


def contract(asked: Asked) -> Any:
    """Answer as the document has it."""
    args = json.loads(asked.body)["args"]
    last = args["messages"][-1]
    if args["model"] == "no-such-model":
        return refused(b"400 Bad Request", "bad_request", "Model not found")
    if last["role"] == "tool":
        whole = f"It is {last['content']}."
        return lines(*text(whole), USAGE) if args.get("stream") else said(whole)
    if args.get("tools"):
        return calling(("weather", {"city": "Lyon"}))
    if args.get("stream"):
        return lines(*text("Once upon", " a time."), USAGE)
    return said(f"Said: {last['content']}")


def run(*program: str, url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *program],
        env={**os.environ, "PUTER_API_BASE": url, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_printed(name: str) -> None:
    with service(contract) as puter:
        assert run(str(EXAMPLES / name), url=puter.url) == SAYS[name]
        assert puter.targets.count("POST /login") == 1


def test_what_the_readme_shows_runs() -> None:
    shown = re.findall(r"```python\n(.*?)```", (SDK / "README.md").read_text("utf-8"), re.S)
    with service(contract) as puter:
        program = "\n".join(shown).replace("http://localhost:3284", puter.url)
        told = run("-c", program, url=puter.url)
    assert f"Said: Hello!\n{STORY}\n" in told
    assert "18 °C and sunny in Lyon" in told
