"""Modules by their names."""

import pytest

from stepdown.scan.modules import PythonModules, imported

FILES = (
    *("src/app/__init__.py", "src/app/a.py", "src/app/b.py", "src/app/sub/__init__.py"),
    *("src/app/sub/c.py", "one/main.py", "one/prompts.py", "two/main.py", "two/prompts.py"),
)


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        (".b", "src/app/a.py", "src/app/b.py"),
        (".", "src/app/a.py", "src/app/__init__.py"),
        ("..b", "src/app/sub/c.py", "src/app/b.py"),
        (".c", "src/app/sub/__init__.py", "src/app/sub/c.py"),
        ("....b", "src/app/a.py", None),
        ("app.b", "src/app/a.py", "src/app/b.py"),
        ("app.sub.c", "one/main.py", "src/app/sub/c.py"),
        # In a package, a name alone is not its neighbour's.
        ("b", "src/app/a.py", "src/app/b.py"),
        ("prompts", "one/main.py", "one/prompts.py"),
        ("prompts", "two/main.py", "two/prompts.py"),
        ("prompts", "src/app/a.py", None),
        ("openai", "one/main.py", None),
    ],
)
def test_names_of_files(tmp_path, name, file, expected):
    assert PythonModules(tmp_path, FILES).file(name, file) == expected


def test_names_are_read_when_asked_and_what_is_no_python_has_none(tmp_path):
    (tmp_path / "a.py").write_text("A = 1")
    (tmp_path / "b.py").write_text("A = ")
    modules = PythonModules(tmp_path, ("a.py", "b.py", "gone.py"))
    top = modules("a", "x.py")
    assert top is not None
    assert [*top.bound] == ["A"]
    assert modules("a", "x.py") is top
    assert modules("b", "x.py") is None
    assert modules("gone", "x.py") is None


def test_what_a_file_may_import():
    text = b"import a.b\n from .c import (d, e\nfrom . import f as g\nx = 'import no'\n"
    assert {*imported(text)} >= {"a.b", ".c", ".c.d", ".c.e", ".", ".f"}
