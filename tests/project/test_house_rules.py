"""The rules of the house that a linter does not know: sizes, names, nesting, and what a commit may not say."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("protocol", "client", "server", "lab", "ui")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_NESTING = 4  # three levels inside a method's own
NESTING = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith, ast.Match)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function less its docstring, signature included."""
    first = function.body[0]
    doc = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if doc else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def depth(node: ast.AST, level: int = 0) -> int:
    deepest = level
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            # An elif is an If in an orelse of one: it reads as the same level.
            same = isinstance(node, ast.If) and field == "orelse" and len(node.orelse) == 1
            deeper = isinstance(child, NESTING) and not (same and isinstance(child, ast.If))
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if not inner:
                deepest = max(deepest, depth(child, level + deeper))
    return deepest


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_passes_the_stop_line(room: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if path.is_relative_to(ROOT / room)
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    }
    assert not long


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_passes_the_stop_line(room: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} ({body_lines(function)} lines)"
        for path in SOURCES
        if path.is_relative_to(ROOT / room)
        for function in functions(path)
        if body_lines(function) > MAX_FUNCTION_LINES
    ]
    assert not long


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_nests_too_deep(room: str) -> None:
    deep = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} ({levels} levels)"
        for path in SOURCES
        if path.is_relative_to(ROOT / room)
        for function in functions(path)
        if (levels := depth(function)) > MAX_NESTING
    ]
    assert not deep


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [path for path in SOURCES if path.stem in FORBIDDEN_NAMES]


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_the_project_speaks_of_itself_alone() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    foreign = re.compile(r"/work/|\.library|/root/|pypi\.org|files\.pythonhosted|registry\.npmjs|\.\./shared")
    found = []
    for name in tracked.split("\n"):
        path = ROOT / name
        if (
            not path.is_file()
            or path == Path(__file__)
            or path.suffix in {".png", ".ttf", ".otf", ".ico", ".icns"}
        ):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match.group()}" for match in foreign.finditer(text)]
    assert not found


def test_a_planted_deep_function_is_seen() -> None:
    deep = "def f(x):\n" + "".join(f"{' ' * (4 * n)}if x:\n" for n in range(1, 6)) + " " * 24 + "pass\n"
    assert depth(ast.parse(deep).body[0]) > MAX_NESTING
