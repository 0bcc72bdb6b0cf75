"""Whatever receivers do, and however often the server is killed, each event arrives under one id.

It all happens once; then it is judged.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest

from faults.addressees import Seen
from faults.judging import check_books, rows
from faults.telling import AT_ONCE, EVENTS, KILLS, SCHEDULE, Story, a_story, log_of, thing_of
from support.commands import Shell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

TOO_LATE = {"the host was silent for too long", "fetching took too long"}
NOT_REACHED = {"connecting to the host took too long"}
"""Of which a receiver knows nothing."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Generator[Story]:
    with a_story(tmp_path_factory.mktemp("webhooks")) as story:
        yield story


# What is told


def test_there_was_enough_to_tell(story: Story) -> None:
    assert len(story.logs["healthy"]) >= EVENTS
    types = {type for type, _ in story.expected(story.healthy)}
    assert types >= {"turn.complete", "turn.length", "turn.truncated", "memory.stored"}
    assert story.known.edited
    assert story.known.remembered
    statuses = {seen.way.status for one in story.addressees for seen in one.seen}
    assert statuses == {200, 204, 302, 410, 429, 500, None}
    assert {seen.way.stalls for seen in story.addressees[2].seen} == {True, False}
    protocols = rows(story.database, "SELECT DISTINCT protocol FROM turn")
    assert len(protocols) == 4


def test_what_clients_know_is_stored(story: Story) -> None:
    assert story.known.turns <= story.outcomes.keys()
    things = story.happened()
    assert {("chat.message", id) for id in story.known.edited} <= things
    assert {("memory.stored", key) for key in story.known.remembered} <= things


def test_everything_that_happened_arrives(story: Story) -> None:
    for one in story.addressees[:-1]:
        taken = {thing_of(seen) for seen in one.seen if seen.is_taken}
        assert taken == story.expected(one), one.name
        assert {thing_of(seen) for seen in one.seen} == taken, one.name


def test_nothing_has_two_ids(story: Story) -> None:
    told = {(thing_of(seen), seen.got.id) for one in story.addressees for seen in one.seen}
    things, ids = {thing for thing, _ in told}, {id for _, id in told}
    assert len(things) == len(ids) == len(told)
    for one in story.addressees:
        logged = [delivery["event_id"] for delivery in story.logs[one.name]]
        assert len(set(logged)) == len(logged) == len(story.expected(one)), one.name


def test_an_event_is_the_same_whenever_it_is_told(story: Story) -> None:
    bodies = {(seen.got.id, seen.got.body) for one in story.addressees for seen in one.seen}
    assert len(bodies) == len({id for id, _ in bodies})
    varying = {"webhook-timestamp", "webhook-signature"}
    for one in story.addressees:
        heads = {
            (seen.got.id, *sorted((k, v) for k, v in seen.got.headers.items() if k not in varying))
            for seen in one.seen
        }
        assert len(heads) == len({seen.got.id for seen in one.seen}), one.name


def test_clients_and_webhooks_are_told_the_same(story: Story) -> None:
    told: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for body in {seen.got.body for seen in story.healthy.seen}:
        event = json.loads(body)
        told[event["data"].get("turnId")][event["type"]].append(event["data"])
    for turn, (question, answer) in story.known.said.items():
        (asked,) = told[turn]["chat.message"]
        assert asked["content"] == question
        assert answer in [data["content"] for data in told[turn]["chat.response"]]
        assert told[turn][f"turn.{story.outcomes[turn]}"]


# In which order


def test_a_conversation_is_told_in_its_order(story: Story) -> None:
    for one in story.addressees:
        first: dict[str, int] = {}
        for place, seen in enumerate(one.seen):
            if seen.is_taken:
                first.setdefault(seen.got.id, place)
        lanes: dict[str, list[int]] = defaultdict(list)
        for delivery in story.logs[one.name]:
            if delivery["conversation_id"] and delivery["event_id"] in first:
                lanes[delivery["conversation_id"]].append(first[delivery["event_id"]])
        assert len(lanes) > KILLS
        for lane in lanes.values():
            assert lane == sorted(lane), one.name


