"""What the ChatRoutes clients send, call by call."""

from __future__ import annotations

from typing import Any

import pytest

from chatloom.core.raw import Raw
from sdks.chatroutes.both import enveloped, outcome
from support.twins import Call, Reply

CONVERSATION = {"id": "c1", "userId": "u", "title": "T", "createdAt": "x", "updatedAt": "x"}
MESSAGE = {"id": "m1", "conversationId": "c1", "role": "user", "content": "hi", "createdAt": "x"}
BRANCH = {
    "id": "b1",
    "conversationId": "c1",
    "title": "B",
    "isMain": True,
    "isActive": True,
    "createdAt": "x",
}
CHECKPOINT = {
    "id": "p1",
    "summary": "s",
    "conversation_id": "c1",
    "branch_id": "b1",
    "anchor_message_id": "m1",
    "token_count": 3,
    "created_at": "x",
    "conversationId": "c1",
    "branchId": "b1",
    "anchorMessageId": "m1",
    "tokenCount": 3,
    "createdAt": "x",
}
SENT = {"content": "hi", "model": "gpt-5", "temperature": 0.5, "maxTokens": 9, "branchId": "b1"}
ANSWER = {**MESSAGE, "id": "m2", "role": "assistant"}
EXCHANGE = {
    "message": ANSWER,
    "userMessage": MESSAGE,
    "assistantMessage": ANSWER,
    "usage": {"promptTokens": 1, "completionTokens": 2, "totalTokens": 3},
    "model": "gpt-5",
}

