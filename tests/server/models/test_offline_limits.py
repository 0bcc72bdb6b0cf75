"""What would keep the offline models, and everybody else, busy for minutes is refused."""

from __future__ import annotations

import pytest

from chatloom.server.models.driver import ProviderError
from chatloom.server.models.offline.echo import LONGEST_PROMPT, Echo
from chatloom.server.models.offline.scribe import Scribe
from server.models.asking import prompt

HUGE = 10**400
SCHEMAS = {
    "a huge minimum": {"type": "integer", "minimum": HUGE},
    "a huge value": {"type": "integer", "enum": [HUGE]},
    "many parentheses": {"type": "string", "pattern": "(" * 3000 + "a" + ")" * 3000},
    "a long class, often": {"type": "string", "pattern": "[" + "ab" * 5000 + "]{999999}"},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_beyond_reason_is_refused(schema: dict[str, object]) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(ProviderError) as caught:
        Scribe().check(prompt(response_format=wanted))
    assert caught.value.kind == "rejected"


def test_a_prompt_counts_once_for_each_choice() -> None:
    said = "x" * (LONGEST_PROMPT // 2)
    Echo().check(prompt(said, n=2))
    with pytest.raises(ProviderError, match="in all its choices"):
        Echo().check(prompt(said, n=3))
