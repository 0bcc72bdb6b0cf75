"""What servers are asked."""

from __future__ import annotations

from bench import canned
from bench.load import Question, drive
from bench.processes import Failed, run

PATH = "/v1/chat/completions"
_PIECES = canned.SERVER_EVENTS - 3


def provided(port: int, model: str, key: str, prefix: str = "") -> dict[str, Question]:
    """What the provider behind a server answers."""
    plain = Question(
        port=port,
        path=prefix + PATH,
        body=canned.request(model, canned.QUESTION, stream=False),
        key=key,
        contains=canned.answer().encode(),
        times=1,
    )
    return {
        "request": plain,
        "stream": _streamed(plain, canned.request(model, canned.QUESTION, stream=True)),
    }


def echoed(port: int, key: str) -> dict[str, Question]:
    """What our server answers by itself."""
    plain = Question(
        port=port,
        path=PATH,
        body=canned.request("loom/echo", canned.SHORT_QUESTION, stream=False),
        key=key,
        contains=canned.SHORT_QUESTION[-1]["content"].encode(),
        times=1,
    )
    stream = canned.request("loom/echo", canned.MANY_WORDS, stream=True)
    return {"local request": plain, "local stream": _streamed(plain, stream)}


def is_answered(question: Question) -> bool:
    """Whether there is a whole answer to *question*."""
    try:
        run(drive(question, 1, 0))
    except (Failed, OSError):
        return False
    return True


def _streamed(plain: Question, body: bytes) -> Question:
    return Question(
        port=plain.port,
        path=plain.path,
        body=body,
        key=plain.key,
        contains=b'"content":"',
        times=_PIECES,
    )
