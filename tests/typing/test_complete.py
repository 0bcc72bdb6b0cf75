"""Every public name is type-checked, in ``api.py`` and the files beside it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import chatloom
import chatloom.webhooks
import chatroutes
import chatserver_sdk
import infinity_assistant
import puter
import zaguan

FILES = {
    chatloom: "api.py",
    chatloom.webhooks: "webhooks_api.py",
    chatroutes: "chatroutes_api.py",
    infinity_assistant: "infinity_api.py",
    chatserver_sdk: "api.py",
    puter: "puter_api.py",
    zaguan: "zaguan_api.py",
}
"""Where the names of each package, or module, are."""
MODULES = pytest.mark.parametrize("module", FILES)
PACKAGES = pytest.mark.parametrize("package", [one for one in FILES if hasattr(one, "__path__")])


def used_in(path: Path) -> set[str]:
    """Names used in a file, beyond being imported there."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@MODULES
def test_every_public_name_is_type_checked(module: ModuleType) -> None:
    exported: list[str] = module.__all__
    assert set(exported) - used_in(Path(__file__).with_name(FILES[module])) == set()


@PACKAGES
def test_everything_public_is_exported_in_order(package: ModuleType) -> None:
    exported: list[str] = package.__all__
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert exported == sorted(public)