ONE = enveloped(conversation=CONVERSATION)
CASES: dict[str, tuple[Call, str, Any, Any, Any]] = {
    "create": (
        lambda client: client.conversations.create({"title": "Test"}),
        "POST /conversations",
        {"title": "Test"},
        ONE,
        CONVERSATION,
    ),
    "get": (
        lambda client: client.conversations.get("c1"),
        "GET /conversations/c1",
        None,
        ONE,
        CONVERSATION,
    ),
    "update": (
        lambda client: client.conversations.update("c1", {"title": "New"}),
        "PATCH /conversations/c1",
        {"title": "New"},
        ONE,
        CONVERSATION,
    ),
    "delete": (
        lambda client: client.conversations.delete("c1"),
        "DELETE /conversations/c1",
        None,
        {"success": True},
        None,
    ),
    "send": (
        lambda client: client.messages.send("c1", SENT),
        "POST /conversations/c1/messages",
        SENT,
        enveloped(**EXCHANGE),
        EXCHANGE,
    ),
    "list messages": (
        lambda client: client.messages.list("c1"),
        "GET /conversations/c1/messages",
        None,
        enveloped(messages=[MESSAGE]),
        [MESSAGE],
    ),
    "list messages of a branch": (
        lambda client: client.messages.list("c1", "b 1"),
        "GET /conversations/c1/messages?branchId=b%201",
        None,
        {"success": True, "messages": [MESSAGE]},
        [MESSAGE],
    ),
    "iterate": (
        lambda client: client.messages.iter("c1", order="desc", page_size=5).collect(),
        "GET /conversations/c1/messages?order=desc&limit=5",
        None,
        enveloped(messages=[MESSAGE]),
        [MESSAGE],
    ),
    "update message": (
        lambda client: client.messages.update("m1", "hello"),
        "PATCH /messages/m1",
        {"content": "hello"},
        enveloped(message=MESSAGE, keptBranch=BRANCH),
        {**MESSAGE, "keptBranch": BRANCH},
    ),
    "delete message": (
        lambda client: client.messages.delete("m1"),
        "DELETE /messages/m1",
        None,
        Reply(b"", b"204 No Content"),
        None,
    ),
    "list branches": (
        lambda client: client.branches.list("c1"),
        "GET /conversations/c1/branches",
        None,
        enveloped(branches=[BRANCH]),
        [BRANCH],
    ),
    "create branch": (
        lambda client: client.branches.create("c1", {"title": "B", "baseNodeId": "m1"}),
        "POST /conversations/c1/branches",
        {"title": "B", "baseNodeId": "m1"},
        enveloped(branch=BRANCH),
        BRANCH,
    ),
    "fork": (
        lambda client: client.branches.fork("c1", {"forkPointMessageId": "m1", "title": "B"}),
        "POST /conversations/c1/fork",
        {"forkPointMessageId": "m1", "title": "B"},
        enveloped(branch=BRANCH),
        BRANCH,
    ),
    "update branch": (
        lambda client: client.branches.update("c1", "b1", {"title": "C"}),
        "PATCH /conversations/c1/branches/b1",
        {"title": "C"},
        enveloped(branch=BRANCH),
        BRANCH,
    ),
    "delete branch": (
        lambda client: client.branches.delete("c1", "b1"),
        "DELETE /conversations/c1/branches/b1",
        None,
        {"success": True},
        None,
    ),
    "branch messages": (
        lambda client: client.branches.get_messages("c1", "b1"),
        "GET /conversations/c1/branches/b1/messages",
        None,
        enveloped(messages=[MESSAGE]),
        [MESSAGE],
    ),
    "send on a branch": (
        lambda client: client.branches.send_message("c1", "b1", {"content": "hi"}),
        "POST /conversations/c1/branches/b1/messages",
        {"content": "hi"},
        enveloped(**EXCHANGE),
        EXCHANGE,
    ),
    "merge": (
        lambda client: client.branches.merge("c1", "b1"),
        "POST /conversations/c1/branches/b1/merge",
        None,
        enveloped(branch=BRANCH, merge={"strategy": "append"}),
        {**BRANCH, "merge": {"strategy": "append"}},
    ),
    "merge in a certain way": (
        lambda client: client.branches.merge("c1", "b1", {"strategy": "pick", "messageIds": ["m"]}),
        "POST /conversations/c1/branches/b1/merge",
        {"strategy": "pick", "messageIds": ["m"]},
        enveloped(branch=BRANCH),
        BRANCH,
    ),
    "diff": (
        lambda client: client.branches.diff("c1", "b1", against="b2"),
        "GET /conversations/c1/branches/b1/diff?against=b2",
        None,
        enveloped(sharedMessageCount=3),
        {"sharedMessageCount": 3},
    ),
    "search": (
        lambda client: client.conversations.search("a b*", conversation_id="c1", cursor="x"),
        "GET /conversations/search?q=a%20b%2A&conversationId=c1&limit=20&cursor=x",
        None,
        enveloped(hits=[{"messageId": "m1"}], hasNext=True, nextCursor="y"),
        {"hits": [{"messageId": "m1"}], "hasNext": True, "nextCursor": "y"},
    ),
    "list checkpoints": (
        lambda client: client.checkpoints.list("c1", branch_id="b1"),
        "GET /conversations/c1/checkpoints?branchId=b1",
        None,
        enveloped(checkpoints=[CHECKPOINT]),
        [CHECKPOINT],
    ),
    "create checkpoint": (
        lambda client: client.checkpoints.create("c1", "b1", "m1", model="gpt-5"),
        "POST /conversations/c1/checkpoints",
        {"branchId": "b1", "anchorMessageId": "m1", "model": "gpt-5"},
        enveloped(checkpoint=CHECKPOINT),
        CHECKPOINT,
    ),
    "delete checkpoint": (
        lambda client: client.checkpoints.delete("p1"),
        "DELETE /checkpoints/p1",
        None,
        {"success": True},
        None,
    ),
    "recreate checkpoint": (
        lambda client: client.checkpoints.recreate("p1"),
        "POST /checkpoints/p1/recreate",
        None,
        enveloped(checkpoint=CHECKPOINT),
        CHECKPOINT,
    ),
    "recreate checkpoint with a model": (
        lambda client: client.checkpoints.recreate("p1", model="gpt-5"),
        "POST /checkpoints/p1/recreate",
        {"model": "gpt-5"},
        enveloped(checkpoint=CHECKPOINT),
        CHECKPOINT,
    ),
    "suggest": (
        lambda client: client.autobranch.suggest_branches("t", llm_model="m", llm_api_key="k"),
        "POST /autobranch/suggest-branches",
        {
            "text": "t",
            "suggestionsCount": 3,
            "hybridDetection": False,
            "threshold": 0.7,
            "llmModel": "m",
            "llmApiKey": "k",
        },
        {"suggestions": [{"id": "s"}], "metadata": {"detectionMethod": "llm"}},
        {
            "suggestions": [{"id": "s"}],
            "metadata": {
                "detectionMethod": "llm",
                "totalBranchPointsFound": 1,
                "modelUsed": None,
            },
        },
    ),
    "health": (
        lambda client: client.autobranch.health(),
        "GET /autobranch/health",
        None,
        {"status": "healthy", "version": "1", "service": "autobranch"},
        {"status": "healthy", "version": "1", "service": "autobranch"},
    ),
    "any get": (
        lambda client: client.http.get("/conversations", {"page": 2}),
        "GET /conversations?page=2",
        None,
        {"a": 1},
        {"a": 1},
    ),
    "any post": (
        lambda client: client.http.post("auth/login", {"email": "e"}),
        "POST /auth/login",
        {"email": "e"},
        {"a": 1},
        {"a": 1},
    ),
    "any patch": (
        lambda client: client.http.patch("/api/v1/messages/a b", {"content": "x"}),
        "PATCH /messages/a%20b",
        {"content": "x"},
        {"a": 1},
        {"a": 1},
    ),
    "any delete": (
        lambda client: client.http.delete("/messages/m1"),
        "DELETE /messages/m1",
        None,
        Reply(b"", b"204 No Content"),
        {},
    ),
    "any request": (
        lambda client: client.http.request("put", "/x", {"a": 1}, {"b": True}),
        "PUT /x?b=true",
        {"a": 1},
        {"c": 1},
        {"c": 1},
    ),
}


