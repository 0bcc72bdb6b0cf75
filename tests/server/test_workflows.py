"""Prompts of the configuration that requests name, filled from their variables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chatloom.core.errors import SettingsError
from chatloom.server.chat.turns import Turns
from chatloom.server.models import tokens
from chatloom.server.models.driver import Text
from chatloom.server.settings import WorkflowSettings
from chatloom.server.workflows import Workflows
from support.commands import Shell
from support.house import a_house
from support.http import Answer
from support.live import Live

CONFIG = """
[workflows.summary]
template = "Tell {audience} of {what}, in {words} words."
[workflows.braces]
template = "{{literally}} {{{x}}} }}{{"
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(config=CONFIG)


def ask(server: Live, workflow: str, variables: object, **fields: Any) -> Answer:
    metadata = {"workflow": workflow, "variables": variables}
    return server.complete("Begin.", metadata=metadata, **fields)


def told(server: Live, system: str) -> Answer:
    """What a model answers that is led by just these words."""
    talk = [{"role": "system", "content": system}, {"role": "user", "content": "Begin."}]
    return server.complete(talk)


VARIABLES = {"audience": "the team", "what": {"risks": [1, None]}, "words": 5}
FILLED = 'Tell the team of {"risks":[1,null]}, in 5 words.'


def test_a_workflow_leads_the_context(server: Live) -> None:
    answer, same = ask(server, "summary", VARIABLES), told(server, FILLED)
    assert (answer.status, answer.text) == (200, same.text)
    assert answer.json["usage"] == same.json["usage"]


def test_the_callers_own_words_lead_it(server: Live) -> None:
    answer = ask(server, "summary", VARIABLES, system_prompt="Be kind.")
    assert answer.text == told(server, f"Be kind.\n\n{FILLED}").text


def test_it_is_the_same_on_either_wire(server: Live) -> None:
    body = {
        "model": "loom/scribe",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "Begin."}],
        "metadata": {"workflow": "summary", "variables": VARIABLES},
    }
    answer = server.call("POST", "/v1/messages", body, key="any-key")
    assert answer.json["content"][0]["text"] == told(server, FILLED).text


def test_it_is_no_message_of_the_talk_and_is_kept_with_the_turn(
    server: Live, tmp_path: Path
) -> None:
    answer = ask(server, "summary", VARIABLES)
    path = f"/v1/conversations/{answer.json['system_fingerprint']}"
    talk = server.call("GET", path, key="any-key").json
    assert [one["role"] for one in talk["messages"]] == ["user", "assistant"]
    shell = Shell(tmp_path)
    turn = answer.headers["x-chatloom-turn"]
    request = shell("explain", turn, "--json", "--db", str(server.database)).json["request"]
    assert request["system_prompt"] == FILLED
    assert request["metadata"] == {"workflow": "summary", "variables": VARIABLES}


@pytest.mark.anyio
async def test_a_turn_that_a_crash_left_open_is_charged_for_it(tmp_path: Path) -> None:
    async with a_house(tmp_path, [Text("So ")], asyncio.Event()) as house:
        asked = replace(house.ask(), system_prompt=filled("Tell {x}.", {"x": "of looms " * 20}))
        turn = await house.begun(asked)
        reader = turn.read()
        await reader.word(5)
        await Turns(house.store, house.registry).recover()
        (prompt,) = house.driver.prompts
        usage = (await house.stored(turn)).usage
    assert prompt.messages[0].role == "system"
    assert usage is not None
    assert (usage.prompt_tokens, usage.estimated) == (tokens.count_prompt(prompt), True)


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        (None, "audience"),
        ({}, "audience"),
        ({"audience": "a", "words": 1}, "what"),
        ({"audience": "a", "what": None, "words": 1}, "what"),
    ],
)
def test_a_missing_variable_is_named(server: Live, variables: object, missing: str) -> None:
    before = server.counts()
    answer = ask(server, "summary", variables)
    assert (answer.status, answer.error["code"]) == (400, "missing_variable")
    assert answer.error["param"] == f"metadata.variables.{missing}"
    assert repr(missing) in answer.error["message"]
    assert server.counts() == before


@pytest.mark.parametrize("workflow", ["sumary", "x" * 256, "summary ", "../summary"])
def test_an_unknown_workflow_is_refused(server: Live, workflow: str) -> None:
    before = server.counts()
    answer = ask(server, workflow, VARIABLES)
    assert (answer.status, answer.error["code"]) == (400, "unknown_workflow")
    assert answer.error["param"] == "metadata.workflow"
    assert server.counts() == before


def test_one_that_is_near_is_named(server: Live) -> None:
    assert "'summary'" in ask(server, "sumary", VARIABLES).error["message"]


ODD: Mapping[str, str] = {
    "a template": "{words} {{words}} {0.__class__}",
    "a format": "%(words)s %s $words ${words}",
    "an expression": "{% for x in y %}{{ 7*7 }}",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_is_filled_in_is_never_looked_at_again(server: Live, text: str) -> None:
    answer = ask(server, "summary", {**VARIABLES, "what": text})
    assert answer.text == told(server, f"Tell the team of {text}, in 5 words.").text


def test_doubled_braces_are_braces(server: Live) -> None:
    assert ask(server, "braces", {"x": "y"}).text == told(server, "{literally} {y} }{").text


def filled(template: str, variables: Mapping[str, Any]) -> str:
    return Workflows({"w": WorkflowSettings(template=template)}).fill("w", variables)


@given(st.text(min_size=1), st.text())
def test_any_text_can_be_a_template_and_a_value(text: str, value: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert filled(f"{doubled}{{x}}", {"x": value}) == text + value


@pytest.mark.parametrize("template", ["{", "a } b", "{x", "{x y}", "{0}", "{}", "{x!r}", "{x.y}"])
def test_a_lone_brace_is_refused_by_name(template: str) -> None:
    with pytest.raises(SettingsError, match=r"workflows\.w: .* brace"):
        filled(template, {"x": 1})


def test_a_server_with_a_broken_template_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[workflows.bad]\ntemplate = "a { b"')
    run = Shell(tmp_path)("serve", "--dev", "--port", "0", "--config", "bad.toml")
    assert run.code != 0
    assert "workflows.bad" in run.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"], "nothing is left behind"
