"""Every public name is type-checked, in ``api.py`` and the files beside it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import chatloom
import chatroutes
import chatserver_sdk
import infinity_assistant
import puter
import zaguan

FILES = {
    chatloom: "api.py",
    chatroutes: "chatroutes_api.py",
    infinity_assistant: "infinity_api.py",
    chatserver_sdk: "api.py",
    puter: "puter_api.py",
    zaguan: "zaguan_api.py",
}
"""Where the names of each package are."""
PACKAGES = pytest.mark.parametrize("package", FILES)


def used_in(path: Path) -> set[str]:
    """Names used in a file, beyond being imported there."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@PACKAGES
def test_every_public_name_is_type_checked(package: ModuleType) -> None:
    exported: list[str] = package.__all__
    assert set(exported) - used_in(Path(__file__).with_name(FILES[package])) == set()


@PACKAGES
def test_everything_public_is_exported_in_order(package: ModuleType) -> None:
    exported: list[str] = package.__all__
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert exported == sorted(public)
