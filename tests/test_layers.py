"""Arrows point one way, and nothing heavy is loaded before its first use.

``cli`` → ``server`` → ``wire``, ``policies``, ``transports`` → ``core``, and
the SDKs → all of them but ``server`` and ``cli``.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    path: ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    for root in (ROOT / "src", *sorted((ROOT / "sdks").iterdir()))
    for path in sorted(root.glob("*/**/*.py"))
    if not {"tests", "examples", ".venv", "build"} & set(path.relative_to(root).parts)
}
SDKS = {
    name.partition(".")[0] for name in SOURCES.values() if not f"{name}.".startswith("chatloom.")
}
LAYERS = (
    "core",
    "policies",
    "exporters",
    "transports",
    "wire",
    "engines",
    "server",
    "cli",
    "embedded",
    "webhooks",
)

MAY_IMPORT = {
    "core": {"core"},
    "policies": {"policies", "core"},
    "exporters": {"exporters", "policies", "core"},
    "transports": {"transports", "core"},
    "wire": {"wire", "core"},
    "engines": {"engines", "embedded", "transports", "policies", "core"},
    "server": {"server", "webhooks", "wire", "policies", "transports", "core"},
    "cli": {"cli", "embedded", "engines", "server", "wire", "policies", "transports", "core"},
    "embedded": {"embedded", "server", "wire", "policies", "transports", "core"},
    "webhooks": {"webhooks", "core"},
    "testing": {"testing", *LAYERS},
    "sdks": {"sdks", "engines", "embedded", "wire", "policies", "transports", "core"},
    "chatloom": {"core"},
    "__main__": {"cli"},
}
"""Which layer may import which; ``chatloom`` is the package's own ``__init__``."""

CLIENT_PATH = {"chatloom", "core", "policies", "transports", "wire", "engines", "webhooks", "sdks"}
NO_ASYNCIO = {"core", "policies", "exporters", "wire", "engines", "webhooks", "sdks", "chatloom"}


@dataclass(frozen=True)
class Import:
    """One import of one module."""

    importer: str
    imported: str
    is_lazy: bool
    """Within a function."""
    is_for_types: bool

    @property
    def arrow(self) -> tuple[str, str]:
        return layer(self.importer), layer(self.imported)


def layer(module: str) -> str:
    top, *rest = module.split(".")
    if top in SDKS:
        return "sdks"
    if top != "chatloom":
        return top
    return rest[0] if rest and rest[0] != "__version__" else "chatloom"


def imports_in(
    tree: ast.AST, importer: str, is_lazy: bool = False, is_for_types: bool = False
) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        lazy = is_lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = is_for_types or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        for name in imported_by(node, importer):
            yield Import(importer, name, lazy, for_types)
        yield from imports_in(node, importer, lazy, for_types)


def imported_by(node: ast.AST, importer: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, f"{importer} has a relative import"
    assert node.module is not None
    if node.module == "chatloom":  # its names may be modules
        return [
            f"chatloom.{alias.name}" if alias.name in LAYERS else "chatloom" for alias in node.names
        ]
    return [node.module]


IMPORTS = [
    found
    for path, name in SOURCES.items()
    for found in imports_in(ast.parse(path.read_text("utf-8")), name)
]


def offences(found: Iterator[Import]) -> list[str]:
    return [f"{one.importer} imports {one.imported}" for one in found]


def test_every_source_was_read() -> None:
    names = set(SOURCES.values())
    assert {"chatloom", "chatloom.core.errors", "chatserver_sdk.client"} <= names
    assert {layer(name) for name in names} <= set(MAY_IMPORT)
    assert sum(one.importer == "chatloom.engines" for one in IMPORTS) > 5


@pytest.mark.parametrize("origin", MAY_IMPORT)
def test_arrows_point_one_way(origin: str) -> None:
    ours = {*LAYERS, "sdks", "chatloom", "testing"}
    allowed = MAY_IMPORT[origin] | {"chatloom"}
    assert not offences(
        one
        for one in IMPORTS
        if one.arrow[0] == origin and one.arrow[1] in ours and one.arrow[1] not in allowed
    )


def test_shared_code_knows_no_event_loop() -> None:
    assert not offences(
        one
        for one in IMPORTS
        if layer(one.importer) in NO_ASYNCIO and one.imported.split(".")[0] in {"asyncio", "anyio"}
    )


def test_only_engines_chooses_a_transport_and_not_before_it_must() -> None:
    assert not offences(
        one
        for one in IMPORTS
        if one.arrow[1] == "transports"
        and one.arrow[0] in CLIENT_PATH - {"transports"}
        and not (one.is_for_types or (one.importer == "chatloom.engines" and one.is_lazy))
    )


def test_nothing_on_the_client_path_loads_the_server() -> None:
    assert not offences(
        one
        for one in IMPORTS
        if one.arrow[0] in CLIENT_PATH | {"embedded"}
        and one.arrow[1] in {"server", "cli"}
        and not (one.is_lazy or one.is_for_types)
    )


@pytest.mark.parametrize(
    "origin", ["chatloom", "core", "policies", "wire", "engines", "webhooks", "sdks"]
)
def test_clients_need_little_from_outside(origin: str) -> None:
    known = sys.stdlib_module_names | {"chatloom", "msgspec", *SDKS}
    if origin == "sdks":
        known |= {"pydantic"}
    assert not offences(
        one
        for one in IMPORTS
        if layer(one.importer) == origin and one.imported.split(".")[0] not in known
    )


HEAVY = {"asyncio", "ssl", "http.client", "aiohttp", "pydantic", "logging"}


def loaded_by(code: str) -> set[str]:
    """Modules that *code* loads, in a Python of its own."""
    program = f"import sys; before = set(sys.modules); {code}; print(*set(sys.modules) - before)"
    unset = {name: value for name, value in os.environ.items() if not name.startswith("CHAT")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=unset | {"XDG_CONFIG_HOME": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "package",
    [
        "chatloom",
        "chatloom.engines",
        "chatloom.webhooks",
        "chatroutes",
        "chatserver_sdk",
        "infinity_assistant",
        "puter",
    ],
)
def test_importing_a_client_loads_nothing_heavy(package: str) -> None:
    loaded = loaded_by(f"import {package}")
    assert package in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith(("chatloom.server", "chatloom.cli"))}


@pytest.mark.parametrize(
    "client",
    [
        "infinity_assistant.InfinityAssistantClient",
        "infinity_assistant.AsyncInfinityAssistantClient",
        "chatroutes.ChatRoutes",
        "chatroutes.AsyncChatRoutes",
        "chatserver_sdk.ChatServerClient",
        "chatserver_sdk.AsyncChatServerClient",
        "puter.PuterAI",
    ],
)
def test_making_a_client_loads_nothing_heavy(client: str) -> None:
    package = client.partition(".")[0]
    assert not loaded_by(f"import {package}; {client}()") & HEAVY
