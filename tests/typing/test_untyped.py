"""No public call accepts or returns ``Any``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OTHERS = {"server", "cli", "tests", "examples"}
MACHINERY = {"operations.py", "spelling.py"}
"""They wrap any method there is; what comes out is typed, as ``api.py`` and an editor see it."""
CLIENT_SIDE = [
    path
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "sdks").rglob("*.py")])
    if not OTHERS & set(path.relative_to(ROOT).parts) and path.name not in MACHINERY
]


def public_calls(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods whose name, and whose class's name, has no underscore in front."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_calls(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(node.name):
            yield node
        elif isinstance(node, ast.If | ast.Try):
            yield from public_calls(node)


def is_public(name: str) -> bool:
    return not name.startswith("_") or name in {"__init__", "__call__"}


def typed_as(call: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | None]:
    """What it takes and what it answers; `None` where nothing is said."""
    arguments = call.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    rest = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    yield from (one.annotation for one in [*named, *rest] if one.arg not in {"self", "cls"})
    yield call.returns


def is_untyped(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return True
    return any(isinstance(part, ast.Name) and part.id == "Any" for part in ast.walk(annotation))


@pytest.mark.parametrize("path", CLIENT_SIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_call_is_typed(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not [
        f"line {call.lineno}: {call.name}"
        for call in public_calls(tree)
        if any(is_untyped(annotation) for annotation in typed_as(call))
    ]


def test_what_is_untyped_is_found() -> None:
    tree = ast.parse("def a(x): ...\nclass B:\n    def c(self, *d: Any) -> list[Any]: ...")
    assert [call.name for call in public_calls(tree)] == ["a", "c"]
    assert all(any(map(is_untyped, typed_as(call))) for call in public_calls(tree))
