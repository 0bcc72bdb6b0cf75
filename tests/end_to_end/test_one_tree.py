"""A conversation begun through ChatRoutes, forked through ChatServer, merged through ChatRoutes."""

from __future__ import annotations

from openai import OpenAI

from chatroutes import ChatRoutes
from chatserver_sdk import ChatServerClient
from support.live import Live

KEY = "one-tree"


def test_a_conversation_is_forked_elsewhere_and_merged_here(live: Live) -> None:
    with ChatRoutes(KEY, live.url) as routes, ChatServerClient(KEY, live.url) as server:
        conversation = routes.conversations.create({"title": "Rivers"})["id"]
        first = routes.messages.send(conversation, {"content": "How do rivers find the sea?"})

        # On from the head, by the conversation's id alone.
        on = server.create_completion("loom/scribe", ["And back?"], session_id=conversation)
        assert on.system_fingerprint == conversation
        assert on.metadata is not None
        main = on.metadata["branch_id"]
        assert main == first["message"].get("branchId")

        # Behind the first answer, which is no head any more: a branch begins there.
        stream = server.create_completion(
            "loom/scribe",
            ["In one word?"],
            stream=True,
            max_tokens=1,
            metadata={"conversation_id": conversation, "parent_message_id": first["message"]["id"]},
        )
        text = stream.collect()
        place = stream.metadata["metadata"]
        assert place is not None
        assert place["branch_id"] != main

        branches = {one["id"]: one for one in routes.branches.list(conversation)}
        forked = branches[str(place["branch_id"])]
        assert forked.get("forkPointMessageId") == first["message"]["id"]
        assert [one["content"] for one in routes.branches.get_messages(conversation, forked["id"])][
            -2:
        ] == ["In one word?", text]

        merged = routes.branches.merge(conversation, forked["id"])
        assert merged["id"] == main
        told = routes.messages.list(conversation)
        assert told[-1].get("mergedMessageIds", [])[-1] == place["message_id"]

        # What was merged in is told to whoever goes on, on any wire.
        with OpenAI(base_url=f"{live.url}/v1", api_key=KEY) as client:
            answer = client.chat.completions.create(
                model="loom/scribe",
                messages=[{"role": "user", "content": "So?"}],
                metadata={"conversation_id": conversation, "branch_id": str(main)},
            )
        last = routes.messages.list(conversation)[-1]
        assert last["id"] == (answer.metadata or {})["message_id"]
        assert last.get("metadata", {}).get("context_message_count") == 6


def test_a_tree_has_all_of_it(live: Live) -> None:
    with ChatRoutes(KEY, live.url) as routes:
        conversation = routes.conversations.create({"title": "Small"})["id"]
        first = routes.messages.send(conversation, {"content": "One?", "maxTokens": 3})
        aside = routes.branches.fork(
            conversation, {"forkPointMessageId": first["message"]["id"], "title": "aside"}
        )
        routes.branches.send_message(conversation, aside["id"], {"content": "Two?", "maxTokens": 3})
        tree = routes.conversations.get_tree(conversation)
    assert tree["metadata"] == {"totalNodes": 4, "totalBranches": 2, "maxDepth": 4}
    (question,) = tree["tree"]["children"]
    (answer,) = question["children"]
    (other,) = answer["children"]
    assert [question["content"], other["content"]] == ["One?", "Two?"]
    branch = other.get("branchInfo")
    assert branch is not None
    assert branch["title"] == "aside"
