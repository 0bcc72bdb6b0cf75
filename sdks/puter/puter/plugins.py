"""Extensions that come as packages of their own.

A package offers one by an entry point of the group ``puter.plugins``, which names a
`Plugin` or a function that makes one:

    [project.entry-points."puter.plugins"]
    weather = "my_package:weather"

Only what a client names is loaded: a plugin sees all that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.outside import Policy
from puter.drivers import Driver
from puter.tools import Tool, ToolFunction

__all__ = ["Plugin", "installed_plugins"]

GROUP = "puter.plugins"


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What an extension adds to a client."""

    tools: Sequence[Tool | ToolFunction] = ()
    """Offered with every question."""
    policies: Sequence[Policy] = ()
    """Middleware around each attempt, before the client's own."""
    drivers: Sequence[Driver] = ()
    models: Mapping[str, str] = {}
    """Further models, each with its driver's name."""


def installed_plugins() -> list[str]:
    """The names of all plugins there are."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP).names)


def plugins(named: Sequence[Plugin | str]) -> list[Plugin]:
    """Load what is named. Raises `SettingsError` for what is not there, or no plugin."""
    return [one if isinstance(one, Plugin) else _loaded(one) for one in named]


def together(several: Sequence[Plugin]) -> Plugin:
    """Make one plugin of several."""
    return Plugin(
        tools=[tool for one in several for tool in one.tools],
        policies=[policy for one in several for policy in one.policies],
        drivers=[driver for one in several for driver in one.drivers],
        models={name: driver for one in several for name, driver in one.models.items()},
    )


def _loaded(name: str) -> Plugin:
    from importlib.metadata import entry_points

    for found in entry_points(group=GROUP, name=name):
        try:
            told: object = found.load()
            made = told if isinstance(told, Plugin) else cast("Callable[[], object]", told)()
        except Exception as error:
            raise SettingsError(f"the plugin {name} cannot be loaded: {error}") from error
        if not isinstance(made, Plugin):
            raise SettingsError(f"the plugin {name} gives {type(made).__name__}, and no Plugin")
        return made
    there = ", ".join(installed_plugins()) or "none"
    raise SettingsError(f"there is no plugin {name!r:.80}; installed are: {there}")
