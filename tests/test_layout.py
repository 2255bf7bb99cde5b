"""The mirror is law: every module with code has its test file; budgets of lines hold."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "stepdown"

# Values alone: nothing in them can be run.
VALUES = {
    "core/anatomy.py",
    "core/audits.py",
    "core/calls.py",
    "core/datasets.py",
    "core/labels.py",
    "core/ports.py",
    "core/routes.py",
    "core/sites.py",
}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        empty = path.name == "__init__.py" and "def " not in path.read_text(encoding="utf-8")
        if name not in VALUES and not empty:
            yield name


def mirror(name):
    path = Path(name)
    stem = path.stem.strip("_")
    return ROOT / "tests" / path.parent / f"test_{stem}.py"


def test_every_module_has_its_test_file():
    missing = [name for name in modules() if not mirror(name).is_file()]
    assert missing == []


def test_values_hold_no_functions_of_their_own():
    for name in VALUES - {"core/calls.py", "core/ports.py"}:
        assert "\ndef " not in (SOURCE / name).read_text(encoding="utf-8"), name


def test_no_file_is_longer_than_400_lines():
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in SOURCE.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_no_function_is_longer_than_40_lines():
    long = {
        f"{path.relative_to(ROOT).as_posix()}: {node.name}": count
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        # From `def` to its last line: the options that a command is decorated with are a list.
        and (count := (node.end_lineno or 0) - node.lineno + 1) > 40
    }
    assert long == {}


def test_no_drawer_for_odds_and_ends():
    banned = {"utils", "util", "helpers", "common", "manager", "misc"}
    assert [p for p in SOURCE.rglob("*") if p.stem in banned] == []