def test_all_logs_have_one_order(story: Story) -> None:
    order = [delivery["event_id"] for delivery in story.logs["healthy"]]
    for log in story.logs.values():
        ids = [delivery["event_id"] for delivery in log]
        known = {*ids}
        assert [id for id in order if id in known] == ids


def test_things_are_told_as_they_were_said(story: Story) -> None:
    datas = {seen.got.id: seen.got.json for seen in story.healthy.seen}
    events = [datas[delivery["event_id"]] for delivery in story.logs["healthy"]]
    said = [event["data"] for event in events if event["type"].startswith("chat.")]
    places = {data["messageId"]: place for place, data in enumerate(said)}
    assert all(places[data["parentId"]] < place for place, data in enumerate(said)
               if data["parentId"] is not None)  # fmt: skip
    turns: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if turn := event["data"].get("turnId"):
            turns[turn].append(event["type"])
    assert turns.keys() == story.outcomes.keys()
    for turn, types in turns.items():
        assert types == [*sorted(types[:-1]), f"turn.{story.outcomes[turn]}"], turn


# By whom


def test_others_accept_every_signature(story: Story) -> None:
    assert [refused for one in story.addressees for refused in one.refused] == []


def test_no_redirect_is_followed(story: Story) -> None:
    known = {delivery["event_id"] for delivery in story.logs["healthy"]}
    assert {seen.got.headers["x-infinity-webhook-id"] for seen in story.healthy.seen} == {
        story.healthy.id
    }
    assert {seen.got.id for seen in story.healthy.seen} == known
    assert 302 in {seen.way.status for seen in story.addressees[3].seen}


# What the log tells


def agrees(seen: Seen, attempt: Any) -> bool:
    """Whether an attempt is told as it was."""
    if attempt["status"] is None and attempt["problem"] in TOO_LATE:
        return True  # whoever answered did so when nobody listened any more
    is_taken = attempt["status"] is not None and attempt["problem"] is None
    return not seen.way.stalls and (attempt["status"], is_taken) == (seen.way.status, seen.is_taken)


def left_out(attempts: Sequence[Any], requests: Sequence[Seen], state: str) -> int | None:
    """How many requests a log leaves out; `None` where it does not tell what happened.

    It may leave out the last one before a kill.
    """
    reached = {0: 0}
    for life, group in groupby(requests, key=lambda seen: seen.life):
        some, further = [*group], dict[int, int]()
        counts = (len(some), len(some) - 1) if life < KILLS else (len(some),)
        for at, lost in reached.items():
            for count in counts:
                told = attempts[at : at + count]
                if len(told) == count and all(map(agrees, some, told)):
                    further[at + count] = lost + len(some) - count
        reached = further
    return reached.get(len(attempts))


def test_the_log_tells_the_whole_story(story: Story) -> None:
    lost = dict[str, int]()
    for one in story.addressees:
        requests: dict[str, list[Seen]] = defaultdict(list)
        for seen in story.first_told(one):
            requests[seen.got.id].append(seen)
        lost[one.name] = 0
        for delivery in story.logs[one.name]:
            came = requests.pop(delivery["event_id"], [])
            attempts = delivery["attempts"]
            assert [each["number"] for each in attempts] == [*range(1, len(attempts) + 1)]
            reached = [each for each in attempts if each["problem"] not in NOT_REACHED]
            missing = left_out(reached, came, delivery["state"])
            assert missing is not None, (one.name, delivery, came)
            lost[one.name] += missing
        assert requests == {}, one.name
        assert lost[one.name] <= AT_ONCE * KILLS, one.name
    assert sum(lost.values()) > 0, "nothing was on its way when the server was killed"


