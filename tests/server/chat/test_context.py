"""What a model is told of a conversation, by its branch's mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from chatloom.server.chat import context
from chatloom.server.chat.context import Context, coherent
from chatloom.server.chat.merging import Summary
from chatloom.server.chat.message import Message
from chatloom.server.chat.recovery import recovered
from chatloom.server.models import tokens
from chatloom.server.store.contract import Branch, Node
from support.plots import NEW, Plot, a_plot

pytestmark = pytest.mark.anyio


@pytest.fixture
async def plot() -> AsyncIterator[Plot]:
    """A system message, and three questions with their answers."""
    async with a_plot("a", "b", "c", lead="Be brief.") as plot:
        yield plot


WHOLE = ["Be brief.", "a", "a!", "b", "b!", "c", "c!"]


async def test_all_of_a_path_is_told_by_default(plot: Plot) -> None:
    told, how = await plot.told(await plot.main())
    assert (told, how) == (WHOLE, Context(messages=7))


async def test_a_short_path_is_told_whole_in_every_mode(plot: Plot) -> None:
    main = await plot.main()
    for mode in ("FULL", "PARTIAL", "MINIMAL"):
        told, how = await plot.told(await plot.change(main, mode=mode))
        assert (told, how) == (WHOLE, Context(mode=mode, messages=7))


async def test_a_branch_alone_is_told_with_the_question_to_what_it_was_forked_from(
    plot: Plot,
) -> None:
    answer = (await plot.path(await plot.main()))[4]
    fork = await plot.fork(answer.id, mode="MINIMAL")
    await plot.say("else", fork)
    told, how = await plot.told(fork)
    assert told == ["Be brief.", "b", "b!", "else", "else!"]
    assert how == Context(mode="MINIMAL", messages=5, truncated=True)


async def test_a_branch_alone_is_told_from_the_question_it_was_forked_from(plot: Plot) -> None:
    question = (await plot.path(await plot.main()))[3]
    fork = await plot.fork(question.id, mode="MINIMAL")
    await plot.say("else", fork)
    assert (await plot.told(fork))[0] == ["Be brief.", "b", "else", "else!"]


@pytest.mark.parametrize("budget", range(1, 14))
async def test_a_part_of_a_path_has_no_more_tokens_than_it_may(
    plot: Plot, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(context, "PARTIAL_TOKENS", budget)
    told, how = await plot.told(await plot.change(await plot.main(), mode="PARTIAL"))
    exchanges = min(max(1, budget // 3), 3)  # a question is one token, its answer are two
    assert told == [WHOLE[0], *WHOLE[7 - 2 * exchanges :]]
    assert how == Context(mode="PARTIAL", messages=len(told), truncated=exchanges < 3)


async def test_a_part_of_a_path_is_what_follows_the_last_checkpoint_on_it(plot: Plot) -> None:
    main = await plot.change(await plot.main(), mode="PARTIAL")
    path = await plot.path(main)
    await plot.sum_up(path[2], "Only a was asked.")
    last = await plot.sum_up(path[4], "And b.")
    fork = await plot.fork(path[2].id)
    await plot.sum_up(await plot.say("else", fork), "Something else.")
    told, how = await plot.told(main)
    summary = "Summary of the conversation so far:\n\nAnd b."
    assert told == ["Be brief.", summary, "c", "c!"]
    assert how == Context(mode="PARTIAL", messages=4, truncated=True, checkpoint_id=last.id)


async def test_a_checkpoint_that_stands_for_nothing_else_cuts_nothing(plot: Plot) -> None:
    main = await plot.change(await plot.main(), mode="PARTIAL")
    lead = await plot.sum_up((await plot.path(main))[0], "Nothing yet.")
    told, how = await plot.told(main)
    assert (told[0], told[2:]) == ("Be brief.", WHOLE[1:])
    assert (how.truncated, how.checkpoint_id) == (False, lead.id)


async def test_what_is_deleted_is_not_told_and_cuts_nothing(plot: Plot) -> None:
    main = await plot.main()
    await plot.erase((await plot.path(main))[1].id)
    told, how = await plot.told(main)
    assert (told, how) == ([WHOLE[0], *WHOLE[2:]], Context(messages=6))


async def test_a_merge_tells_what_it_brings_in_in_its_place(plot: Plot) -> None:
    main = await plot.main()
    fork = await plot.fork((await plot.path(main))[2].id)
    await plot.say("else", fork)
    done = await plot.merge(fork)
    await plot.say("d")
    told, how = await plot.told(main)
    assert told == [*WHOLE, "else", "else!", "d", "d!"]
    assert not how.truncated
    await plot.erase(done.brought[1])
    assert (await plot.told(main))[0] == [*WHOLE, "else", "d", "d!"]
    assert done.node is not None
    await plot.erase(done.node.id)
    assert (await plot.told(main))[0] == [*WHOLE, "d", "d!"]


async def test_a_summary_is_told_without_a_name_however_it_came(plot: Plot) -> None:
    main = await plot.main()
    fork, other = await plot.fork(), await plot.fork()
    await plot.say("else", fork)
    await plot.say("other", other)
    await plot.say("d")

    async def summarize(_: Branch, __: Branch, nodes: Sequence[Node]) -> Summary:
        return Summary(f"{len(nodes)} messages", "turn", 2)

    done = await plot.merge(fork, other, "summarize", summarize=summarize)
    await plot.merge(other, main)
    for branch in (other, main):
        head = await plot.node((await plot.branch(branch.id)).head_id or "")
        told, _ = await context.told_behind(plot.store, plot.house.account_id, branch, head, [NEW])
        (summary,) = [one for one in told if "2 messages" in one.text]
        assert (summary.role, summary.name) == ("system", None)
        assert summary.text.endswith(f"Sources: {', '.join(done.brought)}")


async def test_a_message_that_only_has_a_merges_name_is_told_as_it_is() -> None:
    async with a_plot("a") as plot:
        for name in (context.MERGED, context.SUMMARY):
            await plot.say(Message("user", f"from {name}", name=name))
        told = (await plot.told(await plot.main()))[0]
        assert told == ["a", "a!", "from merge", "from merge!", *told[4:]]
        assert told[4] == "from merge_summary"


async def test_a_call_that_nothing_came_of_is_told_to_nobody_else() -> None:
    async with a_plot("a") as plot:
        main = await plot.main()
        await plot.say("look", call="1", answers=["I look."])
        result = Message("tool", "found", tool_call_id="1")
        told, how = await plot.told(main, result)
        assert (told, how.truncated) == (["a", "a!", "look", "I look."], False)
        fork = await plot.fork()
        await plot.say(result)
        assert (await plot.told(main))[1] == Context(messages=6)
        messages = plot.house.driver.prompts[-1].messages
        assert [bool(one.tool_calls) for one in messages] == [False] * 3 + [True, False]
        await plot.say("no", fork)
        messages = plot.house.driver.prompts[-1].messages
        assert [one.text for one in messages] == ["a", "a!", "look", "I look.", "no"]
        assert not any(one.tool_calls for one in messages)
        assert (await plot.told(fork))[1].truncated


async def test_a_crashed_turn_is_charged_for_what_its_model_was_told(plot: Plot) -> None:
    main = await plot.change(await plot.main(), mode="PARTIAL")
    await plot.sum_up((await plot.path(main))[4], "a and b were asked.")
    plot.house.driver.steps = [asyncio.Event()]
    turn = await plot.house.begun(plot.house.ask(NEW, conversation_id=plot.id))
    (unfinished,) = await plot.store.open_turns()
    unfinished = msgspec.structs.replace(unfinished, deltas=[b'[["t","I say"]]'])
    await plot.change(main, mode="FULL")
    settlement = await recovered(plot.store, unfinished)
    await asyncio.sleep(0)
    prompt = plot.house.driver.prompts[-1]
    assert prompt.messages[-1] == NEW
    assert settlement.usage is not None
    assert settlement.usage.prompt_tokens == tokens.count_prompt(prompt)
    assert settlement.nodes[0].parent_id == main.head_id
    turn.cancel()
    await turn.ended()


async def test_a_crashed_turn_ends_where_it_began_though_all_is_deleted(plot: Plot) -> None:
    main, account = await plot.main(), plot.house.account_id
    plot.house.driver.steps = [asyncio.Event()]
    turn = await plot.house.begun(plot.house.ask(NEW, conversation_id=plot.id))
    await plot.store.delete_conversation(account, plot.id, 9)
    (unfinished,) = await plot.store.open_turns()
    unfinished = msgspec.structs.replace(unfinished, deltas=[b'[["t","I say"]]'])
    settlement = await recovered(plot.store, unfinished)
    assert (settlement.nodes[0].parent_id, settlement.nodes[0].depth) == (main.head_id, 8)
    turn.cancel()
    await turn.ended()


def call(*ids: str, text: str = "") -> Message:
    """An assistant's message that calls tools."""
    return Message("assistant", text or None, tool_calls=[{"id": id} for id in ids])


