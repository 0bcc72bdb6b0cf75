"""Branches merged: taken over, appended, picked from, summed up; never twice, never in vain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.chatroutes import Member, Talk, refusal
from support.live import Live


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, "merging").begin()


@pytest.fixture
def branch(talk: Talk) -> Any:
    """A branch with two exchanges, behind the first of two on the main branch."""
    ids = talk.say("One", "Two")
    made = talk.fork(ids[1], "Aside")
    talk.say("Zwei", "Drei", branch=made)
    return made


def ids_of(talk: Talk, branch: Any = None) -> list[str]:
    return [one["id"] for one in talk.messages(branch)]


def test_a_branch_whose_target_has_not_moved_is_taken_over(talk: Talk) -> None:
    talk.say("One")
    branch = talk.fork(talk.main["headMessageId"], "Ahead")
    said = talk.say("Two", branch=branch)
    done = talk.merge(branch)
    assert done["branch"]["id"] == talk.main["id"]
    assert done["merge"] == {
        "strategy": "append",
        "fastForward": True,
        "messageId": None,
        "messageIds": said,
        "sourceBranchId": branch["id"],
        "targetBranchId": talk.main["id"],
        "repeated": False,
    }
    assert talk.texts() == ["One", "One", "Two", "Two"]
    assert {one["branchId"] for one in talk.messages()} == {talk.main["id"]}
    assert talk.branch(branch)["mergedIntoBranchId"] == talk.main["id"]
    assert talk.branch(branch)["mergedAt"]
    assert talk.told["messageCount"] == 4


def test_all_that_the_target_has_not_is_appended(talk: Talk, branch: Any) -> None:
    own, before = ids_of(talk, branch)[2:], ids_of(talk)
    done = talk.merge(branch)["merge"]
    assert (done["fastForward"], done["messageIds"]) == (False, own)
    *kept, node = talk.messages()
    assert [one["id"] for one in kept] == before
    assert node["id"] == done["messageId"]
    assert node["mergedMessageIds"] == own
    assert node["mergedBranchHeadId"] == own[-1]
    assert (node["role"], node["branchId"]) == ("system", talk.main["id"])
    talk.say("Three")
    assert talk.texts()[-2:] == ["Three", "Three"]
    assert talk.texts(branch) == ["One", "One", "Zwei", "Zwei", "Drei", "Drei"]


def test_a_question_is_picked_with_its_answer(talk: Talk, branch: Any) -> None:
    own = ids_of(talk, branch)[2:]
    for picked in ([own[2]], [own[3].upper()]):
        other = talk.fork(talk.main["headMessageId"], "Target")
        body = {"strategy": "pick", "messageIds": picked, "targetBranchId": other["id"].upper()}
        done = talk.merge(branch, **body)["merge"]
        assert done["messageIds"] == own[2:]
        assert done["targetBranchId"] == other["id"]


def test_a_summary_names_its_sources_and_is_charged(live: Live, talk: Talk, branch: Any) -> None:
    own = ids_of(talk, branch)[2:]
    before = live.counts()["ledger"]
    answer = talk.member.call(
        "POST", talk.merging(branch), {"strategy": "summarize", "model": "loom/scribe"}
    )
    done = answer.json["data"]["merge"]
    assert (done["strategy"], done["messageIds"]) == ("summarize", own)
    node = talk.messages()[-1]
    assert node["id"] == done["messageId"]
    assert all(id in node["content"] for id in own)
    assert live.counts()["ledger"] == before + 2
    turn = answer.headers["x-chatloom-turn"]
    assert node["metadata"]["turnId"] == turn
    summary = live.call("GET", f"/v1/turns/{turn}", key="merging").json
    assert summary["outcome"] == "complete"
    assert summary["served_model"] == "loom/scribe"
    assert node["content"].startswith("Summary of “Aside”:")


@pytest.mark.parametrize("strategy", ["append", "summarize"])
def test_merging_twice_gives_the_same(live: Live, talk: Talk, branch: Any, strategy: str) -> None:
    first = talk.merge(branch, strategy=strategy)
    before = live.dump()
    again = talk.merge(branch, strategy=strategy)
    assert again["branch"] == first["branch"]
    assert again["merge"] == {**first["merge"], "repeated": True}
    assert live.dump() == before


def test_what_came_since_is_merged_alone(talk: Talk, branch: Any) -> None:
    talk.merge(branch)
    more = talk.say("Vier", branch=branch)
    done = talk.merge(branch)["merge"]
    assert (done["messageIds"], done["repeated"]) == (more, False)
    ahead = talk.fork(talk.main["headMessageId"])
    talk.say("Five", branch=ahead)
    talk.merge(ahead)
    last = talk.say("Six", branch=ahead)
    done = talk.merge(ahead)["merge"]
    assert (done["messageIds"], done["fastForward"], done["repeated"]) == (last, True, False)
    assert talk.texts()[-2:] == ["Six", "Six"]


@pytest.mark.parametrize("strategy", ["append", "summarize"])
def test_a_repeat_with_its_key_takes_effect_once(
    live: Live, talk: Talk, branch: Any, strategy: str
) -> None:
    headers = {"Idempotency-Key": f"merge-{branch['id']}"}
    before = live.counts()["ledger"]

    def merge(_: int) -> Any:
        body = {"strategy": strategy}
        return talk.member.call("POST", talk.merging(branch), body, headers)

    with ThreadPoolExecutor(6) as crowd:
        answers = [*crowd.map(merge, range(6)), merge(6)]
    assert {one.status for one in answers} == {200}
    merges = [one.json["data"]["merge"] for one in answers]
    assert len({one["messageId"] for one in merges}) == 1
    assert [one["repeated"] for one in merges].count(False) == 1
    assert {one.headers["idempotency-key"] for one in answers} == set(headers.values())
    paid = 2 if strategy == "summarize" else 0
    assert live.counts()["ledger"] == before + paid
    assert len(talk.messages()) == 5


def test_a_summary_that_fails_changes_nothing(live: Live, talk: Talk, branch: Any) -> None:
    before, count = talk.messages(), live.counts()["message"]
    body = {"strategy": "summarize", "model": "loom/scribe?cut=2"}
    answer = talk.member.call("POST", talk.merging(branch), body)
    assert refusal(answer) == (502, "truncated")
    assert talk.messages() == before
    assert talk.branch(branch)["mergedAt"] is None
    assert live.counts()["message"] == count


def senseless(talk: Talk, branch: Any) -> dict[str, tuple[Any, dict[str, object], str]]:
    """Merges that make no sense: what, how, and why."""
    gone = talk.fork(talk.main["headMessageId"], "Gone")
    talk.delete(gone)
    deeper = talk.fork(ids_of(talk, branch)[3], "Deeper")
    talk.say("Below", branch=deeper)
    idle = talk.fork(talk.main["headMessageId"], "Idle")
    resting = talk.fork(talk.main["headMessageId"], "Resting")
    talk.change(resting, isActive=False)
    orphaned = talk.fork(talk.main["headMessageId"], "Parent")
    head = talk.say("Three", branch=orphaned)[1]
    orphan = talk.fork(head, "Orphan")
    talk.say("Four", branch=orphan)
    talk.delete(orphaned)
    return {
        "into itself": (branch, {"targetBranchId": branch["id"]}, "same_branch"),
        "into a descendant": (branch, {"targetBranchId": deeper["id"]}, "ancestor"),
        "main into a descendant": (talk.main, {"targetBranchId": branch["id"]}, "ancestor"),
        "main into nothing": (talk.main, {}, "main_branch"),
        "a deleted one": (gone, {}, "branch_deleted"),
        "into a deleted one": (branch, {"targetBranchId": gone["id"]}, "branch_deleted"),
        "into a deleted parent": (orphan, {}, "branch_deleted"),
        "into an inactive one": (branch, {"targetBranchId": resting["id"]}, "branch_inactive"),
        "nothing new": (idle, {}, "nothing_to_merge"),
    }


def test_a_merge_that_makes_no_sense_is_refused_with_the_reason(
    live: Live, talk: Talk, branch: Any
) -> None:
    merges = senseless(talk, branch)
    before = live.dump()
    for name, (source, fields, code) in merges.items():
        for more in ({}, {"strategy": "summarize"}):
            answer = talk.member.call("POST", talk.merging(source), {**fields, **more})
            assert refusal(answer) == (409, code), name
            assert answer.headers["x-should-retry"] == "false"
            assert live.dump() == before, name


def test_merging_into_another_branch_than_its_own(talk: Talk, branch: Any) -> None:
    other = talk.fork(talk.messages()[0]["id"], "Elsewhere")
    done = talk.merge(branch, targetBranchId=other["id"])
    assert done["merge"]["messageIds"] == ids_of(talk, branch)[1:]
    assert [one["id"] for one in talk.messages(other)][-1] == done["merge"]["messageId"]


def test_a_merge_of_a_merge_brings_in_what_that_brought(talk: Talk, branch: Any) -> None:
    target = talk.fork(talk.main["headMessageId"], "Middle")
    talk.say("Three", branch=target)
    talk.merge(branch, targetBranchId=target["id"])
    talk.say("Four")
    done = talk.merge(target)["merge"]
    three = [one["id"] for one in talk.messages(target)[4:6]]
    assert done["messageIds"] == [*three, *ids_of(talk, branch)[2:]]
    assert talk.messages()[-1]["mergedMessageIds"] == done["messageIds"]


def test_a_merge_cannot_be_said_otherwise(talk: Talk, branch: Any) -> None:
    node = talk.merge(branch)["merge"]["messageId"]
    refused = talk.member.refused("PATCH", f"/messages/{node}", {"content": "Other"})
    assert refused == (409, "is_merge")


def test_merges_and_messages_at_once_lose_nothing(talk: Talk, branch: Any) -> None:
    others = [talk.fork(talk.messages()[1]["id"], f"Side {number}") for number in range(4)]
    for other in others:
        talk.say(f"Said on {other['title']}", branch=other)

    def act(number: int) -> int:
        if number % 2:
            return int(talk.member.call("POST", talk.merging(others[number // 2])).status)
        talk.send(f"Meanwhile {number}")
        return 200

    with ThreadPoolExecutor(8) as crowd:
        assert set(crowd.map(act, range(8))) == {200}
    tree = talk.member.get(f"{talk.path}/tree")
    brought = [one for one in talk.messages() if "mergedMessageIds" in one]
    assert len(brought) == 4
    assert tree["metadata"]["totalNodes"] == talk.told["messageCount"]
