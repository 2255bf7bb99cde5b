"""What names of a JavaScript file stand for."""

import pytest

from stepdown.scan.javascript_names import Names
from stepdown.scan.syntax import named, parse, spelled

pytest.importorskip("tree_sitter_typescript")


def stands(code, grammar="typescript"):
    """Return what the argument of each call of `use` may stand for, the likeliest first."""
    names = Names(parse(code.encode(), grammar))
    found = []
    for call, _ in names.calls:
        if named(call, "function") == "use":
            node = call.child_by_field_name("arguments").named_children[0]
            values = names.values(node)
            found.append([None if value is None else spelled(value) for value in values])
    return found


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("const a = 1; use(a)", [["1"]]),
        ("use(a)", [[]]),
        ("function f() { use(a) } const a = 1;", [["1"]]),
        ("const a = 1; function f() { const a = 2; use(a) } use(a)", [["2"], ["1"]]),
        ("const a = 1; { const a = 2 } use(a)", [["1"]]),
        ("{ var a = 2 } function f() { var a = 3 } use(a)", [["2"]]),
        ("let a = 1; a = 2; use(a); a = 3", [["2"]]),
        ("let a; if (x) a = 1; else a = 2; use(a)", [["2", "1"]]),
        ("let a = 0; if (x) { a = 1 } use(a)", [["1", "0"]]),
        ("let a = null; function set(b) { a = b } function f() { use(a) }", [["b"]]),
        ("let a; a ??= 1; a += 2; use(a)", [["1"]]),
        ("const a = 1; a.b = 2; use(a.b); function f(a) { use(a.b) }", [["2"], []]),
        ("const a = { b: 1 } as const; use(a.b); use(a.c)", [["1"], []]),
    ],
)
def test_the_last_before_the_use_in_the_innermost_block(code, told):
    assert stands(code) == told


@pytest.mark.parametrize(
    "function",
    [
        *("function f(a) { use(a) }", "(a) => use(a)", "a => use(a)", "({ a }) => use(a)"),
        *("([a = 3]) => use(a)", "({ b: a }) => use(a)", "(...a) => use(a)"),
        *(
            "for (const a of b) use(a)",
            "try {} catch (a) { use(a) }",
            "const f = (a = 2) => use(a)",
        ),
        *("{ class a {} use(a) }", "{ function a() {} use(a) }"),
    ],
)
@pytest.mark.parametrize("grammar", ["javascript", "typescript"])
def test_what_hides_an_outer_name(function, grammar):
    ((told,),) = stands(f"const a = 1; {function}", grammar)
    assert told != "1"


def test_members_of_a_class_are_its_own():
    code = """
    class A { #x = 1; y; constructor() { this.y = 2 } f() { use(this.#x); use(this.y) } }
    class B { f() { use(this.#x); use(this.y) } }
    """
    assert stands(code) == [["1"], ["2"], [], []]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ('import use from "m"', ("m", "default")),
        ('import { x as use } from "m"', ("m", "x")),
        ('import * as use from "m"', ("m", "*")),
        ('import use = require("m")', ("m", "default")),
        ('const use = require("m")', ("m", "default")),
        ('const use = require("m").x', ("m", "x")),
        ('const use = (await import("m")).x', ("m", "x")),
        ('const { x: use } = require("m")', ("m", "x")),
        ('import { use } from "m"; { const use = 2; use() }', ("", "")),
        ("const use = 1", ("", "")),
    ],
)
def test_what_is_imported(code, told):
    names = Names(parse(f"{code}; use()".encode(), "typescript"))
    call = next(call for call, _ in names.calls if named(call, "function") == "use")
    assert names.imported("use", call.start_byte) == told


def test_members_of_a_module():
    names = Names(parse(b'import * as m from "m"; import { a } from "n"; m.x; a.y', "javascript"))
    assert names.imported("m.x", 60) == ("m", "x")
    assert names.imported("a.y", 60) == ("n", "a.y")


def test_many_assignments_of_a_name_are_read_in_time():
    assert len(stands("let a;" + "if (b) { a = 1 } use(a);" * 3000)) == 3000
