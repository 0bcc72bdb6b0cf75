"""The servers under load, and what each is asked."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import canned
from bench.load import Question, drive
from bench.processes import Failed, output, run, started

_PATH = "/v1/chat/completions"
_PIECES = canned.SERVER_EVENTS - 3


class _Port(msgspec.Struct):
    port: int


class _Ready(msgspec.Struct):
    url: str


class _Key(msgspec.Struct):
    secret: str


class Server(msgspec.Struct):
    """A server that runs, and what it can be asked."""

    pid: int
    questions: Mapping[str, Question]


@contextmanager
def upstream(folder: Path) -> Generator[int]:
    """Run the canned upstream; its port."""
    with started("bench.upstream", [], folder / "upstream.log") as (_, told):
        yield msgspec.json.decode(told, type=_Port).port


@contextmanager
def bare_gateway(folder: Path, upstream_port: int, core: int | None) -> Generator[Server]:
    """Run the bare gateway."""
    arguments = [_provider(upstream_port)]
    with started("bench.bare_gateway", arguments, folder / "bare.log", core) as (pid, told):
        port = msgspec.json.decode(told, type=_Port).port
        ask, stream = (
            _provided(port, "canned", "", stream=False),
            _provided(port, "canned", "", stream=True),
        )
        yield Server(
            pid,
            {
                "bare request": ask,
                "bare stream": stream,
                "bare local request": msgspec.structs.replace(ask, path="/local" + _PATH),
                "bare local stream": msgspec.structs.replace(stream, path="/local" + _PATH),
            },
        )


@contextmanager
def chatloom(folder: Path, upstream_port: int, core: int | None) -> Generator[Server]:
    """Run our server as its users do: with a database file, a configuration, and a key."""
    config, database = folder / "chatloom.toml", folder / "chatloom.db"
    config.write_text(f'[providers.canned]\nbase_url = "{_provider(upstream_port)}"\n', "utf-8")
    arguments = ["serve", "--json", "--port", "0", "--db", str(database), "--config", str(config)]
    with started("chatloom", arguments, folder / "chatloom.log", core) as (pid, told):
        ready = msgspec.json.decode(told, type=_Ready)
        made = output("chatloom", ["keys", "create", "bench", "--db", str(database), "--json"])
        key = msgspec.json.decode(made, type=_Key).secret
        port = int(ready.url.rpartition(":")[2])
        yield Server(
            pid,
            {
                "provider request": _provided(port, "canned/model", key, stream=False),
                "provider stream": _provided(port, "canned/model", key, stream=True),
                "echo request": _echoed(port, key, stream=False),
                "echo stream": _echoed(port, key, stream=True),
            },
        )


def is_answered(question: Question) -> bool:
    """Whether there is a whole answer to *question*."""
    try:
        run(drive(question, 1, 0))
    except Failed:
        return False
    return True


def _provider(port: int) -> str:
    return f"http://127.0.0.1:{port}/burst-{canned.SERVER_EVENTS}/v1"


def _provided(port: int, model: str, key: str, *, stream: bool) -> Question:
    body = canned.request(model, canned.QUESTION, stream=stream)
    if stream:
        return _stream(port, body, key)
    return Question(
        port=port, path=_PATH, body=body, key=key, contains=canned.answer().encode(), times=1
    )


def _echoed(port: int, key: str, *, stream: bool) -> Question:
    if stream:
        body = canned.request("loom/echo", canned.MANY_WORDS, stream=True)
        return _stream(port, body, key)
    body = canned.request("loom/echo", canned.SHORT_QUESTION, stream=False)
    said = canned.SHORT_QUESTION[-1]["content"].encode()
    return Question(port=port, path=_PATH, body=body, key=key, contains=said, times=1)


def _stream(port: int, body: bytes, key: str) -> Question:
    return Question(
        port=port, path=_PATH, body=body, key=key, contains=b'"content":"', times=_PIECES
    )
