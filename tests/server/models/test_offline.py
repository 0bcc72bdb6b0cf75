"""What both offline models do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from chatloom.server.chat.message import Message
from chatloom.server.models import tokens
from chatloom.server.models.driver import Driver, Text
from chatloom.server.models.offline.echo import Echo
from chatloom.server.models.offline.scribe import Scribe
from server.models.asking import ask, asked, prompt

LONG = "one two three four five six seven eight nine ten"


@pytest.fixture(params=[Echo, Scribe])
def driver(request: pytest.FixtureRequest) -> Driver:
    made: Driver = request.param()
    return made


def test_every_piece_is_one_token_and_the_count_is_honest(driver: Driver) -> None:
    answered = ask(driver, prompt(LONG))
    assert answered.tokens == len(answered.pieces) == tokens.count(answered.text())
    assert answered.usage is not None
    assert answered.usage.prompt_tokens == tokens.count_prompt(prompt(LONG))
    assert not answered.usage.estimated


def test_a_plain_answer_is_the_streamed_one_in_one_piece(driver: Driver) -> None:
    streamed, plain = ask(driver, prompt(LONG)), ask(driver, prompt(LONG, streamed=False))
    assert len(plain.batches) == 1
    assert len(plain.pieces) == 1
    assert plain.text() == streamed.text()
    assert plain.usage == streamed.usage


def test_max_tokens_ends_an_answer_early(driver: Driver) -> None:
    whole, short = ask(driver, prompt(LONG)), ask(driver, prompt(LONG, max_tokens=4))
    assert short.reasons == ["length"]
    assert short.tokens == 4
    assert whole.text().startswith(short.text())
    assert ask(driver, prompt(LONG, max_tokens=whole.tokens)).reasons == ["stop"]


def test_a_stop_sequence_ends_an_answer_and_is_not_said(driver: Driver) -> None:
    whole = ask(driver, prompt(LONG)).text()
    across = whole[9:14]
    assert len(tokens.split(across)) > 1
    answered = ask(driver, prompt(LONG, stop=["never said", across, ""]))
    assert answered.text() == whole[: whole.index(across)]
    assert answered.reasons == ["stop"]


def test_of_no_tokens_nothing_is_said(driver: Driver) -> None:
    answered = ask(driver, prompt(LONG, max_tokens=0))
    assert (answered.text(), answered.tokens, answered.reasons) == ("", 0, ["length"])


def test_max_tokens_before_a_stop_sequence_wins(driver: Driver) -> None:
    whole = ask(driver, prompt(LONG)).text()
    answered = ask(driver, prompt(LONG, stop=[whole[-3:]], max_tokens=2))
    assert (answered.reasons, answered.tokens) == (["length"], 2)


def test_logprobs_are_those_of_a_model_without_doubts(driver: Driver) -> None:
    first = ask(driver, prompt(LONG, logprobs=True, top_logprobs=2)).pieces[0]
    assert isinstance(first, Text)
    own = {"token": first.text, "logprob": 0.0, "bytes": list(first.text.encode())}
    assert first.logprobs == [{**own, "top_logprobs": [own]}]
    bare = ask(driver, prompt(LONG, logprobs=True)).pieces[0]
    assert isinstance(bare, Text)
    assert bare.logprobs == [{**own, "top_logprobs": []}]


def test_a_plain_answer_has_the_logprobs_of_all_its_tokens(driver: Driver) -> None:
    answered = ask(driver, prompt(LONG, logprobs=True, streamed=False))
    (piece,) = answered.pieces
    assert isinstance(piece, Text)
    assert len(piece.logprobs or ()) == answered.tokens


@pytest.mark.parametrize("streamed", [True, False])
def test_several_choices_have_an_ending_each(driver: Driver, streamed: bool) -> None:
    answered = ask(driver, prompt(LONG, n=3, streamed=streamed))
    assert answered.reasons == ["stop"] * 3
    said = [answered.text(choice) for choice in range(3)]
    assert answered.tokens == sum(map(tokens.count, said))


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
    ],
)
def test_sound_is_refused(driver: Driver, extra: dict[str, Any], param: str) -> None:
    error = ask(driver, prompt(extra=extra)).error
    assert error is not None
    assert (error.kind, error.param) == ("rejected", param)
    assert ask(driver, prompt(extra={"modalities": ["text"], "user": "x"})).error is None


@pytest.mark.parametrize(
    ("asked_for", "param"),
    [({"n": 0}, "n"), ({"n": 1000}, "n"), ({"max_tokens": -1}, "max_tokens")],
)
def test_numbers_out_of_range_are_refused(
    driver: Driver, asked_for: dict[str, Any], param: str
) -> None:
    error = ask(driver, prompt(**asked_for)).error
    assert error is not None
    assert (error.kind, error.param) == ("rejected", param)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("option", ["cut", "malformed"])
def test_a_cut_answer_stops_after_so_many_pieces(
    driver: Driver, option: str, streamed: bool
) -> None:
    answered = ask(driver, prompt(LONG, options={option: "3"}, streamed=streamed))
    assert answered.error is not None
    assert answered.error.kind == "truncated"
    assert ("malformed" in answered.error.message) == (option == "malformed")
    assert tokens.count(answered.text()) == 3
    assert answered.reasons == []
    assert answered.usage is None


def test_a_fault_beyond_the_answer_strikes_at_its_end(driver: Driver) -> None:
    answered = ask(driver, prompt(LONG, options={"cut": "5000"}))
    assert answered.error is not None
    assert answered.text() == ask(driver, prompt(LONG)).text()
    assert answered.reasons == []


def test_a_stalled_answer_is_given_up_after_the_idle_time(driver: Driver) -> None:
    answered = ask(driver, prompt(LONG, options={"stall": "2", "idle": "0.01"}))
    assert answered.error is not None
    assert answered.error.kind == "timed_out"
    assert len(answered.pieces) == 2


def test_a_stalled_answer_can_be_cancelled(driver: Driver) -> None:
    async def cancelled() -> None:
        stalled = asyncio.create_task(asked(driver, prompt(LONG, options={"stall": "2"})))
        await asyncio.sleep(0.01)
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled

    asyncio.run(cancelled())


def test_the_first_attempts_at_a_request_can_be_refused(driver: Driver) -> None:
    def attempt(key: str) -> str | None:
        error = ask(driver, prompt(LONG, options={"429": "2"}, key=key)).error
        assert error is None or error.retry_after == 1
        return error.kind if error else None

    assert [attempt("a"), attempt("b"), attempt("a")] == ["rate_limited"] * 3
    assert [attempt("a"), attempt("b"), attempt("b"), attempt("a")] == [
        None,
        "rate_limited",
        None,
        None,
    ]


def test_a_delay_comes_before_each_piece(driver: Driver) -> None:
    start = time.monotonic()
    answered = ask(driver, prompt(LONG, options={"delay": "5"}, max_tokens=6))
    assert time.monotonic() - start >= 0.03
    assert len(answered.batches) == 6


def test_tokens_says_how_long_an_answer_is(driver: Driver) -> None:
    long = " ".join([LONG] * 30)
    answered = ask(driver, prompt(long, options={"tokens": "200"}))
    assert (answered.tokens, answered.reasons) == (200, ["stop"])


@pytest.mark.parametrize(
    "options",
    [{"cut": "many"}, {"cut": ""}, {"cut": "-1"}, {"pace": "3"}, {"delay": "nan"}, {"idle": "1e9"}],
)
def test_an_option_that_is_not_understood_names_those_that_are(
    driver: Driver, options: dict[str, str]
) -> None:
    error = ask(driver, prompt(options=options)).error
    assert error is not None
    assert (error.kind, error.param) == ("rejected", "model")
    assert "stall=N" in error.message
    assert next(iter(options)) in error.message


def test_only_the_latest_refusals_are_remembered() -> None:
    from chatloom.server.models.driver import ProviderError
    from chatloom.server.models.offline.faults import Refusals

    refusals = Refusals(remembered=2)
    for key in "abc":
        with pytest.raises(ProviderError):
            refusals.refuse(key, 1)
    refusals.refuse("c", 1)
    with pytest.raises(ProviderError):
        refusals.refuse("a", 1)


def test_echo_says_the_last_words_of_the_user() -> None:
    talk = [Message("user", "first"), Message("assistant", "yes"), Message("user", "second, then")]
    answered = ask(Echo(), prompt(talk))
    assert answered.text() == "second, then"
    assert answered.served == ["loom/echo"]
    assert ask(Echo(), prompt([Message("system", "be brief")])).text() == ""


@pytest.mark.parametrize(
    ("asked_for", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_echo_refuses_what_it_cannot_obey(asked_for: dict[str, Any], param: str) -> None:
    error = ask(Echo(), prompt(**asked_for)).error
    assert error is not None
    assert (error.kind, error.param) == ("rejected", param)