@pytest.mark.parametrize(("call", "target", "body", "told", "answer"), CASES.values(), ids=CASES)
def test_a_call_sends_what_the_document_says(
    call: Call, target: str, body: Any, told: Any, answer: Any
) -> None:
    happened = outcome(call, told)
    assert (happened.targets, happened.bodies) == ([target], [body])
    assert happened.answer == answer


def test_ids_stay_one_part_of_an_address() -> None:
    happened = outcome(lambda client: client.branches.get_messages("a/b", "é?#"), enveloped())
    assert happened.targets == ["GET /conversations/a%2Fb/branches/%C3%A9%3F%23/messages"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_that_can_be_none_is_not_sent(name: str) -> None:
    calls: list[Call] = [
        lambda client: client.conversations.get(name),
        lambda client: client.messages.send(name, {"content": "hi"}),
        lambda client: client.messages.update(name, "hi"),
        lambda client: client.branches.merge("c1", name),
        lambda client: client.checkpoints.delete(name),
    ]
    for call in calls:
        happened = outcome(call)
        assert (type(happened.answer), happened.asked) == (ValueError, [])


def test_a_merge_without_data_has_no_body_unless_one_is_added() -> None:
    def call(client: Any) -> Any:
        return client.with_options(extra_body={"strategy": "summarize"}).branches.merge("c", "b")

    happened = outcome(call, enveloped(branch=BRANCH))
    assert happened.bodies == [{"strategy": "summarize"}]


def test_a_raw_answer_has_the_response_with_it() -> None:
    happened = outcome(lambda client: client.with_raw_response.conversations.get("c1"), ONE)
    raw: Raw[object] = happened.answer
    assert (raw.status_code, raw.parsed) == (200, CONVERSATION)


def test_headers_can_be_sent_along() -> None:
    happened = outcome(lambda client: client.http.get("/x", headers={"X-A": "b"}), {})
    assert happened.asked[0].all("x-a") == ["b"]


def test_each_post_has_an_idempotency_key_and_so_has_a_change_of_words() -> None:
    posted = outcome(lambda client: client.conversations.create({"title": "T"}), ONE)
    changed = outcome(lambda client: client.messages.update("m1", "hi"), enveloped(message=MESSAGE))
    keys = [one.all("idempotency-key") for one in (*posted.asked, *changed.asked)]
    assert [len(key) for key in keys] == [1, 1]
    assert keys[0] != keys[1]


def test_a_key_that_was_given_is_the_one_sent() -> None:
    def call(client: Any) -> Any:
        return client.with_options(idempotency_key="mine").messages.update("m1", "hi")

    happened = outcome(call, enveloped(message=MESSAGE))
    assert happened.asked[0].all("idempotency-key") == ["mine"]
