"""Scopes of Python, against what Python itself does."""

import ast
import sys
import textwrap

import pytest

from stepdown.scan.scopes import place_of, read_code

HEAD = "A = 'top'\n"


def values(code):
    """Return what the argument of the call of `show` may be."""
    found = read_code(HEAD + textwrap.dedent(code), "x.py")
    ((call, scope),) = [(c, s) for c, s in found.calls if getattr(c.func, "id", "") == "show"]
    (read,) = call.args
    bound = scope.bindings("A", place_of(read))
    return sorted(str(getattr(one.value, "value", None)) for one in bound or ())


def run(code):
    """Return what the argument of `show` is when Python runs the code, for every `x`."""
    seen = set()
    for x in (True, False):
        scope = {"x": x, "show": seen.add, "xs": [1, 2]}
        exec(HEAD + textwrap.dedent(code), scope)
    return sorted(seen)


@pytest.mark.parametrize(
    "code",
    [
        "show(A)",
        "A = 'b'\nshow(A)\nA = 'c'",
        "A = 'b'\nif x:\n    A = 'c'\nshow(A)",
        "if x:\n    A = 'b'\n    show(A)\nelse:\n    A = 'c'",
        "for i in xs:\n    show(A)\n    A = 'b'",
        "for i in xs:\n    A = 'c'\n    show(A)\n    A = 'b'",
        "while xs:\n    show(A)\n    A = 'b'\n    xs.pop()",
        "def f():\n    A = 'b'\n    show(A)\nf()",
        "def f():\n    A = 'b'\ndef g():\n    show(A)\nf()\ng()",
        "def f():\n    if x:\n        A = 'b'\n        return\n    A = 'c'\n    show(A)\nf()",
        "def f():\n    A = 'b'\n    def g():\n        show(A)\n    g()\nf()",
        "def f():\n    global A\n    A = 'b'\nif x:\n    f()\nshow(A)",
        "def f():\n    global A\n    A = 'b'\n    show(A)\nf()",
        "def f():\n  A = 'b'\n  def g():\n    nonlocal A\n    A = 'c'\n  x and g()\n  show(A)\nf()",
        "def f(i=show(A)):\n    A = 'b'",
        "A = 'b'\n[show(A) for i in xs]\nA = 'c'",
        "(lambda: show(A))()",
        "class C:\n    A = 'b'\n    def f(self):\n        show(A)\nC().f()",
        "class C:\n    A = 'b'\n    show(A)",
        "match x:\n    case True:\n        A = 'b'\n    case _:\n        pass\nshow(A)",
        "try:\n    A = 'b'\nfinally:\n    show(A)",
        "if (A := 'b'):\n    show(A)",
    ],
)
def test_values_at_a_place_are_those_of_python(code):
    # One that must have run hides the others; that of an unfinished `try` may have run.
    assert [one for one in values(code) if "try" not in code or one != "top"] == run(code)


@pytest.mark.parametrize(
    "code",
    [
        "def f(A):\n    show(A)",
        "def f(*A):\n    show(A)",
        "def f(x, *, A):\n    show(A)",
        "def f():\n    for A in x:\n        show(A)",
        "def f():\n    with x as (b, A):\n        show(A)",
        "def f():\n    import A\n    show(A)",
        "def f():\n    from b import c as A\n    show(A)",
        "def f():\n    try:\n        pass\n    except x as A:\n        show(A)",
        "def f():\n    match x:\n        case [A, *b]:\n            show(A)",
        "def f():\n    match x:\n        case {**A}:\n            show(A)",
        "def f():\n    def A(): ...\n    show(A)",
        "def f():\n    class A: ...\n    show(A)",
        "[show(A) for A in x]",
        "{A: show(A) for b, A in x}",
        "lambda A: show(A)",
        "async def f():\n    async for A in x:\n        show(A)",
        "def f():\n    show(A)\n    A = 'later'",
    ],
)
def test_what_is_bound_inside_hides_what_is_outside(code):
    assert "top" not in values(code)


def test_what_is_set_through_self_is_the_classes():
    code = """
        class C:
            A = 'class'
            def f(self):
                self.A = 'f'
                show(self.A)
            @classmethod
            def g(cls):
                return cls.A
        """
    found = read_code(textwrap.dedent(code), "x.py")
    inner = {scope.name: scope for _, scope in found.calls}
    bound = inner["C.f"].bindings("self.A", (6, 20))
    assert [ast.unparse(one.value) for one in bound or () if one.value] == ["'f'"]
    assert inner["C.f"].bindings("A", (6, 20)) is None
    assert found.top.bindings("self.A", (99, 0)) is None


def test_below_in_a_loop_is_above_only_where_nothing_was_set_since():
    def read(code):
        found = read_code(textwrap.dedent(code), "x.py")
        ((call, scope),) = [(c, s) for c, s in found.calls if getattr(c.func, "id", "") == "show"]
        bound = scope.bindings("A", place_of(call)) or ()
        return [ast.unparse(one.value) for one in bound if one.value]

    inner = "while x:\n    A = 1\n    for y in x:\n        show(A)\n        A = 2\n    A = 3"
    assert read(inner) == ["1", "2"]
    assert read(f"A = 0\n{inner}") == ["1", "2"]
    assert read("while x:\n    for y in x:\n        show(A)\n        A = 2\n    A = 3") == [
        "2",
        "3",
    ]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", "x = f(x.a(1))"),
        ("while y:\n", "    x = f(x.a(1))"),
        ("", "for y in z:\n    x = f(x.a(1))"),
        ("def f():\n", "    if y:\n        x = f(x.a(1))\n        return"),
    ],
)
def test_a_name_set_many_times_is_looked_up_in_as_many_steps(before, line):
    def steps(times):
        found = read_code(before + f"{line}\n" * times, "x.py")
        done = 0

        def trace(frame, event, argument):
            nonlocal done
            done += 1
            return trace

        traced = sys.gettrace()
        sys.settrace(trace)
        try:
            for call, scope in found.calls:
                scope.bindings("x", place_of(call))
        finally:
            sys.settrace(traced)
        return done

    assert steps(1200) < 8 * steps(300)