def found(id: str, text: str = "found") -> Message:
    return Message("tool", text, tool_call_id=id)


ASKED = Message("user", "Look!")
COHERENT: dict[str, tuple[list[Message], list[Message], list[Message]]] = {
    # what there is, what is new, what of the former stays
    "nothing": ([], [], []),
    "no calls": (
        [ASKED, Message("assistant", "No.")],
        [ASKED],
        [ASKED, Message("assistant", "No.")],
    ),
    "call and result": ([call("1"), found("1")], [ASKED], [call("1"), found("1")]),
    "call last of all": ([ASKED, call("1")], [], [ASKED, call("1")]),
    "result new": ([ASKED, call("1")], [found("1")], [ASKED, call("1")]),
    "results new and old": (
        [call("1", "2"), found("1")],
        [found("2")],
        [call("1", "2"), found("1")],
    ),
    "no result": ([ASKED, call("1")], [ASKED], [ASKED]),
    "no result, but words": (
        [call("1", text="I look.")],
        [ASKED],
        [Message("assistant", "I look.")],
    ),
    "half a result": ([call("1", "2"), found("1"), ASKED], [ASKED], [ASKED]),
    "no call": ([found("1"), ASKED], [ASKED], [ASKED]),
    "a result twice": ([call("1"), found("1"), found("1")], [ASKED], [call("1"), found("1")]),
    "a foreign result": ([call("1"), found("2"), found("1")], [ASKED], [call("1"), found("1")]),
    "result behind another question": ([call("1"), ASKED, found("1")], [ASKED], [ASKED]),
    "an id that comes again": (
        [call("1"), ASKED, call("1"), found("1", "again")],
        [ASKED],
        [ASKED, call("1"), found("1", "again")],
    ),
    "a result whose call came before": (
        [call("1"), found("1"), ASKED, found("1", "again")],
        [ASKED],
        [call("1"), found("1"), ASKED],
    ),
}


@pytest.mark.parametrize(("messages", "new", "kept"), COHERENT.values(), ids=COHERENT)
def test_calls_and_results_go_together(
    messages: list[Message], new: list[Message], kept: list[Message]
) -> None:
    assert coherent(messages, new) == kept