def test_no_attempt_is_made_before_its_time(story: Story) -> None:
    for one in story.addressees:
        paused = {seen.got.id for seen in one.seen if seen.way.pause}
        for delivery in story.logs[one.name]:
            pause = delivery["event_id"] in paused
            for tries, (before, after) in enumerate(pairwise(delivery["attempts"])):
                ended = _moment(before) + timedelta(milliseconds=before["milliseconds"])
                waits = (_moment(after) - ended).total_seconds()
                assert waits >= SCHEDULE[tries], (one.name, delivery)
                assert waits >= 1 or before["status"] != 429 or not pause, delivery
    assert any(seen.way.pause for one in story.addressees for seen in one.seen)


def _moment(attempt: Any) -> datetime:
    return datetime.fromisoformat(attempt["started_at"])


def test_every_event_is_delivered_at_last(story: Story) -> None:
    for one in story.addressees[:-1]:
        for delivery in story.logs[one.name]:
            assert (delivery["state"], delivery["next_attempt_at"]) == ("delivered", None)
            *before, last = delivery["attempts"]
            assert last["problem"] is None
            assert last["status"] in {200, 204}
            assert all(attempt["problem"] for attempt in before)
        webhook = story.webhooks[one.name]
        told = (webhook["active"], webhook["disabled_because"], webhook["failures"])
        assert told == (True, None, 0), one.name


def test_the_command_tells_the_same(story: Story) -> None:
    run = Shell(story.folder)(
        "webhooks", "log", story.healthy.id, "--json", "--db", str(story.database)
    )
    assert run.code == 0, run.err
    newest = story.logs["healthy"][: -len(run.json["deliveries"]) - 1 : -1]
    assert run.json["deliveries"] == newest != []


# Who is gone


def test_who_is_gone_had_all_before_and_nothing_after(story: Story) -> None:
    gone, log = story.gone, story.logs["gone"]
    states = {delivery["event_id"]: delivery["state"] for delivery in log}
    assert {*states.values()} == {"delivered", "failed", "missed"}
    requests = story.first_told(gone)
    taken = {seen.got.id for seen in requests if seen.is_taken}
    delivered = {id for id, state in states.items() if state == "delivered"}
    assert delivered <= taken
    assert len(taken) == EVENTS // 3
    (failed,) = [delivery for delivery in log if delivery["state"] == "failed"]
    assert failed["attempts"][-1]["status"] == 410
    refused = [seen for seen in requests if seen.way.status == 410]
    ends = len({seen.life for seen in refused})
    assert len(refused) <= AT_ONCE * ends
    assert len(taken - delivered) < AT_ONCE * ends  # on their way as it was disabled, or killed
    first = next(place for place, seen in enumerate(requests) if seen.way.status == 410)
    assert all(not seen.is_taken for seen in requests[first:])
    webhook = story.webhooks["gone"]
    assert (webhook["active"], webhook["disabled_because"]) == (False, "gone")


def test_others_are_told_once_of_who_is_gone(story: Story) -> None:
    for one in story.addressees:
        told = {seen.got.id: seen for seen in one.seen if seen.got.type == "webhook.disabled"}
        wants = one is not story.gone and bool({"*", "webhook.disabled"} & {*one.wanted})
        assert len(told) == wants, one.name
        for seen in told.values():
            assert (seen.got.data["webhookId"], seen.got.data["reason"]) == (story.gone.id, "gone")


def test_what_was_missed_is_replayed_under_its_id(story: Story) -> None:
    gone, log = story.gone, story.logs["gone"]
    missed = {one["event_id"] for one in log if one["state"] != "delivered"}
    again = [seen for seen in gone.seen if seen.life == gone.life]
    assert {seen.got.id for seen in again} == missed
    assert story.replayed == len(missed) > 0
    assert {thing_of(seen) for seen in gone.seen if seen.is_taken} == story.expected(gone)
    for before, after in zip(log, log_of(story.owner, gone), strict=True):
        assert (after["event_id"], after["state"]) == (before["event_id"], "delivered")
        count = len(before["attempts"])
        assert after["attempts"][:count] == before["attempts"]
        assert (len(after["attempts"]) > count) == (after["event_id"] in missed)


# And all of it


def test_all_is_well(story: Story) -> None:
    check_books(story.database)
    assert "Traceback" not in (story.folder / "mortal.log").read_text()
