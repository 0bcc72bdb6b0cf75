"""``python -m bench``: measure everything once; one table, and one picture.

--quick             one repetition with less work, to see where things stand
--repetitions N     more of them, for steadier figures; three without it
--only WORD         the figures with this word in side or title: client, server, request …
--without NAME      leave a candidate out; may be repeated
--with NAME=PYTHON  the Python that has a peer, where it cannot live in this one
--to FOLDER         where latest.json and latest.svg go; bench-results without it
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from bench import cold, plan
from bench.figures import Figure
from bench.measure import Asked, measure
from bench.peers import homes
from bench.picture import drawn
from bench.processes import Failed, counts_cpu
from bench.table import show

_console = Console()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the table, and write table and picture to files. Raises `Failed`."""
    asked, folder = _read(arguments)
    with _console.status("") as status:
        told = measure(asked, status.update)
    show(told, _console)
    folder.mkdir(parents=True, exist_ok=True)
    raw, picture = folder / "latest.json", folder / "latest.svg"
    raw.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    picture.write_text(drawn(told), "utf-8")
    _console.print(f"the picture: {picture}; the figures: {raw}", highlight=False, soft_wrap=True)
    if told.failures:
        raise Failed(f"{len(told.failures)} measurements failed")


def _read(arguments: Sequence[str] | None) -> tuple[Asked, Path]:
    parser = argparse.ArgumentParser("python -m bench", description="CPU ratios, in one run.")
    parser.add_argument("--quick", action="store_true", help="one repetition with less work")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--only", default="", metavar="WORD", help="figures named so")
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    parser.add_argument("--with", action="append", default=[], metavar="NAME=PYTHON", dest="where")
    parser.add_argument("--to", type=Path, default=Path("bench-results"), metavar="FOLDER")
    told = parser.parse_args(arguments)
    found = [one for one in plan.FIGURES if told.only in f"{one.side} {one.title} {one.scenario}"]
    if not found:
        raise Failed(f"no figure has {told.only!r} in its name")
    asked = Asked(
        repetitions=1 if told.quick else max(1, told.repetitions),
        share=0.5 if told.quick else 1.0,
        figures=[one for one in found if _is_possible(one)],
        homes=homes(told.where, told.without),
    )
    return asked, told.to


def _is_possible(figure: Figure) -> bool:
    if figure.side == "server":
        return counts_cpu()
    return not figure.scenario.startswith(("import", "first answer")) or cold.is_possible()


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        raise SystemExit(f"bench: {failure}") from None
