"""Going on with a conversation that the service keeps."""

from __future__ import annotations

from typing import Any

import pytest

from support.puter import USAGE, Using, calling, lines, said, service, text

HERE = {"conversation_id": "c", "branch_id": "b", "message_id": "m"}


def tool() -> str:
    """Answer."""
    return "told"


def test_a_client_knows_where_its_last_answer_stands(using: Using) -> None:
    streamed = lines(*text("hi"), {**USAGE, "metadata": HERE})
    with service({**said("hi"), "metadata": HERE}, said("hi"), streamed) as puter:
        client = puter.client()
        assert client.metadata == {}
        using(client).chat("One?")
        assert client.metadata == HERE
        using(client).chat("Two?")
        assert client.metadata == {}
        using(client).stream("Three?")
        assert client.metadata == HERE


def test_a_stream_tells_where_its_answer_stands() -> None:
    with service(lines(*text("hi"), {**USAGE, "metadata": HERE})) as puter:
        stream = puter.client().chat("One?", stream=True)
        assert stream.metadata == {}
        stream.collect()
        assert stream.metadata == HERE


@pytest.mark.parametrize("name", ["conversation_id", "session_id", "parent_message_id"])
def test_a_question_that_says_where_it_goes_is_asked_alone(using: Using, name: str) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        using(client).chat("One?", metadata={"user_id": "ann"})
        using(client).chat("Two?", metadata={name: "c"})
        using(client).stream("Three?", metadata={name: "c"})
        using(client).chat("Four?", metadata={"user_id": "ann"})
        asked = [body["args"] for body in puter.bodies]
    assert [len(args["messages"]) for args in asked] == [1, 1, 1, 7]
    assert asked[1]["metadata"] == asked[2]["metadata"] == {name: "c"}
    assert len(client.chat_history) == 8


def test_what_tools_return_goes_behind_the_answer_that_called_them(using: Using) -> None:
    with service({**calling(("tool", {})), "metadata": HERE}, said("hi")) as puter:
        client = puter.client(tools=[tool])
        using(client).chat("One?", metadata={"conversation_id": "c", "user_id": "ann"})
        first, second = (body["args"] for body in puter.bodies)
    assert first["metadata"] == {"conversation_id": "c", "user_id": "ann"}
    assert second["messages"] == [{"role": "tool", "tool_call_id": "c0", "content": "told"}]
    assert second["metadata"] == {**HERE, "parent_message_id": "m", "user_id": "ann"}
    assert client.chat_history[-1] == {"role": "assistant", "content": "hi"}


@pytest.mark.parametrize("metadata", [None, {"conversation_id": "c"}])
def test_a_service_that_keeps_nothing_is_told_all(using: Using, metadata: Any) -> None:
    with service(calling(("tool", {})), said("hi")) as puter:
        using(puter.client(tools=[tool])).chat("One?", metadata=metadata)
        roles = [one["role"] for one in puter.bodies[1]["args"]["messages"]]
    assert roles == ["user", "assistant", "tool"]
