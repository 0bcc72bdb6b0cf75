"""What the papers print runs, one program a paper, against the dev server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.live import Live

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAPERS = {
    str(path.relative_to(ROOT)): "\n".join(BLOCK.findall(path.read_text("utf-8")))
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("sdks/*/*.md")])
}


def test_the_papers_are_read() -> None:
    assert "with_raw_response" in PAPERS["docs/clients.md"]
    assert "from openai import OpenAI" in PAPERS["README.md"]


@pytest.mark.parametrize("paper", [paper for paper, program in PAPERS.items() if program])
def test_the_examples_of_a_paper_run(paper: str, live: Live, tmp_path: Path) -> None:
    program = PAPERS[paper].replace("http://localhost:3284", live.url)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "CHATLOOM_BASE_URL": live.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
