"""The benchmark itself, once, with little to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from bench.__main__ import main
from bench.book import Book
from bench.figures import comparisons
from bench.measure_trees import Trees
from bench.plan import FIGURES
from bench.processes import Failed
from bench.report import Report

from bench import cold


@pytest.mark.skipif(not cold.is_possible(), reason="no wait4 here")
def test_a_quick_run_leaves_a_table_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = ["--without", "openai", "--without", "anthropic", "--without", "litellm"]
    main(["--quick", "--only", "import", *peers, "--to", str(tmp_path)])
    told = msgspec.json.decode((tmp_path / "latest.json").read_bytes(), type=Report)
    (result,) = told.results
    ours = next(one for one in result.series if one.name == "chatserver")
    assert len(ours.known) == 1
    assert told.absent["openai"] == "left out"
    assert "chatserver" in (tmp_path / "latest.svg").read_text("utf-8")
    assert "openai is skipped: left out" in capsys.readouterr().out


def test_storing_is_measured_beside_the_least_it_can_take(tmp_path: Path) -> None:
    main(["--quick", "--only", "stored durably", "--to", str(tmp_path)])
    told = msgspec.json.decode((tmp_path / "latest.json").read_bytes(), type=Report)
    (result,) = told.results
    assert {one.name: len(one.known) for one in result.series} == {
        "plain sqlite3": 1,
        "chatloom": 1,
    }


def test_trees_are_measured_however_small() -> None:
    book = Book(1, lambda _: None)
    trees = Trees(None, 0.05, ("2000", "50", "1000"))
    figures = [one for one in FIGURES if one.side == "tree"]
    trees.measure({one.scenario for one in figures}, book)
    assert book.failures == []
    results = {one.quantity: book.result(one, trees.candidates(one)) for one in figures}
    for result in results.values():
        assert all(len(one.known) == 1 and one.known[0] > 0 for one in result.series)
    judged = {name for name, one in results.items() if comparisons(one)}
    assert judged == {"append_us", "read_us", "fork_us", "peak_mb"}
    (paged,) = comparisons(results["peak_mb"])
    assert paged.gain <= 1  # a page is a part of what is walked over


def test_a_figure_that_does_not_exist_is_said() -> None:
    with pytest.raises(Failed, match="no figure"):
        main(["--only", "the weather"])
