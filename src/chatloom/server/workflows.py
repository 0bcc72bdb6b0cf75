"""Prompts that requests may name: templates of the configuration, filled from variables.

A template is text with a ``{name}`` for each variable; ``{{`` and ``}}`` are
braces. Nothing else in it means anything, and nothing in what is filled in does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import JSON
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.settings import WorkflowSettings

_PART = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]{0,63})\}|[{}]")


class Workflows:
    """The templates of one server. Raises `SettingsError` for one that cannot be read."""

    def __init__(self, settings: Mapping[str, WorkflowSettings]) -> None:
        self._templates = {name: one.template for name, one in settings.items()}
        for name, template in self._templates.items():
            for found in _PART.finditer(template):
                if found[0] in {"{", "}"}:
                    raise SettingsError(
                        f"workflows.{name}: character {found.start() + 1} of the template is a"
                        " lone brace; write it twice"
                    )

    def fill(self, name: str, variables: Mapping[str, JSON]) -> str:
        """Fill the template of this name. Raises `Refusal` that names a missing variable."""
        template = self._templates.get(name)
        if template is None:
            raise self._unknown(name)

        def filled(found: re.Match[str]) -> str:
            if (variable := found[1]) is None:
                return found[0][0]
            value = variables.get(variable)
            if value is None:
                place = f"metadata.variables.{variable}"
                raise invalid(
                    f"the workflow {name!r} needs the variable {variable!r}",
                    param=place,
                    code="missing_variable",
                )
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()

        return _PART.sub(filled, template)

    def _unknown(self, name: str) -> Refusal:
        near = get_close_matches(name[:256], self._templates, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return invalid(
            f"there is no workflow {name[:256]!r} here{meant}",
            param="metadata.workflow",
            code="unknown_workflow",
        )
