"""Compiled functions are kept on disk by their own file alone, so nothing in another file may change what they do."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _compiled(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(each, ast.Name) and each.id == "compiled" for each in node.decorator_list
        ):
            yield node


def _own_names(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return names


def test_compiled_functions_read_only_their_arguments_and_their_own_file() -> None:
    strays, found = [], 0
    for path in sorted(path for room in ("classifiers", "stream") for path in (ROOT / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        allowed = _own_names(tree) | set(dir(builtins)) | {"math", "np"}
        for function in _compiled(tree):
            found += 1
            nodes = [each for statement in function.body for each in ast.walk(statement) if isinstance(each, ast.Name)]
            own = {each.arg for each in function.args.args}
            own |= {each.id for each in nodes if isinstance(each.ctx, ast.Store)}
            strays += [f"{path.name} {function.name} reads {each.id}" for each in nodes if each.id not in own | allowed]
    assert found > 0
    assert strays == []
